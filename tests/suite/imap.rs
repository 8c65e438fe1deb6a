//! IMAP over real sockets: rules that need more than one session or odd input.

use crate::support::corpus;
use crate::support::store::{TestStore, config, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_answered_in_words() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    imap.refused("NOSUCH", "BAD").await;
    imap.refused("FETCH 1 FLAGS", "BAD").await;
    imap.refused("SELECT", "BAD").await;
    imap.refused("SELECT missing", "NO [NONEXISTENT]").await;
    let missing = imap.append("missing", "", b"Subject: x\r\n\r\n").await;
    assert!(missing.status.starts_with("NO [TRYCREATE]"), "{}", missing.status);
    imap.refused("CREATE inbox", "NO").await;
    imap.ok("CREATE a/b").await;
    imap.refused("CREATE a/b", "NO [ALREADYEXISTS]").await;
    imap.send(&[b'x'; 100_000]).await;
    imap.send(b"\r\n").await;
    let line = imap.response().await;
    assert!(
        line.windows(3).any(|w| w == b"BAD") || line.windows(3).any(|w| w == b"BYE"),
        "{}",
        String::from_utf8_lossy(&line)
    );
    let mut fresh = store.imap("anna").await;
    fresh.refused("LOGIN anna wrong", "BAD").await;
    fresh.ok("NOOP").await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_has_a_thousand_keywords_and_no_more() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    imap.append("INBOX", "", &corpus::message("one")).await;
    imap.ok("SELECT INBOX").await;
    for hundred in 0..10 {
        let names: Vec<String> = (0..100).map(|n| format!("k{}", hundred * 100 + n)).collect();
        imap.ok(&format!("STORE 1 +FLAGS.SILENT ({})", names.join(" "))).await;
    }
    // RFC 5530 §3 LIMIT; what is known may still be set, in any case
    imap.refused("STORE 1 +FLAGS (another)", "NO [LIMIT]").await;
    let refused = imap.append("INBOX", "(another) ", &corpus::message("two")).await;
    assert!(refused.status.starts_with("NO [LIMIT]"), "{}", refused.status);
    imap.ok("STORE 1 -FLAGS.SILENT (K7)").await;
    imap.ok("STORE 1 +FLAGS.SILENT (K7)").await;
    // RFC 9051 §7.1: \* only while others can be made
    let selected = imap.ok("SELECT INBOX").await;
    let permanent = selected.find("PERMANENTFLAGS").expect("PERMANENTFLAGS");
    assert!(permanent.contains(" k999") && !permanent.contains("\\*"));
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_over_the_quota_are_refused_in_words() {
    let store = TestStore::start().await;
    let user = store.create_user("anna").await;
    let body = serde_json::json!({ "quota": 1000 });
    let (status, answer) = store.api().put(&format!("/users/{user}"), &body).await;
    assert_eq!(status, 200, "{answer}");
    let mut imap = store.imap("anna").await;
    let mut message = corpus::message("large");
    message.resize(600, b'x');
    assert!(imap.append("INBOX", "", &message).await.status.starts_with("OK"));
    let refused = imap.append("INBOX", "", &message).await;
    assert!(refused.status.starts_with("NO [OVERQUOTA]"), "{}", refused.status);
    // RFC 8508 §3.3: what is replaced counts no more
    imap.ok("SELECT INBOX").await;
    message.resize(900, b'y');
    imap.send(format!("r UID REPLACE 1 INBOX {{{}+}}\r\n", message.len()).as_bytes()).await;
    imap.send(&message).await;
    imap.send(b"\r\n").await;
    let replaced = imap.finish("r").await;
    assert!(replaced.status.starts_with("OK"), "{}", replaced.status);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bare_line_feeds_end_commands() {
    // Scripts and old telnet clients send LF alone (2026-11-24)
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    imap.send(b"x APPEND INBOX {3+}\nabc\ny NOOP\nz STATUS INBOX (MESSAGES)\n").await;
    assert!(imap.finish("x").await.status.starts_with("OK"));
    assert!(imap.finish("y").await.status.starts_with("OK"));
    let status = imap.finish("z").await;
    assert!(status.find("MESSAGES 1").is_some(), "{:?}", status.lines());
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submission_servers_fetch_what_is_for_them() {
    let mut settings = config(&unique("eider_test"));
    settings.imap.submission_users = vec!["submitter".into()];
    let database = settings.storage.database.clone();
    let store = TestStore::start_with(settings).await;
    // RFC 4467: a URL made on one node is honoured on another
    let mut other = config(&database);
    other.imap.submission_users = vec!["submitter".into()];
    let other = TestStore::start_with(other).await;
    for name in ["anna", "berta", "submitter"] {
        store.create_user(name).await;
    }
    let mut anna = store.imap("anna").await;
    anna.append("INBOX", "", &corpus::message("draft")).await;
    let made =
        anna.ok("GENURLAUTH \"imap://anna@host/INBOX;UID=1;URLAUTH=submit+anna\" INTERNAL").await;
    let line = made.find("GENURLAUTH").unwrap();
    let url = line.split('"').nth(1).unwrap().to_owned();
    let mut submitter = other.imap("submitter").await;
    let fetched = submitter.ok(&format!("URLFETCH \"{url}\"")).await;
    assert_eq!(fetched.literal(), Some(corpus::message("draft")));
    let mut berta = other.imap("berta").await;
    let nothing = berta.ok(&format!("URLFETCH \"{url}\"")).await;
    assert!(nothing.find("NIL").is_some(), "{:?}", nothing.lines());
    // and one that is changed is not
    let changed = url.replace("UID=1", "UID=2");
    let nothing = submitter.ok(&format!("URLFETCH \"{changed}\"")).await;
    assert!(nothing.find("NIL").is_some(), "{:?}", nothing.lines());
    other.stop().await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expunges_wait_while_sequence_numbers_are_in_use() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let (mut a, mut b) = (store.imap("anna").await, store.imap("anna").await);
    for subject in ["one", "two", "three"] {
        a.append("INBOX", "", &corpus::message(subject)).await;
    }
    a.ok("SELECT INBOX").await;
    b.ok("SELECT INBOX").await;
    a.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    a.ok("EXPUNGE").await;
    // RFC 9051 §7.5.1: no EXPUNGE during FETCH, STORE, SEARCH
    let fetched = b.ok("FETCH 2 (UID)").await;
    assert!(fetched.find("EXPUNGE").is_none(), "{:?}", fetched.lines());
    assert!(fetched.find("2 FETCH (UID 2)").is_some(), "{:?}", fetched.lines());
    let noop = b.ok("NOOP").await;
    assert!(noop.find("1 EXPUNGE").is_some(), "{:?}", noop.lines());
    let fetched = b.ok("FETCH 1 (UID)").await;
    assert!(fetched.find("1 FETCH (UID 2)").is_some(), "{:?}", fetched.lines());
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_and_copies_tell_their_uids() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    imap.ok("CREATE target").await;
    for number in 0..5 {
        imap.append("INBOX", "(\\Flagged work) ", &corpus::message(&format!("m{number}"))).await;
    }
    imap.ok("SELECT INBOX").await;
    let copied = imap.ok("UID COPY 2:3 target").await;
    assert!(copied.status.contains(" 2:3 1:2]"), "{}", copied.status);
    let moved = imap.ok("MOVE 1,5 target").await;
    let code = moved.find("COPYUID").unwrap_or_else(|| moved.status.clone());
    assert!(code.contains(" 1,5 3:4]"), "{code}");
    assert!(moved.find("EXPUNGE").is_some(), "{:?}", moved.lines());
    let status = imap.ok("STATUS target (MESSAGES UNSEEN UIDNEXT)").await;
    assert!(status.find("MESSAGES 4").is_some(), "{:?}", status.lines());
    imap.ok("SELECT target").await;
    let flags = imap.ok("FETCH 4 (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])").await;
    let text = flags.lines().join("\n");
    assert!(text.contains("\\Flagged") && text.contains("work") && text.contains("m4"), "{text}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_extensions_do_what_they_say() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    let message = corpus::with_attachment("parts", b"decoded octets \x01\x02");
    for _ in 0..3 {
        imap.append("INBOX", "", &message).await;
    }
    imap.ok("SELECT INBOX").await;
    // RFC 5182: the saved result stands for its messages
    imap.ok("UID SEARCH RETURN (SAVE) UID 2:3").await;
    let saved = imap.ok("FETCH $ (UID)").await;
    assert_eq!(saved.lines().len(), 2, "{:?}", saved.lines());
    // RFC 4731: only what was asked for
    let counted = imap.ok("SEARCH RETURN (COUNT MIN) ALL").await;
    let line = counted.find("ESEARCH").expect("ESEARCH");
    assert!(line.contains("COUNT 3") && line.contains("MIN 1") && !line.contains("ALL"), "{line}");
    // RFC 3516: decoded
    let binary = imap.ok("FETCH 1 (BINARY.PEEK[2] BINARY.SIZE[2])").await;
    let whole = binary.untagged.concat();
    assert!(whole.windows(17).any(|w| w == b"decoded octets \x01\x02"), "{:?}", binary.lines());
    assert!(binary.find("BINARY.SIZE[2] 17").is_some(), "{:?}", binary.lines());
    // RFC 8514, RFC 8438, RFC 5819
    let date = imap.ok("FETCH 1 (SAVEDATE)").await;
    assert!(date.find("SAVEDATE \"").is_some(), "{:?}", date.lines());
    let size = imap.ok("STATUS INBOX (SIZE)").await;
    let expected = format!("SIZE {}", 3 * message.len());
    assert!(size.find(&expected).is_some(), "{:?}", size.lines());
    let list = imap.ok("LIST \"\" INBOX RETURN (STATUS (MESSAGES))").await;
    assert!(list.find("MESSAGES 3").is_some(), "{:?}", list.lines());
    // RFC 6855: names in UTF-8 once enabled, in modified UTF-7 before
    imap.ok("CREATE \"Entw&APw-rfe\"").await;
    imap.ok("ENABLE UTF8=ACCEPT").await;
    let names = imap.ok("LIST \"\" \"Entw*\"").await;
    assert!(names.find("Entwürfe").is_some(), "{:?}", names.lines());
    store.stop().await;
}
