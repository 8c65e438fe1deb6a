//! From the queue to next hops: entries are claimed in batches of one next hop, grouped into
//! transactions, sent over one connection, and settled.
//!
//! A node has so many connections in all and to each next hop; a slow one holds its own share only.
//! When the node stops, what is being sent is finished, and what was claimed and not begun is given
//! back.

use super::connection::Connection;
use super::content;
use super::hops::Went;
use super::problem::Problem;
use super::reach::reach;
use super::route::{self, Hop};
use super::settings::Pool;
use super::tls_policy::Wish;
use super::transmit::{Answer, Message, transmit};
use super::{Context, pools, post};
use crate::codec::smtp::enhanced_status::EnhancedStatus;
use crate::delivery::settle::{Fate, Tried};
use crate::model::error::Result;
use crate::model::queue::{Entry, Reason};
use crate::queue::claim::LEASE_MS;
use crate::tasks::Tasks;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Entries claimed at once.
const BATCH_MAX: usize = 100;
/// How often a node without work looks: other nodes enqueue too, and entries become due.
const PAUSE: Duration = Duration::from_secs(1);
/// A batch that takes longer makes room for others, at a next hop that is slow.
const TURN: Duration = Duration::from_secs(10);
/// Connections opened for one batch, when they break.
const CONNECTIONS_MAX: usize = 3;

/// Claims and sends until the node stops.
pub async fn run(ctx: Context, tasks: Tasks) {
    let places = Arc::new(Semaphore::new(ctx.settings.connections_max));
    let stopping = tasks.stopping();
    let mut last = String::new();
    while !stopping.is_cancelled() {
        let place = tokio::select! {
            () = stopping.cancelled() => return,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { return };
        let busy = ctx.hops.busy(Instant::now());
        let batch = match ctx.delivery.queue().claim_batch(&last, &busy, BATCH_MAX).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(%error, "the queue waits for the database");
                Vec::new()
            }
        };
        let Some(first) = batch.first() else {
            drop(place);
            tokio::select! {
                () = stopping.cancelled() => return,
                () = ctx.delivery.queue().rung() => {}
                () = ctx.hops.freed() => {}
                () = tokio::time::sleep(PAUSE.mul_f64(rand::random_range(0.7..1.3))) => {}
            }
            continue;
        };
        last.clone_from(&first.domain);
        let (ctx, domain) = (ctx.clone(), last.clone());
        ctx.hops.enter(&domain, Instant::now());
        let leaving = Leaving { ctx: ctx.clone(), domain, went: Went::Badly };
        tasks.spawn("mta", async move {
            let (_place, mut leaving) = (place, leaving);
            leaving.went = carry(&ctx, batch).await;
        });
    }
}

/// Ends a connection's account, however its task ends.
struct Leaving {
    ctx: Context,
    domain: String,
    went: Went,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.ctx.hops.leave(&self.domain, self.went, Instant::now());
    }
}

/// Carries claimed entries, and keeps their leases as long as it takes.
async fn carry(ctx: &Context, batch: Vec<Entry>) -> Went {
    let leased = batch.clone();
    tokio::select! {
        went = Box::pin(send_batch(ctx, batch)) => went,
        () = keep_leases(ctx, &leased) => Went::Badly,
    }
}

/// Prolongs for ever; of entries that are settled there is nothing to prolong.
async fn keep_leases(ctx: &Context, entries: &[Entry]) {
    let period = Duration::from_millis(u64::try_from(LEASE_MS / 3).unwrap_or(60_000));
    loop {
        tokio::time::sleep(period).await;
        for entry in entries {
            if let Err(error) = ctx.delivery.queue().prolong(entry).await {
                tracing::warn!(queue.id = %entry.queue_id, %error, "a lease was not prolonged");
            }
        }
    }
}

/// Where entries go, how, and where from.
struct Way<'a> {
    hop: Hop,
    wish: Wish,
    pool: Option<&'a Pool>,
}

/// Sends the entries of each way; usually there is one.
async fn send_batch(ctx: &Context, batch: Vec<Entry>) -> Went {
    let tags = match pools::tags(ctx, &batch).await {
        Ok(tags) => tags,
        Err(error) => {
            let problem = Problem::temporary((4, 3, 0), format!("the senders: {error}"));
            settle_all(ctx, VecDeque::from([batch]), &problem).await;
            return Went::Badly;
        }
    };
    let mut ways: Vec<(Way<'_>, Vec<Entry>)> = Vec::new();
    let mut unroutable = Vec::new();
    for entry in batch {
        let hop = match route::hop(&ctx.settings, &entry) {
            Ok(hop) => hop,
            Err(problem) => {
                unroutable.push(of_problem(entry, &problem));
                continue;
            }
        };
        let (wish, pool) =
            (Wish::of(&entry.options), pools::find(&ctx.settings.pools, &entry, &tags));
        let is_same = |way: &Way<'_>| way.hop == hop && way.wish == wish && way.pool == pool;
        match ways.iter_mut().find(|(way, _)| is_same(way)) {
            Some((_, entries)) => entries.push(entry),
            None => ways.push((Way { hop, wish, pool }, vec![entry])),
        }
    }
    ctx.delivery.settle(unroutable).await;
    let mut went = Went::Well;
    for (way, entries) in ways {
        let messages = grouped(entries);
        let outcome = match &way.hop {
            Hop::Url(url) => post_all(ctx, url, messages).await,
            Hop::Domain(_) | Hop::Server(_) => send_all(ctx, &way, messages).await,
        };
        if outcome == Went::Badly {
            went = outcome;
        }
    }
    went
}

/// Entries that can share a transaction: the same octets from the same sender with the same wishes.
fn grouped(entries: Vec<Entry>) -> VecDeque<Vec<Entry>> {
    let mut messages: VecDeque<Vec<Entry>> = VecDeque::new();
    for entry in entries {
        let is_same = |first: &Entry| {
            first.queue_id == entry.queue_id
                && first.content == entry.content
                && first.prefix == entry.prefix
                && first.sender == entry.sender
                && first.options == entry.options
        };
        match messages.iter_mut().find(|message| message.first().is_some_and(is_same)) {
            Some(message) => message.push(entry),
            None => messages.push_back(vec![entry]),
        }
    }
    messages
}

/// Sends messages over a connection, or another one where it breaks.
async fn send_all(ctx: &Context, way: &Way<'_>, mut messages: VecDeque<Vec<Entry>>) -> Went {
    let mut connection: Option<Connection> = None;
    let (mut opened, started) = (0, Instant::now());
    let mut is_first = true;
    while let Some(message) = messages.pop_front() {
        let is_over = !std::mem::take(&mut is_first) && started.elapsed() > TURN;
        if ctx.stopping.is_cancelled() || is_over {
            messages.push_front(message);
            give_back(ctx, &messages).await;
            break;
        }
        let mut open = match connection.take() {
            Some(open) => open,
            None => match Box::pin(reach(ctx, &way.hop, way.wish, way.pool)).await {
                Ok(open) => open,
                Err(problem) => {
                    messages.push_front(message);
                    settle_all(ctx, messages, &problem).await;
                    return if problem.is_permanent { Went::Well } else { Went::Badly };
                }
            },
        };
        let fatal = send_one(ctx, &mut open, message).await;
        let Some(problem) = fatal else {
            connection = Some(open);
            continue;
        };
        opened += 1;
        if opened >= CONNECTIONS_MAX || problem.is_reply {
            settle_all(ctx, messages, &problem.passing()).await;
            return Went::Badly;
        }
    }
    if let Some(open) = connection {
        open.quit().await;
    }
    Went::Well
}

/// Sends one message and settles it; the problem if the connection is of no more use.
async fn send_one(
    ctx: &Context,
    connection: &mut Connection,
    message: Vec<Entry>,
) -> Option<Problem> {
    let first = message.first()?;
    let content = match content::load(ctx, first).await {
        Ok(content) => content,
        Err(problem) => {
            settle_all(ctx, VecDeque::from([message]), &problem).await;
            return None;
        }
    };
    let sender = match sender_of(ctx, first).await {
        Ok(sender) => sender,
        Err(error) => {
            let problem = Problem::temporary((4, 3, 0), format!("the sender: {error}"));
            settle_all(ctx, VecDeque::from([message]), &problem).await;
            return None;
        }
    };
    let about = Message {
        sender: &sender,
        options: &first.options,
        content: &content,
        recipients: &message,
    };
    let started = Instant::now();
    let answers = transmit(connection, &about).await;
    metrics::histogram!("eider_mta_transaction_seconds").record(started.elapsed().as_secs_f64());
    let fatal = answers
        .iter()
        .find_map(|answer| answer.as_ref().err().filter(|problem| problem.is_fatal).cloned());
    let tries = message
        .into_iter()
        .zip(answers)
        .map(|(entry, answer)| of_answer(entry, answer, connection));
    ctx.delivery.settle(tries.collect()).await;
    fatal.map(|problem| problem.at(&connection.host, Some(connection.peer())))
}

/// The reverse-path: of forwarded mail it is rewritten into our name.
async fn sender_of(ctx: &Context, entry: &Entry) -> Result<String> {
    let rewritten = match entry.reason {
        Reason::Forward if !entry.sender.is_empty() => {
            ctx.directory.rewrite_sender(&entry.sender, &ctx.hostname).await?
        }
        _ => None,
    };
    Ok(rewritten.unwrap_or_else(|| entry.sender.clone()))
}

/// Posts messages, one recipient after the other.
async fn post_all(ctx: &Context, url: &str, messages: VecDeque<Vec<Entry>>) -> Went {
    let mut went = Went::Well;
    for entry in messages.into_iter().flatten() {
        let posted = match content::load(ctx, &entry).await {
            Ok(content) => post::post(&ctx.http, url, &content).await,
            Err(problem) => Err(problem),
        };
        let tried = match posted {
            Ok(reply) => Tried {
                fate: Fate::Relayed,
                host: entry.domain.clone(),
                peer: None,
                tls: None,
                reply,
                is_reply: false,
                status: EnhancedStatus::new(2, 0, 0),
                entry,
            },
            Err(problem) => {
                went = if problem.is_permanent { went } else { Went::Badly };
                let domain = entry.domain.clone();
                of_problem(entry, &problem.at(&domain, None))
            }
        };
        ctx.delivery.settle(vec![tried]).await;
    }
    went
}

async fn give_back(ctx: &Context, messages: &VecDeque<Vec<Entry>>) {
    let entries: Vec<&Entry> = messages.iter().flatten().collect();
    if let Err(error) = ctx.delivery.queue().release(&entries).await {
        tracing::warn!(%error, "entries are left to their leases");
    }
}

async fn settle_all(ctx: &Context, messages: VecDeque<Vec<Entry>>, problem: &Problem) {
    let entries = messages.into_iter().flatten();
    ctx.delivery.settle(entries.map(|entry| of_problem(entry, problem)).collect()).await;
}

fn of_problem(entry: Entry, problem: &Problem) -> Tried {
    Tried {
        entry,
        fate: if problem.is_permanent { Fate::Failed } else { Fate::Deferred },
        host: problem.host.clone(),
        peer: problem.peer,
        tls: None,
        reply: problem.words.clone(),
        is_reply: problem.is_reply,
        status: problem.status,
    }
}

fn of_answer(entry: Entry, answer: Answer, connection: &Connection) -> Tried {
    let (host, peer, tls) = (connection.host.clone(), connection.peer(), connection.tls());
    match answer {
        Ok(reply) => Tried {
            entry,
            // RFC 3461 §5.2.2: a server without DSN will not report
            fate: if connection.extensions.has_dsn { Fate::PassedOn } else { Fate::Relayed },
            host,
            peer: Some(peer),
            tls,
            reply: reply.to_string(),
            is_reply: true,
            status: reply.status_or_class(),
        },
        Err(problem) => Tried { tls, ..of_problem(entry, &problem.at(&host, Some(peer))) },
    }
}
