//! Secrets at rest: what lies in the database says nothing to who has no key.

use eider::config::Config;
use eider::storage::Storage;
use serde_json::{Value, json};

use crate::support::store::{TestStore, config, database_uri, unique};

async fn document(database: &str, collection: &str) -> bson::Document {
    let storage = Storage::connect(&database_uri(), database).await.unwrap();
    let found = storage.collection::<bson::Document>(collection).find_one(bson::doc! {}).await;
    found.unwrap().expect("a document")
}

fn with_key(database: &str, secret: &str) -> Config {
    let mut config = config(database);
    let file = std::env::temp_dir().join(unique("eider-key"));
    std::fs::write(&file, secret).unwrap();
    config.secrets.key_file = Some(file);
    config
}

async fn ok(answer: (u16, Value)) -> Value {
    assert_eq!((answer.0, &answer.1["success"]), (200, &true.into()), "{}", answer.1);
    answer.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeds_and_keys_are_sealed_and_open_with_their_key_only() {
    let (database, secret) = (unique("eider_test"), "k".repeat(32));
    let store = TestStore::start_with(with_key(&database, &secret)).await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let setup = format!("/users/{anna}/2fa/totp/setup");
    let answer = ok(api.post(&setup, &json!({ "issuer": "Test" })).await).await;
    let seed = answer["seed"].as_str().unwrap().to_owned();
    let key = json!({ "domain": "example.com", "selector": "one" });
    let key = ok(api.post("/dkim", &key).await).await;
    let made = rcgen::generate_simple_self_signed(vec!["mail.example.com".into()]).unwrap();
    let certificate = json!({ "servername": "mail.example.com", "cert": made.cert.pem(),
        "privateKey": made.signing_key.serialize_pem() });
    let certificate = ok(api.post("/certs", &certificate).await).await;
    let user = document(&database, "users").await;
    assert!(user.get_str("pendingSeed").unwrap().starts_with("$eider1$"), "{user}");
    assert!(!user.to_string().contains(&seed));
    for collection in ["dkim_keys", "certificates"] {
        let found = document(&database, collection).await;
        assert!(!found.to_string().contains("PRIVATE KEY"), "{found}");
    }
    let paths = ["/dkim/", "/certs/"].into_iter().zip([&key["id"], &certificate["id"]]);
    let paths: Vec<String> =
        paths.map(|(path, id)| format!("{path}{}", id.as_str().unwrap())).collect();
    for path in &paths {
        ok(api.get(path).await).await;
    }
    let wrong = json!({ "token": "000000" });
    let enable = format!("/users/{anna}/2fa/totp/enable");
    let (_, answer) = api.post(&enable, &wrong).await;
    assert_eq!(answer["code"], "InvalidToken", "the seed opens: {answer}");
    store.stop().await;
    // another key, and none
    let configs = [with_key(&database, &"x".repeat(32)), config(&database)];
    for config in configs {
        let store = TestStore::start_with(config).await;
        for path in &paths {
            let (status, answer) = store.api().get(path).await;
            assert_eq!((status, &answer["code"]), (500, &json!("InternalConfigError")), "{answer}");
        }
        let (status, answer) = store.api().post(&enable, &wrong).await;
        assert_eq!((status, &answer["code"]), (500, &json!("InternalConfigError")), "{answer}");
        store.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lay_there_in_the_clear_is_still_read() {
    let database = unique("eider_test");
    let store = TestStore::start_on(&database).await;
    let key = json!({ "domain": "example.com", "selector": "one" });
    let key = ok(store.api().post("/dkim", &key).await).await;
    store.stop().await;
    let before = document(&database, "dkim_keys").await;
    assert!(before.get_str("privateKey").unwrap().contains("PRIVATE KEY"), "{before}");
    let store = TestStore::start_with(with_key(&database, &"k".repeat(32))).await;
    let path = format!("/dkim/{}", key["id"].as_str().unwrap());
    ok(store.api().get(&path).await).await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_key_is_refused_at_start() {
    let config = with_key(&unique("eider_test"), "short");
    let Err(error) = eider::server::start(config).await else { panic!("it started") };
    assert!(format!("{error:#}").contains("32 octets"), "{error:#}");
}
