//! Domain aliases and lists of senders' domains.

use serde_json::json;

use super::registry::{Row, row};
use crate::support::corpus;
use crate::support::store::{PASSWORD, TestStore};

pub const ROWS: &[Row] = &[
    row("listDomainAliases", "{}"),
    row("createDomainAlias", r#"{"alias":"example.net","domain":"example.com"}"#),
    row("resolveDomainAlias", "{}"),
    row("showDomainAlias", "{}"),
    row("deleteDomainAlias", "{}"),
    row("allowDomain", r#"{"domain":"example.org"}"#),
    row("blockDomain", r#"{"domain":"example.org"}"#),
    row("listAllowedDomains", "{}"),
    row("listBlockedDomains", "{}"),
    row("deleteDomainAccess", "{}"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_has_the_addresses_of_its_domain() {
    let store = TestStore::start().await;
    let api = store.api();
    let anna = store.create_user("anna").await;
    let new = json!({ "alias": "XN--BCHER-KVA.example", "domain": "example.com" });
    let (status, answer) = api.post("/domainaliases", &new).await;
    assert_eq!(status, 200, "{answer}");
    let id = answer["id"].as_str().unwrap().to_owned();
    let (status, answer) = api.post("/domainaliases", &new).await;
    assert_eq!((status, &answer["code"]), (400, &json!("AliasExists")), "{answer}");
    let (_, answer) = api.get(&format!("/domainaliases/{id}")).await;
    assert_eq!(
        (&answer["alias"], &answer["domain"]),
        (&json!("bücher.example"), &json!("example.com"))
    );
    assert!(answer["created"].is_string(), "{answer}");
    let (_, answer) = api.get("/domainaliases/resolve/xn--bcher-kva.example").await;
    assert_eq!(answer["id"], id, "{answer}");
    let (_, answer) = api.get("/domainaliases?query=bücher".replace('ü', "%C3%BC").as_str()).await;
    assert_eq!((&answer["total"], &answer["page"]), (&json!(1), &json!(1)), "{answer}");
    assert_eq!(answer["nextCursor"], false, "{answer}");

    let resolve = "/addresses/resolve/an.na+x@xn--bcher-kva.example";
    let (status, answer) = api.get(resolve).await;
    assert_eq!((status, &answer["user"]), (200, &json!(anna)), "{answer}");
    let message = corpus::message("by alias");
    let replies = store.lmtp().await.deliver(&["anna@xn--bcher-kva.example"], &message).await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
    let login = json!({ "username": "anna@xn--bcher-kva.example", "password": PASSWORD });
    let (status, answer) = api.post("/authenticate", &login).await;
    assert_eq!((status, &answer["id"]), (200, &json!(anna)), "{answer}");

    assert_eq!(api.delete(&format!("/domainaliases/{id}")).await.0, 200);
    for path in [format!("/domainaliases/{id}"), "/domainaliases/resolve/none.example".into()] {
        let (status, answer) = api.get(&path).await;
        assert_eq!((status, &answer["code"]), (404, &json!("AliasNotFound")), "{answer}");
    }
    assert_eq!(api.get(resolve).await.0, 404);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_is_on_one_list_of_a_tag() {
    let store = TestStore::start().await;
    let api = store.api();
    let domain = json!({ "domain": "Example.ORG" });
    let (status, answer) = api.post("/domainaccess/Gold/allow", &domain).await;
    assert_eq!(status, 200, "{answer}");
    let id = answer["id"].clone();
    let (_, answer) = api.post("/domainaccess/gold/block", &domain).await;
    assert_eq!(answer["id"], id, "{answer}");
    let (_, answer) = api.get("/domainaccess/gold/allow").await;
    assert_eq!(answer["results"], json!([]), "{answer}");
    let (_, answer) = api.get("/domainaccess/gold/block").await;
    let expected = json!([{ "id": id, "domain": "example.org", "action": "block" }]);
    assert_eq!(answer["results"], expected, "{answer}");
    let path = format!("/domainaccess/{}", id.as_str().unwrap());
    let (status, answer) = api.delete(&path).await;
    assert_eq!((status, &answer["deleted"]), (200, &id), "{answer}");
    let (status, answer) = api.delete(&path).await;
    assert_eq!((status, &answer["code"]), (404, &json!("DomainNotFound")), "{answer}");
    let (status, answer) = api.post("/domainaccess/gold/allow", &json!({})).await;
    assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")), "{answer}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_of_a_blocked_domain_is_spam_for_users_with_the_tag() {
    let store = TestStore::start().await;
    let api = store.api();
    let anna = store.create_user("anna").await;
    store.create_user("berta").await;
    api.put(&format!("/users/{anna}"), &json!({ "tags": ["Gold"] })).await;
    let domain = json!({ "domain": "blocked.example" });
    assert_eq!(api.post("/domainaccess/gold/block", &domain).await.0, 200);
    let message = b"From: Eve <eve@blocked.example>\r\nTo: all\r\nSubject: x\r\n\r\nx\r\n";
    let to = ["anna@example.com", "berta@example.com"];
    let replies = store.lmtp().await.deliver(&to, message).await;
    assert!(replies.iter().all(|reply| reply.starts_with("250")), "{replies:?}");
    for (name, mailbox) in [("anna", "Junk"), ("berta", "INBOX")] {
        let answer = store.imap(name).await.ok(&format!("SELECT {mailbox}")).await;
        assert!(answer.find("1 EXISTS").is_some(), "{name} {:?}", answer.lines());
    }
    // who is no spam is remembered
    let (_, users) = api.get("/users/resolve/berta").await;
    let path = format!("/users/{}/addressregister?query=blocked", users["id"].as_str().unwrap());
    let noted = crate::support::within("the register", async {
        loop {
            let (_, answer) = api.get(&path).await;
            match answer["results"].as_array().unwrap().first() {
                Some(row) => return row.clone(),
                None => tokio::task::yield_now().await,
            }
        }
    });
    let noted = noted.await;
    assert_eq!((&noted["name"], &noted["address"]), (&json!("Eve"), &json!("eve@blocked.example")));
    let (_, answer) = api.get(&format!("/users/{anna}/addressregister?query=blocked")).await;
    assert_eq!(answer["results"], json!([]), "{answer}");
    store.stop().await;
}
