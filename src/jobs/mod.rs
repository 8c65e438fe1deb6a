//! Periodic work: each job on one node at a time, in small steps, each of which may be repeated.
//!
//! A job is a name, a period and a function that says how much it did. Knows no protocol; whoever
//! has something to do now and then adds a row to `JOBS`.

mod webhooks;

use crate::cluster::lease::Leases;
use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::mailstore::Mailstore;
use crate::model::error::Result;
use crate::model::setting::Setting;
use crate::screening::Screening;
use crate::tasks::Tasks;
use futures_util::future::BoxFuture;
use std::time::Duration;

/// How long a job outlives the node that runs it.
const LEASE: Duration = Duration::from_secs(60);
/// The first run comes after so long.
const FIRST: Duration = Duration::from_secs(5);
/// Steps of one run; what is left waits for the next one.
const STEPS_MAX: usize = 200;
/// Deferred work done by one step.
const DEFERRED_MAX: usize = 16;

/// The handles jobs work with.
#[derive(Clone, Debug)]
pub struct Context {
    /// Mailboxes and messages.
    pub mailstore: Mailstore,
    /// Users.
    pub directory: Directory,
    /// Messages that arrive and leave.
    pub delivery: Delivery,
    /// Reports on mail from strangers.
    pub screening: Screening,
    /// Which node runs what.
    pub leases: Leases,
}

/// One kind of periodic work.
struct Job {
    name: &'static str,
    period: Duration,
    /// Does a step; says how many things it did, 0: there is nothing left.
    step: fn(&Context) -> BoxFuture<'_, Result<u64>>,
}

/// The table.
const JOBS: &[Job] = &[
    Job { name: "local-mail", period: Duration::from_secs(10), step: deliver_due },
    Job { name: "audit-import", period: Duration::from_secs(5), step: import_audits },
    Job { name: "audit-expiry", period: Duration::from_secs(300), step: expire_audits },
    Job { name: "deferred", period: Duration::from_secs(10), step: run_deferred },
    Job { name: "expire", period: Duration::from_secs(60), step: expire },
    Job { name: "purge-archive", period: Duration::from_secs(600), step: purge_archive },
    Job { name: "garbage", period: Duration::from_secs(900), step: collect_garbage },
    Job { name: "dmarc-reports", period: Duration::from_secs(3600), step: send_report },
    Job { name: "dmarc-failures", period: Duration::from_secs(60), step: send_failure },
    Job { name: "acme", period: Duration::from_secs(10), step: renew_certificate },
    Job { name: "purge-users", period: Duration::from_secs(60), step: purge_users },
];

fn deliver_due(ctx: &Context) -> BoxFuture<'_, Result<u64>> {
    Box::pin(async {
        let done = Box::pin(ctx.delivery.deliver_due()).await?;
        Ok(u64::try_from(done).unwrap_or(u64::MAX))
    })
}

fn import_audits(ctx: &Context) -> BoxFuture<'_, Result<u64>> {
    Box::pin(async { Ok(u64::from(Box::pin(ctx.delivery.import_audit()).await?)) })
}

fn expire_audits(ctx: &Context) -> BoxFuture<'_, Result<u64>> {
    Box::pin(ctx.delivery.expire_audits())
}

fn run_deferred(ctx: &Context) -> BoxFuture<'_, Result<u64>> {
    Box::pin(async {
        let done = ctx.mailstore.run_deferred(DEFERRED_MAX).await?;
        Ok(u64::try_from(done).unwrap_or(u64::MAX))
    })
}

fn expire(ctx: &Context) -> BoxFuture<'_, Result<u64>> {
    Box::pin(ctx.mailstore.expire_some())
}

fn purge_archive(ctx: &Context) -> BoxFuture<'_, Result<u64>> {
    Box::pin(async {
        let kept_ms = ctx.directory.find_number(Setting::ArchiveTime).await?;
        ctx.mailstore.purge_some(kept_ms).await
    })
}

fn collect_garbage(ctx: &Context) -> BoxFuture<'_, Result<u64>> {
    Box::pin(ctx.mailstore.collect_garbage())
}

fn renew_certificate(ctx: &Context) -> BoxFuture<'_, Result<u64>> {
    Box::pin(async { Box::pin(ctx.directory.renew_certificate()).await })
}

fn purge_users(ctx: &Context) -> BoxFuture<'_, Result<u64>> {
    Box::pin(async { ctx.directory.finish_purges().await.map(|()| 0) })
}

fn send_report(ctx: &Context) -> BoxFuture<'_, Result<u64>> {
    Box::pin(async {
        let Some(report) = ctx.screening.next_report().await? else { return Ok(0) };
        if !report.to.is_empty() {
            ctx.delivery.send_report(report.content.clone().into(), &report.to).await?;
        }
        ctx.screening.finish_report(&report).await?;
        Ok(1)
    })
}

fn send_failure(ctx: &Context) -> BoxFuture<'_, Result<u64>> {
    Box::pin(async {
        let Some((report, to)) = ctx.screening.next_failure().await? else { return Ok(0) };
        if let Some(to) = &to {
            let to = std::slice::from_ref(to);
            ctx.delivery.send_report(report.content.clone().into(), to).await?;
        }
        ctx.screening.finish_failure(&report, to.is_none()).await?;
        Ok(1)
    })
}

/// Starts all jobs of a node; they end when the tasks stop.
pub fn start(ctx: &Context, tasks: &Tasks) {
    webhooks::start(&ctx.directory, tasks);
    for job in JOBS {
        let (ctx, stopping) = (ctx.clone(), tasks.stopping());
        tasks.spawn("job", async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = repeat(&ctx, job) => {}
            }
        });
    }
}

/// Runs a job again and again, for ever. Nodes that start together do not run together. The first
/// run comes soon: it makes good what was left when the store stopped.
async fn repeat(ctx: &Context, job: &Job) {
    let mut period = job.period.min(FIRST);
    loop {
        let share = rand::random_range(0.5..1.5);
        tokio::time::sleep(period.mul_f64(share)).await;
        period = job.period;
        let started = tokio::time::Instant::now();
        let outcome = match run(ctx, job).await {
            Ok(0) => "idle",
            Ok(done) => {
                tracing::info!(job = job.name, done, "a job has run");
                metrics::counter!("eider_job_items_total", "job" => job.name).increment(done);
                "done"
            }
            Err(error) => {
                tracing::warn!(job = job.name, %error, "a job is tried again later");
                "failed"
            }
        };
        metrics::counter!("eider_job_runs_total", "job" => job.name, "outcome" => outcome)
            .increment(1);
        metrics::histogram!("eider_job_seconds", "job" => job.name)
            .record(started.elapsed().as_secs_f64());
    }
}

/// Runs a job until there is nothing left, unless another node does.
async fn run(ctx: &Context, job: &Job) -> Result<u64> {
    let name = format!("job:{}", job.name);
    let Some(lease) = ctx.leases.acquire(&name, LEASE).await? else { return Ok(0) };
    let mut done = 0;
    for _ in 0..STEPS_MAX {
        match (job.step)(ctx).await? {
            0 => break,
            more => done += more,
        }
        if !lease.confirm().await? {
            break;
        }
    }
    lease.release().await;
    Ok(done)
}
