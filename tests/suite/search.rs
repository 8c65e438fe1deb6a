//! SEARCH against Python's email package, and clients that send ahead.

use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::corpus;
use crate::support::judge;
use crate::support::store::{PASSWORD, TestStore, unique};
use crate::support::within;

/// Messages for the judge: all of the corpus and some real mail.
const MESSAGES_MAX: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_keys_find_what_a_model_in_python_finds() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let folder: PathBuf = std::env::temp_dir().join(unique("eider-search"));
    std::fs::create_dir_all(&folder).unwrap();
    for (number, sample) in corpus::samples().into_iter().take(MESSAGES_MAX).enumerate() {
        std::fs::write(folder.join(format!("{number:04}.eml")), sample.octets).unwrap();
    }
    let script = format!("{}/tests/judges/search_model.py", env!("CARGO_MANIFEST_DIR"));
    let port = store.imap_address().port().to_string();
    let path = folder.to_string_lossy().into_owned();
    let said = judge::run("python3", &[&script, "127.0.0.1", &port, "anna", PASSWORD, &path]).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    std::fs::remove_dir_all(&folder).unwrap();
    store.stop().await;
}

/// Everything the server says to these octets, the last of which are LOGOUT.
async fn said_to(store: &TestStore, octets: &str) -> String {
    let mut stream = TcpStream::connect(store.imap_address()).await.unwrap();
    stream.write_all(octets.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    within("the answers", stream.read_to_end(&mut said)).await.unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_sent_ahead_of_a_search_are_answered_in_turn() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    for subject in ["one", "two", "three"] {
        imap.append("INBOX", "", &corpus::message(subject)).await;
    }
    let said = said_to(
        &store,
        &format!(
            "a LOGIN anna \"{PASSWORD}\"\r\nb SELECT INBOX\r\nc SEARCH TEXT two\r\n\
             d SORT (SUBJECT) UTF-8 BODY body\r\ne THREAD REFERENCES UTF-8 ALL\r\nf LOGOUT\r\n"
        ),
    )
    .await;
    let places = ["* SEARCH 2\r\nc OK", "* SORT 1 3 2\r\nd OK", "e OK", "* BYE", "f OK"]
        .map(|words| said.find(words));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{said}");
    store.stop().await;
}
