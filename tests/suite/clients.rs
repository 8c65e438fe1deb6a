//! The clients generated from the document of the API (`scripts/clients`), and a fuzzer of it.

use crate::support::judge;
use crate::support::store::{ROOT_TOKEN, TestStore, unique};

fn root(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_committed_clients_are_what_the_document_says() {
    judge::run("python3", &[&root("scripts/clients.d/generate.py"), "--check"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webmail_lives_on_the_typescript_client() {
    let store = TestStore::start().await;
    let base = format!("http://{}", store.running.addresses.api[0]);
    let built = std::env::temp_dir().join(unique("eider-webmail"));
    let built_at = built.to_str().unwrap();
    let modules = std::env::var("NODE_PATH").expect("NODE_PATH: scripts/test sets it");
    judge::run(
        "node",
        &[
            &format!("{modules}/typescript/bin/tsc"),
            "--strict",
            "--noUncheckedIndexedAccess",
            "--target",
            "es2022",
            "--lib",
            "es2022,dom,dom.iterable",
            "--module",
            "es2022",
            "--moduleResolution",
            "bundler",
            "--rootDir",
            env!("CARGO_MANIFEST_DIR"),
            "--outDir",
            built_at,
            &root("tests/judges/webmail_client.ts"),
        ],
    )
    .await;
    std::fs::write(built.join("package.json"), "{\"type\":\"module\"}").unwrap();
    let program = built.join("tests/judges/webmail_client.js");
    let said = judge::run("node", &[program.to_str().unwrap(), &base, ROOT_TOKEN]).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    std::fs::remove_dir_all(&built).unwrap();
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_lives_on_the_python_client() {
    let store = TestStore::start().await;
    let base = format!("http://{}", store.running.addresses.api[0]);
    let said =
        judge::run("python3", &[&root("tests/judges/python_client.py"), &base, ROOT_TOKEN]).await;
    assert!(said.contains(" passed, 0 failed"), "{said}");
    store.stop().await;
}

/// Every operation, with what it accepts and what it does not; the root token opens all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fuzzer_finds_no_answer_that_the_document_does_not_know() {
    let store = TestStore::start().await;
    let base = format!("http://{}", store.running.addresses.api[0]);
    let python = std::env::var("EIDER_TEST_PYTHON").expect("EIDER_TEST_PYTHON");
    let fuzzer = std::path::Path::new(&python).with_file_name("schemathesis");
    let token = format!("X-Access-Token: {ROOT_TOKEN}");
    // a stream that does not end
    let arguments = [
        "run",
        &root("api-spec/openapi.json"),
        "--url",
        &base,
        "-H",
        &token,
        "--checks",
        "status_code_conformance,response_schema_conformance,content_type_conformance",
        "--phases",
        "fuzzing",
        "--max-examples",
        "3",
        "--mode",
        "all",
        "--exclude-path-regex",
        "/updates$",
        "--request-timeout",
        "20",
        "--continue-on-failure",
        "--no-color",
        "--seed",
        "1",
    ];
    let run = judge::run(fuzzer.to_str().unwrap(), &arguments).await;
    assert!(run.contains(" passed"), "{run}");
    store.stop().await;
}
