//! Addresses over the API: of users, and those that only forward.

use serde_json::json;

use super::registry::{Row, row};
use crate::support::corpus;
use crate::support::store::TestStore;

pub const ROWS: &[Row] = &[
    row("listAllAddresses", "{}"),
    row("resolveAddress", "{}"),
    row("listAddresses", "{}"),
    row("createAddress", r#"{"address":"x@example.com"}"#),
    row("showAddress", "{}"),
    row("updateAddress", r#"{"name":"X"}"#),
    row("deleteAddress", "{}"),
    row("createForwarded", r#"{"address":"x@example.com","targets":["y@example.org"]}"#),
    row("showForwarded", "{}"),
    row("updateForwarded", r#"{"name":"X"}"#),
    row("deleteForwarded", "{}"),
    row("searchContacts", r#"{"query":"x"}"#),
    row("updateContact", r#"{"disabled":true}"#),
    row("renameDomain", r#"{"oldDomain":"example.com","newDomain":"example.org"}"#),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_without_a_user_forward() {
    let store = TestStore::start().await;
    let api = store.api();
    store.create_user("anna").await;
    let path = "/addresses/forwarded";
    let targets = json!(["ANNA@Example.com", "smtp://mx.example.org:26", "https://example.org/in"]);
    let new = json!({
        "address": "te.am@example.com", "name": "Team", "targets": targets, "forwards": 7,
        "autoreply": { "subject": "Away", "start": false, "end": "2030-01-01" },
        "tags": ["B", "a"], "metaData": { "x": 1 },
    });
    let (status, answer) = api.post(path, &new).await;
    assert_eq!(status, 200, "{answer}");
    let one = format!("{path}/{}", answer["id"].as_str().unwrap());
    let (_, shown) = api.get(&one).await;
    assert_eq!(shown["targets"][0], "ANNA@example.com", "{shown}");
    assert_eq!(shown["targets"].as_array().unwrap().len(), 3, "{shown}");
    let limit = json!({ "allowed": 7, "used": 0, "ttl": false });
    assert_eq!(shown["limits"]["forwards"], limit, "{shown}");
    assert_eq!(shown["autoreply"]["status"], true, "{shown}");
    assert_eq!(shown["autoreply"]["end"], "2030-01-01T00:00:00.000Z", "{shown}");
    assert_eq!((&shown["tags"], &shown["metaData"]), (&json!(["a", "B"]), &json!({ "x": 1 })));
    assert!(shown.get("user").is_none(), "{shown}");

    for (bad, code) in [
        (json!({ "address": "team@example.com" }), "AddressExistsError"),
        (json!({ "address": "a+b@example.com" }), "InputValidationError"),
        (json!({ "address": "a*@example.com" }), "InputValidationError"),
        (
            json!({ "address": "b@example.com", "targets": ["b@example.com"] }),
            "InputValidationError",
        ),
        (json!({ "address": "b@example.com", "targets": ["ftp://x"] }), "InputValidationError"),
        (json!({ "address": "b@example.com", "autoreply": { "x": 1 } }), "InputValidationError"),
    ] {
        let (status, answer) = api.post(path, &bad).await;
        assert_eq!((status, &answer["code"]), (400, &json!(code)), "{bad} {answer}");
    }

    let change = json!({
        "address": "crew@example.com", "targets": ["x@example.org"],
        "autoreply": { "status": false }, "forwardedDisabled": true,
    });
    let (status, answer) = api.put(&one, &change).await;
    assert_eq!(status, 200, "{answer}");
    let (_, shown) = api.get(&one).await;
    assert_eq!(
        (&shown["address"], &shown["targets"]),
        (&json!("crew@example.com"), &json!(["x@example.org"]))
    );
    let autoreply = &shown["autoreply"];
    assert_eq!((&autoreply["status"], &autoreply["subject"]), (&json!(false), &json!("Away")));
    assert_eq!(
        (&shown["forwardedDisabled"], &shown["limits"]["forwards"]["allowed"]),
        (&json!(true), &json!(7))
    );

    let (_, answer) = api.get("/addresses?forward=x@example.org").await;
    assert_eq!((&answer["total"], &answer["results"][0]["forwarded"]), (&json!(1), &json!(true)));
    assert_eq!(answer["results"][0]["forwardedDisabled"], true, "{answer}");
    let (_, answer) = api.get("/addresses/resolve/c.rew@example.com").await;
    assert_eq!(answer["targets"], json!(["x@example.org"]), "{answer}");
    assert_eq!(api.delete(&one).await.0, 200);
    for (status, answer) in
        [api.get(&one).await, api.delete(&one).await, api.put(&one, &json!({})).await]
    {
        assert_eq!((status, &answer["code"]), (404, &json!("AddressNotFound")), "{answer}");
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_dots_and_wildcards_find_their_user() {
    let store = TestStore::start().await;
    let api = store.api();
    let anna = store.create_user("anna").await;
    let berta = store.create_user("berta").await;
    let add = |user: &str, address: &str| {
        let body = json!({ "address": address, "allowWildcard": true });
        let (api, path) = (store.api(), format!("/users/{user}/addresses"));
        async move { api.post(&path, &body).await }
    };
    for (user, address) in
        [(&anna, "*@example.com"), (&berta, "shop*@example.com"), (&berta, "info@*")]
    {
        let (status, answer) = add(user, address).await;
        assert_eq!(status, 200, "{address} {answer}");
    }
    let (status, answer) = add(&anna, "x+y@example.com").await;
    assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")), "{answer}");
    for (address, user) in [
        ("an.na+label@example.com", &anna),
        ("nobody@example.com", &anna),
        ("shop.7@example.com", &berta),
        ("info@elsewhere.example", &berta),
    ] {
        let (_, answer) =
            api.get(&format!("/addresses/resolve/{address}?allowWildcard=true")).await;
        assert_eq!(&answer["user"], &json!(user), "{address} {answer}");
        let replies = store.lmtp().await.deliver(&[address], &corpus::message(address)).await;
        assert!(replies[0].starts_with("250"), "{address} {replies:?}");
    }
    let (status, _) = api.get("/addresses/resolve/nobody@example.com").await;
    assert_eq!(status, 404);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_is_renamed_everywhere() {
    let store = TestStore::start().await;
    let api = store.api();
    let anna = store.create_user("anna").await;
    let alias = json!({ "alias": "alias.example", "domain": "example.com" });
    api.post("/domainaliases", &alias).await;
    let team = json!({ "address": "team@example.com", "targets": ["x@example.net"] });
    api.post("/addresses/forwarded", &team).await;
    let rename = json!({ "oldDomain": "Example.com", "newDomain": "example.org" });
    let (status, answer) = api.put("/addresses/renameDomain", &rename).await;
    assert_eq!(status, 200, "{answer}");
    let counts = ["modifiedAddresses", "modifiedUsers", "modifiedDkim", "modifiedAliases"];
    assert_eq!(counts.map(|name| answer[name].as_u64()), [Some(2), Some(1), Some(0), Some(1)]);
    let (_, shown) = api.get(&format!("/users/{anna}")).await;
    assert_eq!(shown["address"], "anna@example.org", "{shown}");
    assert_eq!(api.get("/addresses/resolve/anna@example.org").await.0, 200);
    assert_eq!(api.get("/addresses/resolve/anna@alias.example").await.0, 200);
    assert_eq!(api.get("/addresses/resolve/anna@example.com").await.0, 404);
    let (status, answer) = api.put("/addresses/renameDomain", &json!({})).await;
    assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")), "{answer}");
    let (_, answer) = api.get(&format!("/users/{anna}/addressregister?query=x")).await;
    assert_eq!(answer["results"], json!([]), "{answer}");
    let unknown = format!("/users/{anna}/addressregister/{}", "a".repeat(24));
    let (status, answer) = api.put(&unknown, &json!({ "disabled": true })).await;
    assert_eq!((status, &answer["success"]), (200, &json!(false)), "{answer}");
    store.stop().await;
}
