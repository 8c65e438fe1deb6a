//! THREAD and UID THREAD (RFC 5256 §3).

use super::scan::{Matches, Scan};
use super::tree::{Member, Threader};
use crate::codec::imap::thread::{Algorithm, Place, Thread, ThreadsWritten};
use crate::codec::mime::sort_subject::base_subject;
use crate::imap::reply::{Outcome, Reply};
use crate::imap::selected::Selected;
use crate::imap::session::Session;
use crate::mailstore::fetch::Fields;
use crate::model::error::Result;
use crate::model::uid::UidSet;
use std::sync::Arc;

impl Session {
    /// THREAD.
    pub async fn thread(&mut self, tag: &str, thread: &Thread) -> Outcome {
        let (scan, view) = self.scan_of_selected(&thread.key).await?;
        let Some(opened) = &self.opened else { return Ok(Reply::ok("Threaded")) };
        let (known, limit) = self.within_limit(opened.selected.uids().clone());
        let numbers = (!thread.uid).then(|| opened.selected.clone());
        let algorithm = thread.algorithm;
        let progress = Arc::clone(&scan.progress);
        let places = self
            .attend(tag, &progress, async move {
                let matches = scan.run(&view, &known).await?;
                drop(view);
                let threader = gather(&scan, &matches, numbers.as_ref(), algorithm).await?;
                Ok(threader.finish(algorithm))
            })
            .await?;
        self.tell_threads(&places).await?;
        Ok(Reply { code: limit, ..Reply::ok("Threaded") })
    }

    async fn tell_threads(&mut self, places: &[Place]) -> Outcome<()> {
        let mut written = ThreadsWritten::default();
        self.writer().begin_thread();
        for place in places {
            self.writer().thread_place(&mut written, *place);
            self.stream.flush_if_full().await?;
        }
        self.writer().end_thread(&mut written);
        Ok(())
    }
}

/// Reads what threads are made of. `selected`: they are told by sequence number.
async fn gather(
    scan: &Scan,
    matches: &Matches,
    selected: Option<&Selected>,
    algorithm: Algorithm,
) -> Result<Threader> {
    let uids: &UidSet = &matches.uids;
    let mut numbers = selected.map(Selected::numbers);
    let mut threader = Threader::default();
    let fields = Fields { summary: true, ..Fields::default() };
    let mut messages = scan.mailstore.fetch(scan.owner, scan.mailbox, uids, fields).await?;
    loop {
        let batch = messages.next_batch().await?;
        if batch.is_empty() {
            return Ok(threader);
        }
        for message in batch {
            let uid = message.row.uid;
            let number = numbers.as_mut().map_or(Some(uid), |numbers| numbers.of(uid));
            let Some(number) = number else { continue };
            let base = base_subject(&message.summary.subject);
            let member = Member {
                number,
                // RFC 5256 §3: without a sent date it is INTERNALDATE
                sent: message.summary.date_ms.unwrap_or(message.row.internal_date),
                internal_date: message.row.internal_date,
                subject: &scan.collation.key(&base.text),
                is_reply: base.is_reply,
                message_id: &message.summary.message_id,
                references: message.summary.ancestors(),
            };
            threader.add(&member, algorithm);
        }
        tokio::task::yield_now().await;
    }
}
