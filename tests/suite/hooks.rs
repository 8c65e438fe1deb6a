//! Webhooks against a tiny HTTP server, DKIM keys, and certificates by the name a client asks for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::store::{TestStore, unique};
use crate::support::within;

type Posts = Arc<Mutex<HashMap<String, Vec<Value>>>>;

/// Keeps what is posted, by path; answers by path.
async fn sink() -> (SocketAddr, Posts) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, posts) = (listener.local_addr().unwrap(), Posts::default());
    let kept = Arc::clone(&posts);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&kept)));
        }
    });
    (address, posts)
}

async fn serve(stream: TcpStream, posts: Posts) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|octets| *octets > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut octets = 0;
        loop {
            line.clear();
            stream.read_line(&mut line).await.ok()?;
            if line.trim().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            if name.eq_ignore_ascii_case("content-length") {
                octets = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; octets];
        stream.read_exact(&mut body).await.ok()?;
        let tries = {
            let mut posts = posts.lock().unwrap();
            let of_path = posts.entry(path.clone()).or_default();
            of_path.push(serde_json::from_slice(&body).unwrap());
            of_path.len()
        };
        let status = match path.as_str() {
            "/slow" => std::future::pending().await,
            "/gone" => "410 Gone",
            "/flaky" if tries == 1 => "500 Oops",
            _ => "200 OK",
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.get_mut().write_all(answer.as_bytes()).await.ok()?;
    }
}

async fn wait(what: &str, condition: impl AsyncFn() -> bool) {
    within(what, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    })
    .await;
}

async fn ok(answer: (u16, Value)) -> Value {
    assert_eq!((answer.0, &answer.1["success"]), (200, &true.into()), "{}", answer.1);
    answer.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_hear_each_event_once_and_a_slow_one_delays_nobody() {
    let database = unique("eider_test");
    let nodes = [TestStore::start_on(&database).await, TestStore::start_on(&database).await];
    let (api, (sink, posts)) = (nodes[0].api(), sink().await);
    let (anna, eve) = (nodes[0].create_user("anna").await, nodes[1].create_user("eve").await);
    for (path, types, user) in [
        ("/slow", json!(["*"]), None),
        ("/fine", json!(["Filter.*", "filter.created"]), Some(&anna)),
        ("/gone", json!(["*"]), None),
        ("/flaky", json!(["filter.deleted"]), None),
        ("/other", json!(["mfa.*"]), None),
    ] {
        let mut hook = json!({"type": types, "url": format!("http://{sink}{path}")});
        if let Some(user) = user {
            hook["user"] = user.as_str().into();
        }
        ok(api.post("/webhooks", &hook).await).await;
    }
    let (status, _) = api.post("/webhooks", &json!({"type": [], "url": "mailto:x"})).await;
    assert_eq!(status, 400);
    let rule = json!({"query": {"subject": "x"}, "action": {"targets": ["a@b.example"]}});
    let mut filters = Vec::new();
    for user in [&anna, &eve, &anna] {
        let made = ok(api.post(&format!("/users/{user}/filters"), &rule).await).await;
        filters.push(made["id"].clone());
    }
    let id = filters[0].as_str().unwrap();
    ok(api.delete(&format!("/users/{anna}/filters/{id}")).await).await;
    let count = |path: &str| posts.lock().unwrap().get(path).map_or(0, Vec::len);
    wait("the events", async || count("/fine") == 3 && count("/flaky") == 2).await;
    wait("the hook that is gone", async || {
        let hooks = ok(nodes[1].api().get("/webhooks").await).await;
        hooks["total"] == 4
    })
    .await;
    let heard = posts.lock().unwrap().clone();
    let events: Vec<(&Value, &Value)> =
        heard["/fine"].iter().map(|post| (&post["ev"], &post["filter"])).collect();
    let (created, deleted) = (json!("filter.created"), json!("filter.deleted"));
    let expected = [(&created, &filters[0]), (&created, &filters[2]), (&deleted, &filters[0])];
    assert_eq!(events, expected);
    assert!(heard["/fine"].iter().all(|post| post["user"] == anna.as_str()));
    assert!(heard["/fine"][0]["time"].is_i64() && heard["/fine"][0]["id"].is_string());
    assert_eq!(heard["/flaky"][0], heard["/flaky"][1], "the same event again");
    assert_eq!((heard["/gone"].len(), heard.contains_key("/other")), (1, false));
    // listed by type and user; removed
    let listed = ok(api.get(&format!("/webhooks?type=filter.*&user={anna}")).await).await;
    assert_eq!(listed["results"][0]["type"], json!(["filter.*", "filter.created"]));
    let id = listed["results"][0]["id"].as_str().unwrap();
    ok(api.delete(&format!("/webhooks/{id}")).await).await;
    let (status, answer) = api.delete(&format!("/webhooks/{id}")).await;
    assert_eq!((status, &answer["code"]), (404, &"WebhookNotFound".into()));
    for node in nodes {
        node.stop().await;
    }
}

/// What the changes of the test below are called, in their order.
const CHANGES: [&str; 23] = [
    "user.created",
    "user.password.changed",
    "address.user.created",
    "address.user.deleted",
    "address.forwarded.created",
    "address.forwarded.deleted",
    "asp.created",
    "asp.deleted",
    "mailbox.created",
    "mailbox.renamed",
    "mailbox.deleted",
    "domainalias.created",
    "domainalias.deleted",
    "address.domain.renamed",
    "mfa.custom.enabled",
    "mfa.custom.disabled",
    "mfa.disabled",
    "autoreply.user.enabled",
    "autoreply.user.disabled",
    "user.delete.started",
    "user.delete.cancelled",
    "user.delete.started",
    "user.delete.completed",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_of_users_addresses_and_mailboxes_is_an_event() {
    let store = TestStore::start().await;
    let (api, (sink, posts)) = (store.api(), sink().await);
    let id = |answer: &Value| answer["id"].as_str().unwrap().to_owned();
    ok(api.post("/webhooks", &json!({"type": ["*"], "url": format!("http://{sink}/all")})).await)
        .await;
    let anna = json!({"username": "anna", "name": "Anna", "password": "secret horse",
        "address": "anna@example.com"});
    let anna = id(&ok(api.post("/users", &anna).await).await);
    let user = format!("/users/{anna}");
    ok(api.put(&user, &json!({"password": "another horse"})).await).await;
    let things = [
        (format!("{user}/addresses"), json!({"address": "second@example.com"})),
        (
            "/addresses/forwarded".to_owned(),
            json!({"address": "team@example.com", "targets": ["a@b.example"]}),
        ),
        (format!("{user}/asps"), json!({"description": "phone", "scopes": ["*"]})),
        (format!("{user}/mailboxes"), json!({"path": "Made"})),
        ("/domainaliases".to_owned(), json!({"alias": "a.example", "domain": "b.example"})),
    ];
    for (path, body) in &things {
        let made = id(&ok(api.post(path, body).await).await);
        if path.ends_with("mailboxes") {
            ok(api.put(&format!("{path}/{made}"), &json!({"path": "Renamed"})).await).await;
        }
        ok(api.delete(&format!("{path}/{made}")).await).await;
    }
    let domains = json!({"oldDomain": "example.com", "newDomain": "example.net"});
    ok(api.put("/addresses/renameDomain", &domains).await).await;
    ok(api.put(&format!("{user}/2fa/custom"), &json!({})).await).await;
    ok(api.delete(&format!("{user}/2fa/custom")).await).await;
    ok(api.delete(&format!("{user}/2fa")).await).await;
    ok(api.put(&format!("{user}/autoreply"), &json!({"status": true, "text": "x"})).await).await;
    ok(api.delete(&format!("{user}/autoreply")).await).await;
    ok(api.delete(&format!("{user}?deleteAfter=2100-01-01T00:00:00.000Z")).await).await;
    ok(api.post(&format!("{user}/restore"), &json!({})).await).await;
    ok(api.delete(&user).await).await;
    let count = || posts.lock().unwrap().get("/all").map_or(0, Vec::len);
    wait("the events", async || count() >= CHANGES.len()).await;
    let heard = posts.lock().unwrap()["/all"].clone();
    let names: Vec<&str> = heard.iter().map(|post| post["ev"].as_str().unwrap()).collect();
    assert_eq!(names, CHANGES);
    assert_eq!((&heard[0]["user"], &heard[0]["name"]), (&anna.as_str().into(), &"Anna".into()));
    assert_eq!(heard[2]["value"], "second@example.com");
    assert_eq!(heard[7]["description"], "phone");
    assert_eq!((&heard[9]["previous"], &heard[9]["current"]), (&"Made".into(), &"Renamed".into()));
    assert_eq!(heard[12]["alias"], "a.example");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dkim_keys_are_made_imported_and_never_shown() {
    let store = TestStore::start().await;
    let api = store.api();
    let made = ok(api
        .post("/dkim", &json!({"domain": "Example.com", "selector": "S1", "description": "d"}))
        .await)
    .await;
    assert_eq!((&made["domain"], &made["selector"]), (&"example.com".into(), &"s1".into()));
    assert_eq!(made["dnsTxt"]["name"], "s1._domainkey.example.com");
    let value = made["dnsTxt"]["value"].as_str().unwrap();
    assert!(value.starts_with("v=DKIM1;t=s;p=MIIB"), "{value}");
    assert!(made["publicKey"].as_str().unwrap().starts_with("-----BEGIN PUBLIC KEY-----\n"));
    let raw = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    let key = json!({"domain": "example.com", "selector": "s2", "privateKey": raw});
    let replaced = ok(api.post("/dkim", &key).await).await;
    assert_eq!(replaced["id"], made["id"], "one key a domain");
    let id = made["id"].as_str().unwrap();
    let shown = ok(api.get(&format!("/dkim/{id}")).await).await;
    assert_eq!((&shown["selector"], &shown["dnsTxt"]), (&"s2".into(), &replaced["dnsTxt"]));
    assert!(shown["created"].is_string() && !shown.to_string().contains("PRIVATE"), "{shown}");
    let found = ok(api.get("/dkim/resolve/example.com").await).await;
    assert_eq!(found["id"], made["id"]);
    let listed = ok(api.get("/dkim?query=ample").await).await;
    assert_eq!((&listed["total"], &listed["results"][0]["id"]), (&1.into(), &made["id"]));
    // beside it, then instead of both
    let second = json!({"domain": "example.com", "selector": "s3", "keep": true});
    let second = ok(api.post("/dkim", &second).await).await;
    assert_ne!(second["id"], made["id"]);
    let mut selectors = Vec::new();
    let mut path = "/dkim?limit=1".to_owned();
    loop {
        let page = ok(api.get(&path).await).await;
        assert_eq!(page["total"], 2);
        selectors.push(page["results"][0]["selector"].as_str().unwrap().to_owned());
        let Some(next) = page["nextCursor"].as_str() else { break };
        path = format!("/dkim?limit=1&next={next}");
    }
    assert_eq!(selectors, ["s2", "s3"]);
    let again = json!({"domain": "example.com", "selector": "s2", "privateKey": raw});
    let again = ok(api.post("/dkim", &again).await).await;
    assert_eq!(again["id"], made["id"]);
    let listed = ok(api.get("/dkim").await).await;
    assert_eq!((&listed["total"], &listed["results"][0]["selector"]), (&1.into(), &"s2".into()));
    let bad = json!({"domain": "x.example", "selector": "s", "privateKey": "nonsense"});
    let (status, answer) = api.post("/dkim", &bad).await;
    assert_eq!((status, &answer["code"]), (400, &"InputValidationError".into()), "{answer}");
    ok(api.delete(&format!("/dkim/{id}")).await).await;
    for path in [format!("/dkim/{id}"), "/dkim/resolve/example.com".to_owned()] {
        let (status, answer) = api.get(&path).await;
        assert_eq!((status, &answer["code"]), (404, &"DkimNotFound".into()), "{path}");
    }
    store.stop().await;
}

/// The certificate a TLS client is shown for a name.
async fn shown_subject(address: SocketAddr, name: &str) -> String {
    let connect = address.to_string();
    let arguments = ["s_client", "-connect", &connect, "-servername", name, "-showcerts"];
    let mut command = tokio::process::Command::new("openssl");
    let run = command.args(arguments).stdin(std::process::Stdio::null()).output();
    let output = within("openssl s_client", run).await.expect("openssl");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find(|line| line.starts_with("subject=")).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_certificate_is_shown_on_the_next_connection() {
    let store = TestStore::start().await;
    let (api, address) = (store.api(), store.running.addresses.imap_tls[0]);
    let folder = store.data_dir.join("certificate");
    std::fs::create_dir_all(&folder).unwrap();
    let (key, cert) = (folder.join("key.pem"), folder.join("cert.pem"));
    let run = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "30", "-subj", "/CN=stored"])
        .args(["-addext", "subjectAltName=DNS:mail.one.example,DNS:*.two.example"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .expect("openssl");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let read = |path| std::fs::read_to_string(path).unwrap();
    assert!(shown_subject(address, "mail.one.example").await.contains("localhost"));
    let body = json!({
        "servername": "Mail.One.Example", "privateKey": read(&key), "cert": read(&cert),
    });
    let stored = ok(api.post("/certs", &body).await).await;
    assert_eq!(stored["altNames"], json!(["mail.one.example", "*.two.example"]));
    assert_eq!(stored["servername"], "mail.one.example");
    for (name, is_stored) in [
        ("mail.one.example", true),
        ("any.two.example", true),
        ("two.example", false),
        ("a.b.two.example", false),
        ("else.example", false),
    ] {
        let subject = shown_subject(address, name).await;
        assert_eq!(subject.contains("stored"), is_stored, "{name}: {subject}");
    }
    let id = stored["id"].as_str().unwrap();
    let shown = ok(api.get(&format!("/certs/{id}")).await).await;
    assert_eq!((&shown["hasCert"], &shown["acme"]), (&true.into(), &false.into()));
    assert!(!shown.to_string().contains("PRIVATE"), "{shown}");
    assert_eq!(ok(api.get("/certs/resolve/mail.one.example").await).await["id"], stored["id"]);
    for (query, total) in
        [("query=one", 1), ("query=x.two.example&altNames=yes", 1), ("query=zz", 0)]
    {
        assert_eq!(ok(api.get(&format!("/certs?{query}")).await).await["total"], total, "{query}");
    }
    let other = store.data_dir.join("key.pem");
    let wrong = json!({"servername": "x.example", "privateKey": read(&other), "cert": read(&cert)});
    let (status, answer) = api.post("/certs", &wrong).await;
    assert_eq!((status, &answer["code"]), (400, &"InputValidationError".into()), "{answer}");
    ok(api.delete(&format!("/certs/{id}")).await).await;
    assert!(shown_subject(address, "mail.one.example").await.contains("localhost"));
    let (status, answer) = api.get(&format!("/certs/{id}")).await;
    assert_eq!((status, &answer["code"]), (404, &"CertNotFound".into()));
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_into_junk_and_out_of_it_are_events() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let (address, posts) = sink().await;
    let hook = json!({ "type": ["marked.*", "forward added"], "user": anna,
        "url": format!("http://{address}/marks") });
    assert_eq!(api.post("/webhooks", &hook).await.0, 200);
    let targets = json!({ "targets": ["out@elsewhere.example"] });
    assert_eq!(api.put(&format!("/users/{anna}"), &targets).await.0, 200);
    assert_eq!(api.put(&format!("/users/{anna}"), &targets).await.0, 200);
    let mut imap = store.imap("anna").await;
    let message = b"From: B <b@example.org>\r\nSubject: offer\r\nMessage-ID: <1@x>\r\n\r\nx\r\n";
    imap.append("INBOX", "", message).await;
    imap.ok("SELECT INBOX").await;
    imap.ok("MOVE 1 Junk").await;
    imap.ok("SELECT Junk").await;
    imap.ok("MOVE 1 INBOX").await;
    imap.ok("SELECT INBOX").await;
    imap.ok("MOVE 1 Trash").await;
    let (_, list) = api.get(&format!("/users/{anna}/mailboxes")).await;
    let rows = list["results"].as_array().unwrap();
    let trash = rows.iter().find(|row| row["path"] == "Trash").unwrap()["id"].as_str().unwrap();
    let path = format!("/users/{anna}/mailboxes/{trash}/messages/1");
    assert_eq!(api.put(&path, &json!({ "flagged": true })).await.0, 200);
    let heard = || posts.lock().unwrap().get("/marks").cloned().unwrap_or_default();
    wait("four events", async || heard().len() >= 4).await;
    let mut names: Vec<String> =
        heard().iter().map(|post| post["ev"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["forward added", "marked.ham", "marked.ham", "marked.spam"]);
    let spam = heard().into_iter().find(|post| post["ev"] == "marked.spam").unwrap();
    assert_eq!((&spam["message"], &spam["subject"]), (&json!(1), &json!("offer")), "{spam}");
    assert_eq!((&spam["from"], &spam["messageId"]), (&json!("B <b@example.org>"), &json!("<1@x>")));
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_version_1_is_stored_under_the_fingerprint_of_its_key() {
    let store = TestStore::start().await;
    let api = store.api();
    let openssl = |arguments: &[&str]| {
        let run = std::process::Command::new("openssl")
            .args(arguments)
            .current_dir(&store.data_dir)
            .output()
            .expect("openssl");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        run.stdout
    };
    let request = ["-nodes", "-subj", "/CN=Old.Example", "-keyout", "v1.key", "-out", "v1.req"];
    openssl(&[&["req", "-new", "-newkey", "rsa:2048"], request.as_slice()].concat());
    let signed = ["x509", "-req", "-in", "v1.req", "-signkey", "v1.key", "-out", "v1.pem"];
    openssl(&signed);
    let key = openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", "v1.key", "-outform", "DER"]);
    let read = |name| std::fs::read_to_string(store.data_dir.join(name)).unwrap();
    let body = json!({
        "servername": "old.example", "privateKey": read("v1.key"), "cert": read("v1.pem"),
    });
    let stored = ok(api.post("/certs", &body).await).await;
    assert_eq!(stored["altNames"], json!(["old.example"]), "of its subject");
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&key);
    let hex: Vec<String> = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(stored["fingerprint"], json!(hex.join(":")));
    store.stop().await;
}
