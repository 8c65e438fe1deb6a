//! Every message of the corpus, in over LMTP and APPEND, out octet for octet.

use crate::support::corpus::{self, Sample};
use crate::support::store::TestStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn octets_come_back_as_they_came() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let samples = corpus::samples();
    let mut lmtp = store.lmtp().await;
    let mut imap = store.imap("anna").await;
    imap.ok("CREATE appended").await;
    let mut kept = Vec::new();
    for Sample { name, octets } in &samples {
        let replies = lmtp.deliver(&["anna@example.com"], octets).await;
        assert!(replies[0].starts_with("250"), "{name}: {replies:?}");
        let appended = imap.append("appended", "(\\Seen) ", octets).await;
        // RFC 9051 §9: a literal holds no NUL (literal8 does), so that refusal is right
        let is_kept = appended.status.starts_with("OK");
        assert!(is_kept || octets.contains(&0), "{name}: {}", appended.status);
        kept.extend(is_kept.then_some((name, octets)));
    }
    imap.ok("SELECT INBOX").await;
    for (index, Sample { name, octets }) in samples.iter().enumerate() {
        let uid = u32::try_from(index).unwrap() + 1;
        let body = imap.body(uid).await;
        assert!(body.ends_with(octets), "{name}: delivered octets differ");
        let answer = imap
            .ok(&format!(
                "UID FETCH {uid} (RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[TEXT])"
            ))
            .await;
        let size = format!("RFC822.SIZE {}", body.len());
        assert!(answer.find(&size).is_some(), "{name}: {:?}", answer.lines());
        // partial reads are slices of the whole, wherever skeleton and attachments meet
        for (offset, count) in [(0, 10), (body.len() / 2, 1000), (body.len().saturating_sub(5), 99)]
        {
            let part = imap.ok(&format!("UID FETCH {uid} BODY.PEEK[]<{offset}.{count}>")).await;
            let end = (offset + count).min(body.len());
            let expected = &body[offset..end];
            let got = part.literal().unwrap_or_else(|| quoted(&part.lines()[0]));
            assert_eq!(got, expected, "{name} <{offset}.{count}>");
        }
    }
    imap.ok("SELECT appended").await;
    for (uid, (name, octets)) in (1..).zip(kept) {
        assert!(imap.body(uid).await == *octets, "{name}: appended octets differ");
    }
    store.stop().await;
}

/// The last quoted string of a line: a short section may come quoted.
fn quoted(line: &str) -> Vec<u8> {
    let end = line.rfind('"').expect("a string");
    let start = line[..end].rfind('"').expect("a string") + 1;
    line.as_bytes()[start..end].to_vec()
}
