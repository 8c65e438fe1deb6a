//! What clients written for WildDuck read: a line for each answer that once differed from its own
//! (found by asking both the same, `reference/http-api.md` deciding).

use serde_json::{Value, json};

use crate::support::api::ApiClient;
use crate::support::store::{PASSWORD, TestStore};

const NONE: &str = "000000000000000000000001";

/// A call and what its answer has under pointers.
struct Line<'a> {
    call: (&'a str, String, Value),
    status: u16,
    has: Value,
}

fn line<'a>(method: &'a str, path: &str, body: Value, status: u16, has: Value) -> Line<'a> {
    Line { call: (method, path.to_owned(), body), status, has }
}

async fn check(api: &ApiClient, lines: Vec<Line<'_>>) {
    for Line { call: (method, path, body), status, has } in lines {
        let sent = if method == "GET" { String::new() } else { body.to_string() };
        let answer = api.raw(method, &path, "application/json", sent.as_bytes()).await;
        let (got, answer) = (answer.0, serde_json::from_slice::<Value>(&answer.1).unwrap());
        assert_eq!(got, status, "{method} {path} {body}: {answer}");
        for (pointer, wanted) in has.as_object().unwrap() {
            let found = answer.pointer(pointer);
            match wanted.as_str() {
                Some("absent") => assert_eq!(found, None, "{method} {path} {pointer}: {answer}"),
                Some("text") => {
                    assert!(found.is_some_and(Value::is_string), "{method} {path}: {answer}");
                }
                _ => assert_eq!(found, Some(wanted), "{method} {path} {body} {pointer}: {answer}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_have_the_path_of_the_part() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let (_, listed) = api.get(&format!("/users/{anna}/mailboxes")).await;
    let inbox = listed["results"][0]["id"].as_str().unwrap().to_owned();
    let messages = format!("/users/{anna}/mailboxes/{inbox}/messages");
    let user = |field: &str, value: Value| {
        let mut body = json!({ "username": "new", "password": "x" });
        body[field] = value;
        body
    };
    for (path, body, part) in [
        ("/users", user("targets", json!(["a@b.cd", "nowhere"])), "targets,1"),
        ("/users", user("disabledScopes", json!(["imap", "x"])), "disabledScopes,1"),
        ("/users", user("smimeCerts", json!(["nonsense"])), "smimeCerts,0"),
        ("/users", user("tags", json!(["a", 5])), "tags,1"),
        ("/users", user("mailboxes", json!({"sent": "A", "trash": "a"})), "mailboxes"),
        ("/addresses/forwarded", json!({"address": "f@ex.com", "targets": ["x"]}), "targets,0"),
        (
            &format!("/users/{anna}/filters"),
            json!({"query": {"from": "a"}, "action": {"targets": ["x"]}}),
            "action,targets,0",
        ),
        (&messages, json!({"from": {"address": "x"}, "text": "x"}), "from,address"),
        (&messages, json!({"to": [{"address": 5}], "text": "x"}), "to,0,address"),
        (&messages, json!({"headers": [{"key": 5}], "text": "x"}), "headers,0,key"),
        (
            &format!("/users/{anna}/submit"),
            json!({"envelope": {"to": [{"address": "x"}]}, "text": "x"}),
            "envelope,to,0,address",
        ),
        ("/preauth", json!({"username": "a..b"}), "username"),
        ("/authenticate", json!({"username": "a..b", "password": "x"}), "username"),
        ("/authenticate", json!({"username": "a", "password": "x", "appId": "x y"}), "appId"),
    ] {
        let (status, answer) = api.post(path, &body).await;
        assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")), "{answer}");
        assert!(answer["details"][part].is_string(), "{path} {body} {part}: {answer}");
    }
    let moved = api.put(&format!("{messages}/1"), &json!({ "moveTo": "" })).await;
    assert_eq!((moved.0, moved.1["details"]["moveTo"].is_string()), (400, true), "{}", moved.1);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_logins_have_what_clients_read() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let one = format!("/users/{anna}");
    let right = json!({ "username": "anna", "password": PASSWORD });
    let wrong = json!({ "username": "anna", "password": "wrong" });
    let lines = vec![
        line("GET", "/users", json!({}), 200, json!({"/results/0/targets": []})),
        line(
            "GET",
            "/users/resolve/a..b",
            json!({}),
            400,
            json!({"/code": "InputValidationError"}),
        ),
        line("GET", "/users/resolve/Anna", json!({}), 200, json!({"/id": anna})),
        line("POST", "/authenticate", right, 200, json!({"/require2faEnabled": false})),
        line("POST", "/authenticate", wrong, 403, json!({"/code": "AuthFailed", "/id": anna})),
        line(
            "POST",
            &format!("/users/{NONE}/password/reset"),
            json!({}),
            500,
            json!({"/code": "UserUpdateFail"}),
        ),
        line(
            "GET",
            &format!("{one}/addresses"),
            json!({}),
            200,
            json!({"/results/0/name": "absent"}),
        ),
        line("POST", &format!("{one}/addresses"), json!({"address": "ÄÖ@ex.com"}), 200, json!({})),
        line(
            "GET",
            "/addresses/resolve/äö@ex.com",
            json!({}),
            200,
            json!({"/address": "äö@ex.com"}),
        ),
        line(
            "GET",
            &format!("{one}/mailboxes/resolve?path=Trash"),
            json!({}),
            200,
            json!({"/retention": 2_592_000_000_u64}),
        ),
        line(
            "GET",
            &format!("{one}/mailboxes/resolve?path=INBOX"),
            json!({}),
            200,
            json!({"/retention": 0}),
        ),
        line("PUT", &one, json!({"retention": 1000}), 200, json!({})),
        line(
            "GET",
            &format!("{one}/mailboxes/resolve?path=Trash"),
            json!({}),
            200,
            json!({"/retention": 1000}),
        ),
        line("DELETE", &one, json!({}), 200, json!({"/deleteAfter": "text"})),
    ];
    check(&api, lines).await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_before_an_operation_are_as_the_router_sends_them() {
    let store = TestStore::start().await;
    let api = store.api();
    // A token that is sent is checked everywhere, and refusals name no charset
    let stranger = ApiClient::new(store.running.addresses.api[0], Some(&"f".repeat(40)));
    let (status, answer) = stranger.get("/health").await;
    assert_eq!((status, &answer["code"]), (403, &json!("InvalidToken")), "{answer}");
    let request = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let said = String::from_utf8_lossy(&api.exchange(request).await).to_lowercase();
    assert!(said.contains("content-type: application/json\r\n"), "{said}");
    let long = "a".repeat(197);
    let (status, answer) = api.get(&format!("/users/resolve/{long}")).await;
    assert_eq!((status, &answer["code"]), (404, &json!("ResourceNotFound")), "{answer}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_refuse_in_the_right_words() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let all = format!("/users/{anna}/addresses");
    let new = json!({ "address": "*x@ex.com", "allowWildcard": true });
    let (_, pattern) = api.post(&all, &new).await;
    let (_, plain) = api.post(&all, &json!({ "address": "b@ex.com" })).await;
    let at = |made: &Value| format!("{all}/{}", made["id"].as_str().unwrap());
    let lines = vec![
        line(
            "PUT",
            &at(&pattern),
            json!({"main": true}),
            400,
            json!({"/code": "WildcardNotPermitted"}),
        ),
        line(
            "PUT",
            &at(&pattern),
            json!({"address": "y@ex.com"}),
            400,
            json!({"/code": "ChangeNotAllowed"}),
        ),
        line(
            "PUT",
            &at(&plain),
            json!({"address": "*y@ex.com"}),
            400,
            json!({"/code": "ChangeNotAllowed"}),
        ),
    ];
    check(&api, lines).await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_have_what_clients_read() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let (_, listed) = api.get(&format!("/users/{anna}/mailboxes")).await;
    let inbox = listed["results"][0]["id"].as_str().unwrap();
    let messages = format!("/users/{anna}/mailboxes/{inbox}/messages");
    let raw = "From: a@b.cd\r\nReply-To: R <r@b.cd>, s@b.cd\r\nIn-Reply-To: <1@x>\r\n\
        List-Id: \"The L\" <l.x>\r\nList-Unsubscribe: <https://a.b/>, <mailto:l@x>\r\n\r\nwords";
    let (status, answer) = api.post(&messages, &json!({ "raw": raw, "date": "2020-01-02" })).await;
    assert_eq!(status, 200, "{answer}");
    let one = format!("{messages}/1");
    let date = "2020-01-02T00:00:00.000Z";
    let unsubscribe = json!([
        {"name": "", "address": "https://a.b/"}, {"name": "", "address": "mailto:l@x"}
    ]);
    let lines = vec![
        line(
            "GET",
            &one,
            json!({}),
            200,
            json!({
                "/replyTo": [{"name": "R", "address": "r@b.cd"}, {"name": "", "address": "s@b.cd"}],
                "/list/id": {"name": "The L", "address": "l.x"}, "/list/unsubscribe": unsubscribe,
                "/references": [], "/date": date, "/messageId": "text",
                "/contentType": {"value": "text/plain"},
            }),
        ),
        line(
            "GET",
            &format!("{messages}?metaData=true&order=sideways"),
            json!({}),
            200,
            json!({
                "/results/0/metaData": "absent", "/results/0/references": [],
                "/results/0/date": date, "/results/0/messageId": "text",
            }),
        ),
        line("DELETE", &one, json!({}), 200, json!({"/deleted": 1, "/errors": 0})),
        line("DELETE", &one, json!({}), 404, json!({"/code": "MessageNotFound"})),
        line(
            "DELETE",
            &format!("/users/{anna}/mailboxes/{NONE}/messages/1"),
            json!({}),
            404,
            json!({"/code": "NoSuchMailbox"}),
        ),
    ];
    check(&api, lines).await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recipients_beyond_the_day_are_refused_before_anything_is_sent() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    api.put(&format!("/users/{anna}"), &json!({ "recipients": 2 })).await;
    let to = |count: usize| {
        let to: Vec<Value> =
            (0..count).map(|n| json!({ "address": format!("r{n}@far.example") })).collect();
        json!({ "to": to, "text": "x", "sendTime": "2100-01-01" })
    };
    let path = format!("/users/{anna}/submit");
    let (status, answer) = api.post(&path, &to(3)).await;
    assert_eq!((status, &answer["code"]), (403, &json!("RateLimitedError")), "{answer}");
    let (status, answer) = api.post(&path, &to(2)).await;
    assert_eq!(status, 200, "nothing was counted: {answer}");
    let (status, _) = api.post(&path, &to(1)).await;
    assert_eq!(status, 403);
    store.stop().await;
}
