//! Logging: text for a terminal, JSON for a collector, on standard error; and traces where they are asked for.
//!
//! Every line of a request or a task carries its id, from the span it is written in. Bodies, secrets and
//! personal data are never logged.

use crate::settings::{Log, LogFormat};
use crate::traces::Traces;
use anyhow::Context;
use std::io::IsTerminal;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

/// Libraries that tell, at lower levels, what must not be told, whatever `log.level` asks for: the database's password
/// (spans of `sea_orm`), pieces of malformed requests (`actix_http`).
const DISCREET: [&str; 2] = ["sea_orm=error", "actix_http=error"];

pub fn start(log: &Log, traces: Option<&Traces>) -> anyhow::Result<()> {
    let mut filter = EnvFilter::builder().parse(&log.level).context("log.level")?;
    for directive in DISCREET {
        filter = filter.add_directive(directive.parse()?);
    }
    // One filter for all: filters of single layers lose spans where a library asks whether a level is enabled,
    // and then says nothing.
    let started = match traces {
        None => registry().with(filter).with(lines(log)).try_init(),
        Some(traces) => registry()
            .with(filter.add_directive(Traces::needed()?))
            .with(lines(log))
            .with(traces.layer())
            .try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}

fn lines<S>(log: &Log) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let as_text = match log.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    if as_text {
        lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .boxed()
    } else {
        lines.json().flatten_event(true).with_span_list(false).boxed()
    }
}
