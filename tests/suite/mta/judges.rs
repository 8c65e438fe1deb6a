//! Transport judged by Debian's postfix.

use serde_json::json;

use super::{Scene, mta_config, set_pauses, zone_of};
use crate::support::dns::DnsServer;
use crate::support::judge;
use crate::support::postfix::{Postfix, free_port};
use crate::support::smtp_sink::{Options, SmtpSink};
use crate::support::store::{TestStore, unique};
use crate::support::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postfix_receives_what_we_send_and_sends_to_us() {
    let port = free_port();
    let dns = DnsServer::start(&zone_of(&["p.example"])).await;
    let config = mta_config(&unique("eider_mta"), &dns, port);
    let store = TestStore::start_with(config).await;
    let user = store.create_user("me").await;
    let postfix = Postfix::start(port, &[store.smtp_address()]).await;
    let unused = SmtpSink::start(Options::default()).await;
    let it = Scene { store, dns, sink: unused, user };
    set_pauses(&it.store, "100,100,100").await;
    for number in 0..20 {
        let text = format!(".\r\n..\r\nline {number}\r\n");
        let to = ["ok@p.example", "many@p.example"];
        it.submit(&to, &format!("n{number}"), json!({ "text": text })).await;
    }
    it.submit(&["unknown@p.example"], "returned", json!({})).await;
    until("all are in postfix's files", async || {
        postfix.mails("ok").len() == 20 && postfix.mails("many").len() == 20
    })
    .await;
    let ok = postfix.mails("ok").concat();
    assert!(ok.contains("\n.\n..\nline 7\n") && ok.contains("Return-Path: <me@example.com>"));
    until("the refused one is reported", async || it.inbox().await.len() == 1).await;
    let report = it.inbox().await.remove(0);
    assert!(report.contains("Status: 5.1.1\r\n") && report.contains("mx.p.example"), "{report}");
    // The other way: postfix relays to our door
    let said = judge::run(
        "swaks",
        &[
            "--server",
            &format!("127.0.0.1:{port}"),
            "--from",
            "ok@p.example",
            "--to",
            "me@example.com",
            "--body",
            "from postfix",
        ],
    )
    .await;
    assert!(said.contains("250"), "{said}");
    until("it is in the inbox", async || it.inbox().await.len() == 2).await;
    let all = it.inbox().await.concat();
    assert!(all.contains("from postfix") && all.contains("mx.p.example (Postfix)"), "{all}");
    it.store.stop().await;
}
