//! Passkeys over the API, with an authenticator made of a P-256 key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::registry::{Row, row};
use crate::support::api::ApiClient;
use crate::support::store::{PASSWORD, TestStore};

const ORIGIN: &str = "https://webmail.example.com";
const RP_ID: &str = "webmail.example.com";
const ANSWER: &str = r#"{"challenge":"00","rawId":"00","clientDataJSON":"00",
    "attestationObject":"00"}"#;
const SIGNED: &str = r#"{"challenge":"00","rawId":"00","clientDataJSON":"00",
    "authenticatorData":"00","signature":"00"}"#;

pub const ROWS: &[Row] = &[
    row("listCredentials", "{}"),
    row("removeCredential", "{}"),
    row("beginCredentialRegistration", r#"{"description":"x","origin":"https://x.example"}"#),
    row("finishCredentialRegistration", ANSWER),
    row("beginAssertion", r#"{"origin":"https://x.example"}"#),
    row("finishAssertion", SIGNED),
];

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(pair).collect()
}

/// A security key.
struct Authenticator {
    key: KeyPair,
    raw_id: Vec<u8>,
    counter: u32,
}

impl Authenticator {
    fn new(name: u8) -> Self {
        Self { key: KeyPair::generate().unwrap(), raw_id: vec![name; 32], counter: 0 }
    }

    fn client_data(kind: &str, challenge: &str, origin: &str) -> Vec<u8> {
        let challenge = URL_SAFE_NO_PAD.encode(unhex(challenge));
        json!({ "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false })
            .to_string()
            .into_bytes()
    }

    /// WebAuthn §6.1, with the count after this use.
    fn data(&mut self, flags: u8) -> Vec<u8> {
        self.counter += 1;
        let mut data = Sha256::digest(RP_ID.as_bytes()).to_vec();
        data.push(flags);
        data.extend_from_slice(&self.counter.to_be_bytes());
        data
    }

    /// The answer to `navigator.credentials.create()`.
    fn make(&mut self, challenge: &str) -> Value {
        // user present, attested credential data
        let mut data = self.data(0x41);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&u16::try_from(self.raw_id.len()).unwrap().to_be_bytes());
        data.extend_from_slice(&self.raw_id);
        // RFC 8152 §13.1.1: an uncompressed point is 4, x, y
        let point = self.key.der_bytes().to_vec();
        data.extend_from_slice(&[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend_from_slice(&point[1..33]);
        data.extend_from_slice(&[0x22, 0x58, 0x20]);
        data.extend_from_slice(&point[33..65]);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend_from_slice(&data);
        json!({
            "challenge": challenge,
            "rawId": hex(&self.raw_id),
            "clientDataJSON": hex(&Self::client_data("webauthn.create", challenge, ORIGIN)),
            "attestationObject": hex(&object),
        })
    }

    /// The answer to `navigator.credentials.get()`.
    fn sign(&mut self, challenge: &str) -> Value {
        let data = self.data(0x01);
        let client_data = Self::client_data("webauthn.get", challenge, ORIGIN);
        let signed = [data.as_slice(), &Sha256::digest(&client_data)].concat();
        json!({
            "challenge": challenge,
            "rawId": hex(&self.raw_id),
            "clientDataJSON": hex(&client_data),
            "authenticatorData": hex(&data),
            "signature": hex(&self.key.sign(&signed).unwrap()),
        })
    }
}

async fn ok(answer: (u16, Value)) -> Value {
    assert_eq!((answer.0, &answer.1["success"]), (200, &true.into()), "{}", answer.1);
    answer.1
}

async fn register(api: &ApiClient, base: &str, key: &mut Authenticator) -> Value {
    let begin = json!({ "description": "Blue key", "origin": format!("{ORIGIN}/path") });
    let answer = ok(api.post(&format!("{base}/registration-challenge"), &begin).await).await;
    let options = &answer["registrationOptions"];
    assert_eq!(options["rp"], json!({ "name": "Eider", "id": RP_ID }), "{options}");
    let selection = &options["authenticatorSelection"]["authenticatorAttachment"];
    assert_eq!(selection, "cross-platform", "{options}");
    let made = key.make(options["challenge"].as_str().unwrap());
    let answer = ok(api.post(&format!("{base}/registration-attestation"), &made).await).await;
    assert_eq!(answer["response"]["rawId"], made["rawId"], "{answer}");
    let again = api.post(&format!("{base}/registration-attestation"), &made).await;
    assert_eq!((again.0, &again.1["code"]), (404, &json!("ChallengeNotFound")), "{}", again.1);
    answer["response"].clone()
}

async fn challenge(api: &ApiClient, base: &str, nonce: Option<&Value>) -> String {
    let mut begin = json!({ "origin": ORIGIN });
    if let Some(nonce) = nonce {
        begin["twoFactorNonce"] = nonce.clone();
    }
    let answer = ok(api.post(&format!("{base}/authentication-challenge"), &begin).await).await;
    answer["authenticationOptions"]["challenge"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_finishes_logins() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let base = format!("/users/{anna}/2fa/webauthn");
    let (check, off) = (format!("{base}/authentication-assertion"), json!({ "origin": ORIGIN }));
    let (status, answer) = api.post(&format!("{base}/authentication-challenge"), &off).await;
    assert_eq!((status, &answer["code"]), (400, &json!("WebAuthnDisabled")), "{answer}");
    let mut key = Authenticator::new(7);
    let made = register(&api, &base, &mut key).await;
    let shown = ok(api.get(&format!("/users/{anna}")).await).await;
    assert_eq!(shown["enabled2fa"], json!(["webauthn"]), "{shown}");
    let mut imap = crate::support::imap::ImapClient::connect(store.imap_address()).await;
    assert!(!imap.command(&format!("LOGIN anna {PASSWORD}")).await.status.contains("OK"));

    // the login waits for it
    let login = json!({ "username": "anna", "password": PASSWORD, "token": true });
    let answer = ok(api.post("/authenticate", &login).await).await;
    assert!(answer.get("token").is_none() && answer.get("totpNonce").is_none(), "{answer}");
    let nonce = answer["twoFactorNonce"].clone();
    let one = challenge(&api, &base, Some(&nonce)).await;
    let mut signed = key.sign(&one);
    let (status, answer) = api.post(&check, &signed).await;
    assert_eq!((status, &answer["code"]), (403, &json!("Invalid2faNonce")), "{answer}");
    let two = challenge(&api, &base, Some(&nonce)).await;
    signed = key.sign(&two);
    signed["twoFactorNonce"] = nonce.clone();
    let answer = ok(api.post(&check, &signed).await).await;
    assert_eq!(answer["response"]["authenticated"], true, "{answer}");
    assert_eq!(answer["response"]["credential"], made["id"], "{answer}");
    let token = answer["token"].as_str().unwrap();
    let own = ApiClient::new(store.running.addresses.api[0], Some(token));
    assert_eq!(own.get("/users/me").await.0, 200);
    let (status, answer) = api.post(&check, &signed).await;
    assert_eq!((status, &answer["code"]), (404, &json!("ChallengeNotFound")), "a replay: {answer}");
    let wrong = json!({ "origin": ORIGIN, "twoFactorNonce": nonce });
    let (status, answer) = api.post(&format!("{base}/authentication-challenge"), &wrong).await;
    assert_eq!((status, &answer["code"]), (403, &json!("Invalid2faNonce")), "used up: {answer}");

    // without a login: the caller says whether there is a token
    signed = key.sign(&challenge(&api, &base, None).await);
    assert!(ok(api.post(&check, &signed).await).await.get("token").is_none());
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_answers_are_refused() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let berta = store.create_user("berta").await;
    let base = format!("/users/{anna}/2fa/webauthn");
    let check = format!("{base}/authentication-assertion");
    let mut key = Authenticator::new(7);
    register(&api, &base, &mut key).await;
    let refused = async |signed: &Value| {
        let (status, answer) = api.post(&check, signed).await;
        assert_eq!((status, answer["error"].is_string()), (200, true), "{answer}");
        assert!(answer.get("success").is_none(), "{answer}");
    };
    let open = async || challenge(&api, &base, None).await;
    // a copy of the key that signed less often
    let counter = key.counter;
    key.counter = 0;
    refused(&key.sign(&open().await)).await;
    key.counter = counter;
    // another key under this one's name
    refused(
        &Authenticator { raw_id: key.raw_id.clone(), counter: 9, ..Authenticator::new(7) }
            .sign(&open().await),
    )
    .await;
    // another page
    let mut signed = key.sign(&open().await);
    let elsewhere = Authenticator::client_data(
        "webauthn.get",
        signed["challenge"].as_str().unwrap(),
        "https://evil.example",
    );
    signed["clientDataJSON"] = json!(hex(&elsewhere));
    refused(&signed).await;
    // another site's domain
    let mut signed = key.sign(&open().await);
    signed["rpId"] = json!("evil.example");
    refused(&signed).await;
    // an unknown credential, somebody else's challenge
    let signed = Authenticator::new(8).sign(&open().await);
    let (status, answer) = api.post(&check, &signed).await;
    assert_eq!((status, &answer["code"]), (404, &json!("CredentialsNotFound")), "{answer}");
    let (bertas, mut hers) = (format!("/users/{berta}/2fa/webauthn"), Authenticator::new(9));
    register(&api, &bertas, &mut hers).await;
    let signed = key.sign(&challenge(&api, &bertas, None).await);
    let (status, answer) = api.post(&check, &signed).await;
    assert_eq!((status, &answer["code"]), (404, &json!("ChallengeNotFound")), "{answer}");
    for bad in [json!({}), json!({ "origin": "no url" }), json!({ "origin": ORIGIN, "x": 1 })] {
        let (status, answer) = api.post(&format!("{base}/authentication-challenge"), &bad).await;
        assert_eq!((status, &answer["code"]), (400, &json!("InputValidationError")), "{answer}");
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_credential_switches_the_factor_off() {
    let store = TestStore::start().await;
    let (api, anna) = (store.api(), store.create_user("anna").await);
    let base = format!("/users/{anna}/2fa/webauthn");
    let first = register(&api, &base, &mut Authenticator::new(1)).await;
    let second = register(&api, &base, &mut Authenticator::new(2)).await;
    let listed = ok(api.get(&format!("{base}/credentials")).await).await;
    let rows = listed["credentials"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["id"]), (2, &first["id"]), "{listed}");
    assert_eq!(rows[1]["description"], "Blue key", "{listed}");
    let remove = async |credential: &Value| {
        let path = format!("{base}/credentials/{}", credential["id"].as_str().unwrap());
        let deleted = ok(api.delete(&path).await).await["deleted"].clone();
        let shown = ok(api.get(&format!("/users/{anna}")).await).await;
        (deleted, shown["enabled2fa"].clone())
    };
    assert_eq!(remove(&first).await, (json!(true), json!(["webauthn"])));
    assert_eq!(remove(&first).await, (json!(false), json!(["webauthn"])));
    assert_eq!(remove(&second).await, (json!(true), json!([])));
    register(&api, &base, &mut Authenticator::new(3)).await;
    assert_eq!(api.delete(&format!("/users/{anna}/2fa")).await.0, 200);
    let listed = ok(api.get(&format!("{base}/credentials")).await).await;
    assert_eq!(listed["credentials"], json!([]));
    store.stop().await;
}
