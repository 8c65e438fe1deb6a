//! `eider serve`: starts a node, says where it is, stops on a signal.

use std::net::SocketAddr;

use tokio::signal::unix::{SignalKind, signal};

use super::{block_on, say};
use crate::config::Config;
use crate::server::{self, Running};

pub(super) fn run(config: Config) -> anyhow::Result<()> {
    let shown = config.clone();
    block_on(&shown, async move {
        // Before the store starts, so that a signal during start-up stops it in order too.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let running = server::start(config).await?;
        greet(&running);
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
        running.shutdown().await;
        tracing::info!("stopped");
        Ok(())
    })
}

/// The ports, the token's file, and two lines to copy.
fn greet(running: &Running) {
    let addresses = &running.addresses;
    say(format_args!("eider {} is serving", env!("CARGO_PKG_VERSION")));
    let doors = [
        ("IMAP (STARTTLS)", &addresses.imap),
        ("IMAP (TLS)", &addresses.imap_tls),
        ("POP3 (STLS)", &addresses.pop3),
        ("POP3 (TLS)", &addresses.pop3_tls),
        ("SMTP (STARTTLS)", &addresses.smtp),
        ("SMTP (TLS)", &addresses.smtp_tls),
        ("Submission (STARTTLS)", &addresses.submission),
        ("Submission (TLS)", &addresses.submission_tls),
        ("LMTP (STARTTLS)", &addresses.lmtp),
        ("LMTP (TLS)", &addresses.lmtp_tls),
        ("API (HTTP)", &addresses.api),
    ];
    for (name, bound) in doors {
        for address in bound {
            say(format_args!("  {name:<21} {address}"));
        }
    }
    let Some(api) = addresses.api.first() else { return };
    say(format_args!("  {:<21} http://{api}/docs", "API document"));
    let token = match &running.root_token_file {
        Some(file) => {
            say(format_args!("  {:<21} {}", "API root token", file.display()));
            format!("$(cat '{}')", file.display())
        }
        None => "YOUR-ROOT-TOKEN".to_owned(),
    };
    say("\nTo create a user:");
    say(format_args!(
        "  curl -s -H \"X-Access-Token: {token}\" -H 'Content-Type: application/json' \\\n    \
         -d '{{\"username\":\"anna\",\"password\":\"secret-anna\",\"address\":\"anna@example.com\"}}' \
         http://{api}/users"
    ));
    if let Some(lmtp) = addresses.lmtp.first() {
        say("To send her a message:");
        say(format_args!("  {}", lmtp_line(*lmtp)));
    }
    say("");
}

fn lmtp_line(lmtp: SocketAddr) -> String {
    format!(
        "python3 -c 'import smtplib; s=smtplib.LMTP(\"{}\",{}); \
         print(s.sendmail(\"me@example.org\",\"anna@example.com\",\
         \"Subject: hello\\r\\n\\r\\nHello Anna\\r\\n\"))'",
        lmtp.ip(),
        lmtp.port()
    )
}
