//! A user sees only his own: every operation of the spine on another user's objects.

use serde_json::json;

use crate::support::api::ApiClient;
use crate::support::corpus;
use crate::support::store::{PASSWORD, TestStore};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_users_objects_do_not_exist() {
    let store = TestStore::start().await;
    let anna = store.create_user("anna").await;
    let eve = store.create_user("eve").await;
    store.lmtp().await.deliver(&["anna@example.com"], &corpus::message("secret")).await;
    let root = store.api();
    let (_, answer) = root.get(&format!("/users/{anna}/mailboxes")).await;
    let inbox = answer["results"][0]["id"].as_str().unwrap().to_owned();
    let login = json!({ "username": "eve", "password": PASSWORD, "token": true });
    let (status, answer) = root.post("/authenticate", &login).await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["token"].as_str().unwrap();
    let api = ApiClient::new(store.running.addresses.api[0], Some(token));

    let messages = format!("/users/{anna}/mailboxes/{inbox}/messages");
    let foreign = [
        ("GET", format!("/users/{anna}")),
        ("PUT", format!("/users/{anna}")),
        ("DELETE", format!("/users/{anna}")),
        ("GET", format!("/users/{anna}/mailboxes")),
        ("POST", format!("/users/{anna}/mailboxes")),
        ("GET", format!("/users/{anna}/mailboxes/{inbox}")),
        ("PUT", format!("/users/{anna}/mailboxes/{inbox}")),
        ("DELETE", format!("/users/{anna}/mailboxes/{inbox}")),
        ("GET", format!("/users/{anna}/addresses")),
        ("POST", format!("/users/{anna}/addresses")),
        ("GET", messages.clone()),
        ("GET", format!("{messages}/1")),
        ("GET", format!("{messages}/1/message.eml")),
        ("PUT", format!("{messages}/1")),
        ("DELETE", format!("{messages}/1")),
        ("DELETE", messages.clone()),
        ("POST", messages.clone()),
    ];
    for (method, path) in &foreign {
        let body = match (*method, path.rsplit('/').next()) {
            ("POST", Some("addresses")) => r#"{"address":"eve2@example.com"}"#,
            ("POST", Some("mailboxes")) => r#"{"path":"new"}"#,
            ("POST", _) => r#"{"subject":"forged"}"#,
            ("PUT", Some("1")) => r#"{"seen":true}"#,
            ("PUT", _) => r#"{"name":"forged"}"#,
            _ => "",
        };
        let body =
            if path.ends_with(&inbox) && *method == "PUT" { r#"{"path":"x"}"# } else { body };
        let (status, body) = api.raw(method, path, "application/json", body.as_bytes()).await;
        assert_eq!(status, 403, "{method} {path}: {}", String::from_utf8_lossy(&body));
    }
    // her own path with his mailbox: not found, and nothing of it is shown
    let mixed = format!("/users/{eve}/mailboxes/{inbox}/messages");
    let own_paths = [
        ("GET", format!("/users/{eve}/mailboxes/{inbox}")),
        ("DELETE", format!("/users/{eve}/mailboxes/{inbox}")),
        ("GET", mixed.clone()),
        ("GET", format!("{mixed}/1")),
        ("GET", format!("{mixed}/1/message.eml")),
        ("DELETE", format!("{mixed}/1")),
    ];
    for (method, path) in &own_paths {
        let (status, body) = api.raw(method, path, "application/json", b"").await;
        assert_eq!(status, 404, "{method} {path}: {}", String::from_utf8_lossy(&body));
    }
    let nobody = ApiClient::new(store.running.addresses.api[0], None);
    let (status, _) = nobody.raw("GET", "/users", "", b"").await;
    assert_eq!(status, 403, "no token, no access");
    // over IMAP there is no way to name it; a guess is answered like any unknown name
    let mut imap = store.imap("eve").await;
    imap.refused(&format!("SELECT {inbox}"), "NO").await;
    let status = store.imap("anna").await.ok("STATUS INBOX (MESSAGES)").await;
    assert!(status.find("MESSAGES 1").is_some(), "{:?}", status.lines());
    store.stop().await;
}

/// No right, no sight: what another user has not shared is answered like what does not exist, word
/// for word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_users_mailboxes_do_not_exist_over_imap() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    store.create_user("eve").await;
    let mut anna = store.imap("anna").await;
    anna.append("INBOX", "", &corpus::message("secret")).await;
    anna.ok("SETMETADATA INBOX (/shared/comment \"secret\")").await;
    anna.ok("CREATE Team").await;
    // rights without `l` show nothing, and those on one mailbox nothing of another
    anna.ok("SETACL INBOX eve rswipkxtea").await;
    anna.ok("SETACL Team eve lr").await;
    let mut eve = store.imap("eve").await;
    eve.append("INBOX", "", &corpus::message("own")).await;
    let commands = [
        "SELECT @",
        "EXAMINE @",
        "STATUS @ (MESSAGES)",
        "GETACL @",
        "MYRIGHTS @",
        "LISTRIGHTS @ eve",
        "SETACL @ eve lr",
        "DELETEACL @ anna",
        "GETQUOTAROOT @",
        "GETMETADATA @ /shared/comment",
        "SETMETADATA @ (/private/comment \"x\")",
        "RENAME @ \"Other Users/anna/Team/x\"",
        "RENAME INBOX @",
        "CREATE @/sub",
        "DELETE @",
    ];
    for command in commands {
        let ask = |name: &str| {
            command
                .replace("@/sub", &format!("\"{name}/sub\""))
                .replace("@", &format!("\"{name}\""))
        };
        let hers = eve.command(&ask("Other Users/anna/Drafts")).await;
        let nobodys = eve.command(&ask("Other Users/nobody/Drafts")).await;
        assert!(hers.status.starts_with("NO"), "{command}: {}", hers.status);
        assert_eq!((&hers.status, hers.lines()), (&nobodys.status, nobodys.lines()), "{command}");
        if !command.contains("INBOX") {
            let unseen = eve.command(&ask("Other Users/anna/Missing")).await;
            let blind = eve.command(&ask("Other Users/anna/Drafts")).await;
            assert_eq!(unseen.status, blind.status, "{command}");
        }
    }
    eve.ok("SELECT INBOX").await;
    for command in ["COPY 1 @", "MOVE 1 @"] {
        eve.refused(&command.replace("@", "\"Other Users/anna/Drafts\""), "NO [TRYCREATE]").await;
    }
    let answer = eve.append("\"Other Users/anna/Drafts\"", "", &corpus::message("x")).await;
    assert!(answer.status.starts_with("NO [TRYCREATE]"), "{}", answer.status);
    // INBOX has every right but `l`
    eve.refused("SELECT \"Other Users/anna/INBOX\"", "NO [NONEXISTENT]").await;
    for list in ["LIST \"\" *", "LIST \"\" \"Other Users/anna/*\"", "XLIST \"\" *"] {
        let listed = eve.ok(list).await.lines().join("\n");
        assert!(listed.contains("\"Other Users/anna/Team\""), "{listed}");
        assert!(!listed.contains("anna/INBOX") && !listed.contains("anna/Drafts"), "{listed}");
    }
    // and the owner's things are as they were
    let status = anna.ok("STATUS INBOX (MESSAGES)").await;
    assert!(status.find("MESSAGES 1").is_some(), "{:?}", status.lines());
    store.stop().await;
}
