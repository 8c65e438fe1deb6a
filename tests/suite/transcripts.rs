//! Every golden transcript, one file a rule: `tests/golden/<door>/*.transcript`. One of them alone:
//! `EIDER_TRANSCRIPT=rfc7162 scripts/test transcripts`.

use crate::support::store::{TestStore, config, unique};
use crate::support::transcript::play_all;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imap_says_what_the_transcripts_say() {
    let store = TestStore::start().await;
    play_all(&store, "imap", store.imap_address()).await;
    store.stop().await;
}

/// Of a site that bounds what one command does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imap_with_a_message_limit_says_what_the_transcripts_say() {
    let mut config = config(&unique("limited"));
    config.imap.message_limit = 3;
    let store = TestStore::start_with(config).await;
    play_all(&store, "imap-limited", store.imap_address()).await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pop3_says_what_the_transcripts_say() {
    let store = TestStore::start().await;
    play_all(&store, "pop3", store.pop3_address()).await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smtp_says_what_the_transcripts_say() {
    let store = TestStore::start().await;
    play_all(&store, "smtp", store.smtp_address()).await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submission_says_what_the_transcripts_say() {
    let store = TestStore::start().await;
    play_all(&store, "submission", store.submission_address()).await;
    store.stop().await;
}
