//! The figures of this process, in Prometheus' text format.
//!
//! Every label has a small, known set of values: kinds, states, route templates. Nothing of what is stored, of who
//! asks, or of what was in a request is ever one.

use caretrack_domain::{Instant, TaskKind};
use caretrack_ports::{Backlog, Ending, Observed, Observer};
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};
use std::time::Duration;
use strum::IntoEnumIterator;

const SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
const JOBS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    pub connections: IntGauge,
    accepted: IntCounterVec,
    ended: IntCounterVec,
    retries: IntCounterVec,
    leases_lost: IntCounterVec,
    leases_expired: IntCounterVec,
    batch_jobs: Histogram,
    batch_seconds: Histogram,
    tasks: IntGaugeVec,
    oldest: GaugeVec,
    memory: IntGauge,
    threads: IntGauge,
}

/// A request that was answered; its labels are templates and classes, never what was sent.
pub struct Answered<'a> {
    pub dialect: &'a str,
    pub method: &'a str,
    pub route: &'a str,
    pub status: u16,
    pub took: Duration,
}

impl Metrics {
    pub fn new(started_at: Instant) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone())).map(|()| counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone())).map(|()| gauge)
        };
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
            registry.register(Box::new(histogram.clone())).map(|()| histogram)
        };
        let request_seconds = HistogramVec::new(
            HistogramOpts::new(
                "caretrack_http_request_duration_seconds",
                "Time from a request's head to the head of its answer",
            )
            .buckets(SECONDS.to_vec()),
            &["dialect", "method", "route"],
        )?;
        registry.register(Box::new(request_seconds.clone()))?;
        let tasks = IntGaugeVec::new(
            Opts::new("caretrack_tasks", "Tasks that have not ended, of all workspaces"),
            &["kind", "state"],
        )?;
        registry.register(Box::new(tasks.clone()))?;
        let oldest = GaugeVec::new(
            Opts::new(
                "caretrack_queue_oldest_ready_seconds",
                "How long the oldest task that could start has been waiting",
            ),
            &["kind"],
        )?;
        registry.register(Box::new(oldest.clone()))?;
        let build = IntGaugeVec::new(
            Opts::new("caretrack_build_info", "Which program this is"),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(build))?;
        let started = Gauge::new(
            "process_start_time_seconds",
            "Start of the process, since the epoch",
        )?;
        #[expect(clippy::cast_precision_loss, reason = "exact for some millions of years")]
        started.set(started_at.unix_timestamp() as f64);
        registry.register(Box::new(started))?;
        let metrics = Self {
            requests: counter(
                "caretrack_http_requests_total",
                "Requests answered",
                &["dialect", "method", "route", "status"],
            )?,
            request_seconds,
            connections: gauge("caretrack_http_connections", "Open connections")?,
            accepted: counter("caretrack_tasks_accepted_total", "Tasks accepted", &["kind"])?,
            ended: counter("caretrack_tasks_ended_total", "Tasks ended", &["kind", "outcome"])?,
            retries: counter(
                "caretrack_task_retries_total",
                "Attempts that broke, to be tried again",
                &["kind"],
            )?,
            leases_lost: counter(
                "caretrack_leases_lost_total",
                "Tasks that a worker here lost",
                &["kind"],
            )?,
            leases_expired: counter(
                "caretrack_leases_expired_total",
                "Tasks that were taken here from a silent worker",
                &["kind"],
            )?,
            batch_jobs: histogram(
                "caretrack_commit_batch_jobs",
                "Jobs that shared a transaction",
                &JOBS,
            )?,
            batch_seconds: histogram(
                "caretrack_commit_duration_seconds",
                "Time a transaction took",
                &SECONDS,
            )?,
            tasks,
            oldest,
            memory: gauge("process_resident_memory_bytes", "Memory in use")?,
            threads: gauge("process_threads", "Threads")?,
            registry,
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    /// What has not happened yet is there as well, so that the first time shows as a rise.
    fn begin_at_zero(&self) {
        for kind in TaskKind::iter().map(<&str>::from) {
            for counter in [
                &self.accepted,
                &self.retries,
                &self.leases_lost,
                &self.leases_expired,
            ] {
                counter.with_label_values(&[kind]);
            }
            for outcome in Ending::iter() {
                self.ended.with_label_values(&[kind, outcome.into()]);
            }
        }
    }

    pub fn answered(&self, what: &Answered<'_>) {
        let class = match what.status {
            100..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        let Answered {
            dialect,
            method,
            route,
            ..
        } = *what;
        self.requests
            .with_label_values(&[dialect, method, route, class])
            .inc();
        self.request_seconds
            .with_label_values(&[dialect, method, route])
            .observe(what.took.as_secs_f64());
    }

    /// What waits; without it, it is not known and not shown.
    pub fn set_backlog(&self, backlog: Option<&[Backlog]>) {
        self.tasks.reset();
        self.oldest.reset();
        for queue in backlog.unwrap_or_default() {
            let kind = queue.kind.into();
            for (state, count) in [
                ("queued", queue.queued),
                ("running", queue.running),
                ("held", queue.held),
                ("retry_scheduled", queue.retrying),
            ] {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                self.tasks.with_label_values(&[kind, state]).set(count);
            }
            let age = queue
                .oldest_ready
                .map_or(0.0, |age| age.as_seconds_f64().max(0.0));
            self.oldest.with_label_values(&[kind]).set(age);
        }
    }

    pub fn text(&self) -> String {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        self.memory.set(line(&status, "VmRSS:") * 1024);
        self.threads.set(line(&status, "Threads:"));
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the figures cannot be written");
        }
        String::from_utf8(text).unwrap_or_default()
    }
}

/// A number of `/proc/self/status`.
fn line(status: &str, name: &str) -> i64 {
    let found = status.lines().find_map(|line| line.strip_prefix(name));
    let number = found.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

impl Observer for Metrics {
    fn observe(&self, what: Observed) {
        let count = |counter: &IntCounterVec, kind: TaskKind| {
            let kind: &str = kind.into();
            counter.with_label_values(&[kind]).inc();
        };
        match what {
            Observed::TaskAccepted(kind) => count(&self.accepted, kind),
            Observed::TaskEnded(kind, how) => {
                let labels: [&str; 2] = [kind.into(), how.into()];
                self.ended.with_label_values(&labels).inc();
            }
            Observed::TaskRetried(kind) => count(&self.retries, kind),
            Observed::LeaseLost(kind) => count(&self.leases_lost, kind),
            Observed::LeaseExpired(kind) => count(&self.leases_expired, kind),
            Observed::Batch { jobs, took } => {
                #[expect(clippy::cast_precision_loss, reason = "at most some hundreds")]
                self.batch_jobs.observe(jobs as f64);
                self.batch_seconds.observe(took.as_secs_f64());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_counted_and_nothing_else() {
        let metrics = Metrics::new(Instant::UNIX_EPOCH).unwrap();
        let kind = TaskKind::RegistryWrite;
        metrics.observe(Observed::TaskAccepted(kind));
        metrics.observe(Observed::TaskEnded(kind, Ending::Refused));
        metrics.observe(Observed::Batch {
            jobs: 3,
            took: Duration::from_millis(2),
        });
        let text = metrics.text();
        for line in [
            "caretrack_tasks_accepted_total{kind=\"registry.write\"} 1",
            "caretrack_tasks_ended_total{kind=\"registry.write\",outcome=\"refused\"} 1",
            "caretrack_tasks_ended_total{kind=\"registry.write\",outcome=\"succeeded\"} 0",
            "caretrack_commit_batch_jobs_bucket{le=\"2\"} 0",
            "caretrack_commit_batch_jobs_bucket{le=\"4\"} 1",
            "caretrack_commit_duration_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
        let memory = text
            .lines()
            .find_map(|line| line.strip_prefix("process_resident_memory_bytes "))
            .and_then(|bytes| bytes.parse::<f64>().ok());
        assert!(memory.is_some_and(|bytes| bytes > 1e6), "{text}");
    }

    #[test]
    fn what_waits_is_shown_only_while_it_is_known() {
        let metrics = Metrics::new(Instant::UNIX_EPOCH).unwrap();
        let backlog = Backlog {
            queued: 7,
            oldest_ready: Some(time::Duration::SECOND),
            ..Backlog::of(TaskKind::RegistryWrite)
        };
        metrics.set_backlog(Some(&[backlog]));
        let text = metrics.text();
        assert!(text.contains("caretrack_tasks{kind=\"registry.write\",state=\"queued\"} 7"));
        assert!(text.contains("caretrack_queue_oldest_ready_seconds{kind=\"registry.write\"} 1"));
        metrics.set_backlog(None);
        assert!(!metrics.text().contains("caretrack_tasks{"));
    }
}
