//! Milters: a conversation with each, beside the client's, over `codec::milter`.
//!
//! A milter that is away, breaks off or does not answer in time is left out of the rest of the
//! connection, and its rule says what that means for the mail.

use super::settings::MilterSettings;
use crate::codec::milter::{
    CHUNK_OCTETS, Change, PACKET_OCTETS_MAX, Protocol, Reply, Step, read_negotiation, read_reply,
    write, write_macros, write_negotiation,
};
use crate::net::service::{Connection, connect};
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Changes of one message.
const CHANGES_MAX: usize = 1000;

/// One conversation.
pub(super) struct Milter {
    connection: Box<dyn Connection>,
    timeout: Duration,
    protocol: Protocol,
    /// It has accepted the connection, and hears no more of it.
    is_done: bool,
    /// It has accepted the message, and hears no more of it.
    is_done_with_message: bool,
    /// It has heard of a transaction that is not at its end.
    is_in_message: bool,
}

impl std::fmt::Debug for Milter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Milter").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// What a client says before his message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said<'a> {
    /// He is there; `host` is his proven name, or his address in brackets.
    Connected { host: &'a str, peer: IpAddr },
    /// HELO or EHLO.
    Greeted(&'a str),
    /// MAIL: the reverse-path, empty for the null path; our name of the message.
    Sender { path: &'a str, id: &'a str },
    /// RCPT.
    Recipient(&'a str),
}

/// What it says to a step, when it does not just go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Continue,
    Reject,
    TempFail,
    Discard,
    Code(String),
    Shutdown,
}

impl Milter {
    /// Opens the conversation.
    pub(super) async fn open(settings: &MilterSettings) -> io::Result<Self> {
        let timeout = Duration::from_millis(settings.timeout_ms);
        let connection = connect(&settings.address, timeout).await?;
        let mut milter = Self {
            connection,
            timeout,
            protocol: Protocol::default(),
            is_done: false,
            is_done_with_message: false,
            is_in_message: false,
        };
        let mut opening = Vec::new();
        write_negotiation(&mut opening);
        milter.send(&opening).await?;
        let (command, data) = milter.read().await?;
        milter.protocol = read_negotiation(command, &data)
            .ok_or_else(|| io::Error::other("it speaks another protocol"))?;
        Ok(milter)
    }

    /// Tells what the client has said.
    pub(super) async fn hear(&mut self, said: &Said<'_>) -> io::Result<Answer> {
        let text = |text: &str| text.replace('\0', "");
        match said {
            Said::Connected { host, peer } => {
                let family: &[u8] = if peer.is_ipv4() { b"4" } else { b"6" };
                let (host, address) = (text(host), peer.to_string());
                // The port is unknown behind PROXY and XCLIENT
                let parts: [&[u8]; 6] =
                    [host.as_bytes(), b"\0", family, &[0, 0], address.as_bytes(), b"\0"];
                let macros = [("{client_addr}", address.as_str()), ("{client_name}", &host)];
                self.step(Step::Connect, &macros, &parts).await
            }
            Said::Greeted(helo) => {
                self.step(Step::Helo, &[], &[text(helo).as_bytes(), b"\0"]).await
            }
            Said::Sender { path, id } => {
                self.abort().await?;
                self.is_in_message = true;
                self.is_done_with_message = false;
                let argument = format!("<{}>\0", text(path));
                let macros = [("i", *id), ("{mail_addr}", *path)];
                self.step(Step::Mail, &macros, &[argument.as_bytes()]).await
            }
            Said::Recipient(path) => {
                let argument = format!("<{}>\0", text(path));
                self.step(Step::Rcpt, &[("{rcpt_addr}", path)], &[argument.as_bytes()]).await
            }
        }
    }

    /// A transaction it has heard of ended without its message (`SMFIC_ABORT`).
    pub(super) async fn abort(&mut self) -> io::Result<()> {
        if self.is_done || !std::mem::take(&mut self.is_in_message) {
            return Ok(());
        }
        let mut packet = Vec::new();
        write(&mut packet, b'A', &[]);
        self.send(&packet).await
    }

    /// The message: fields as name and value, then the body. What it wants changed comes with the
    /// answer.
    pub(super) async fn message(
        &mut self,
        fields: &[(&[u8], &[u8])],
        body: &[u8],
    ) -> io::Result<(Answer, Vec<Change>)> {
        let answer = self.hear_out(fields, body).await?;
        if answer != Answer::Continue || self.is_done || self.is_done_with_message {
            return Ok((answer, Vec::new()));
        }
        let mut packet = Vec::new();
        write(&mut packet, Step::EndOfMessage.command(), &[]);
        self.send(&packet).await?;
        self.is_in_message = false;
        let mut changes = Vec::new();
        loop {
            match self.reply().await? {
                Reply::Change(_) if changes.len() >= CHANGES_MAX => {
                    return Err(io::Error::other("it changes too much"));
                }
                Reply::Change(change) => changes.push(change),
                Reply::Other(_) | Reply::Progress => {}
                Reply::Accept => return Ok((Answer::Continue, changes)),
                reply => return Ok((answer_of(reply), changes)),
            }
        }
    }

    /// Everything before the end of the message.
    async fn hear_out(&mut self, fields: &[(&[u8], &[u8])], body: &[u8]) -> io::Result<Answer> {
        let answer = self.step(Step::Data, &[], &[]).await?;
        if answer != Answer::Continue {
            return Ok(answer);
        }
        for (name, value) in fields {
            let lines = lines(value, self.protocol.keeps_leading_space());
            let answer = self.step(Step::Header, &[], &[name, b"\0", &lines, b"\0"]).await?;
            if answer != Answer::Continue {
                return Ok(answer);
            }
        }
        let answer = self.step(Step::EndOfHeaders, &[], &[]).await?;
        if answer != Answer::Continue {
            return Ok(answer);
        }
        for chunk in body.chunks(CHUNK_OCTETS) {
            if !self.protocol.wants(Step::Body) || self.is_done_with_message {
                break;
            }
            let mut packet = Vec::with_capacity(chunk.len().saturating_add(5));
            write(&mut packet, Step::Body.command(), &[chunk]);
            self.send(&packet).await?;
            if !self.protocol.answers(Step::Body) {
                continue;
            }
            match self.next_reply().await? {
                Reply::Continue => {}
                Reply::Skip => break,
                Reply::Accept => self.is_done_with_message = true,
                reply => return Ok(answer_of(reply)),
            }
        }
        Ok(Answer::Continue)
    }

    async fn step(
        &mut self,
        step: Step,
        macros: &[(&str, &str)],
        parts: &[&[u8]],
    ) -> io::Result<Answer> {
        if self.is_done || self.is_done_with_message || !self.protocol.wants(step) {
            return Ok(Answer::Continue);
        }
        let mut packet = Vec::new();
        if !macros.is_empty() {
            write_macros(&mut packet, step, macros);
        }
        write(&mut packet, step.command(), parts);
        self.send(&packet).await?;
        if !self.protocol.answers(step) {
            return Ok(Answer::Continue);
        }
        let reply = self.next_reply().await?;
        if reply == Reply::Accept {
            match step {
                Step::Connect | Step::Helo => self.is_done = true,
                _ => self.is_done_with_message = true,
            }
            return Ok(Answer::Continue);
        }
        Ok(answer_of(reply))
    }

    /// The next reply that is more than a sign of life.
    async fn next_reply(&mut self) -> io::Result<Reply> {
        loop {
            match self.reply().await? {
                Reply::Progress => {}
                reply => return Ok(reply),
            }
        }
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        let (command, data) = self.read().await?;
        read_reply(command, &data).ok_or_else(|| io::Error::other("its reply is malformed"))
    }

    async fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        let sending = async {
            self.connection.write_all(packet).await?;
            self.connection.flush().await
        };
        tokio::time::timeout(self.timeout, sending).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    async fn read(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let reading = async {
            let octets = usize::try_from(self.connection.read_u32().await?).unwrap_or(usize::MAX);
            if octets == 0 || octets > PACKET_OCTETS_MAX {
                return Err(io::Error::other("its packet has a bad length"));
            }
            let command = self.connection.read_u8().await?;
            let mut data = vec![0; octets.saturating_sub(1)];
            self.connection.read_exact(&mut data).await?;
            Ok((command, data))
        };
        tokio::time::timeout(self.timeout, reading).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

fn answer_of(reply: Reply) -> Answer {
    match reply {
        Reply::Reject => Answer::Reject,
        Reply::TempFail => Answer::TempFail,
        Reply::Discard => Answer::Discard,
        Reply::Code(text) => Answer::Code(text),
        Reply::Shutdown => Answer::Shutdown,
        Reply::Continue
        | Reply::Accept
        | Reply::Skip
        | Reply::Progress
        | Reply::Change(_)
        | Reply::Other(_) => Answer::Continue,
    }
}

/// A raw value as milters get it: lines joined by LF, without the end of the last one.
fn lines(value: &[u8], keeps_leading_space: bool) -> Vec<u8> {
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    let mut lines: Vec<u8> =
        value.iter().copied().filter(|octet| !matches!(octet, b'\r' | 0)).collect();
    if !keeps_leading_space && lines.first() == Some(&b' ') {
        lines.remove(0);
    }
    lines
}
