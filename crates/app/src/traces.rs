//! Traces by OTLP, where they are asked for: the span of a request, of each attempt of the task it made, and of
//! their commits, all in the trace that the request belongs to.
//!
//! What leaves is made of words of ours, ids and numbers; log lines never go along. A buffer of bounded size is
//! emptied by a thread of its own: when the collector cannot keep up, spans are dropped and nothing waits.

use crate::metrics::Answered;
use crate::settings::Telemetry;
use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use caretrack_domain::{RequestId, Task, TraceParent};
use caretrack_ports::{Tracer, Untraced};
use opentelemetry::trace::{
    SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanProcessor,
};
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::registry::LookupSpan;

/// Spans that wait to be sent; more are dropped.
const BUFFER: usize = 8_192;
const SEND_EVERY: Duration = Duration::from_secs(1);
/// For the collector to take what it is sent.
const PATIENCE: Duration = Duration::from_secs(10);
/// For the last spans, when the server stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// The way to the collector.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// None, unless there is an address to send them to.
    pub fn open(telemetry: &Telemetry, instance: uuid::Uuid) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = telemetry.traces_endpoint()? else {
            return Ok(None);
        };
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OurClient {
                client,
                runtime: Handle::current(),
            })
            .with_endpoint(endpoint)
            .build()
            .context("the setting `telemetry.otlp_endpoint` leads nowhere")?;
        let buffer = BatchConfigBuilder::default()
            .with_max_queue_size(BUFFER)
            .with_scheduled_delay(SEND_EVERY)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(buffer);
        let resource = Resource::builder_empty().with_attributes([
            KeyValue::new("service.name", "caretrack"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", instance.to_string()),
        ]);
        let sampler = Sampler::TraceIdRatioBased(telemetry.sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(OnlyOurs(processor.build()))
            .with_max_events_per_span(0)
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .with_resource(resource.build());
        Ok(Some(Self(provider.build())))
    }

    /// What has to be enabled whatever the level of the log: the spans that this module makes.
    pub fn needed() -> anyhow::Result<Directive> {
        Ok(format!("{OURS}=info").parse()?)
    }

    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("caretrack"))
            .with_location(false)
            .with_threads(false)
            // To tell ours by.
            .with_target(true)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_error_events_to_status(false)
            .with_error_events_to_exceptions(false)
            .with_error_fields_to_exceptions(false)
            .with_error_records_to_exceptions(false)
    }

    /// Sends what is left, as far as the collector takes it.
    pub async fn end(self) {
        let ending = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FAREWELL));
        let ended = ending.await.map_err(|error| anyhow!(error));
        if let Err(error) = ended.and_then(|ended| Ok(ended?)) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// The target of the spans that are made here, and of no others.
const OURS: &str = module_path!();

/// Lets no library's span out.
#[derive(Debug)]
struct OnlyOurs(BatchSpanProcessor);

impl SpanProcessor for OnlyOurs {
    fn on_start(&self, span: &mut opentelemetry_sdk::trace::Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        let target = |pair: &KeyValue| pair.key.as_str() == "target";
        let is_ours = |pair: &KeyValue| target(pair) && pair.value.as_str() == OURS;
        if span.attributes.iter().any(is_ours) {
            span.attributes.retain(|pair| !target(pair));
            self.0.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// The exporter has a thread of its own, and our HTTP client wants a runtime.
#[derive(Debug)]
struct OurClient {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for OurClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, request) = (self.client.clone(), request.try_into()?);
        let sending = self.runtime.spawn(async move {
            let response = client.execute(request).await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        });
        let (status, body) = sending.await??;
        Ok(Response::builder().status(status).body(body)?)
    }
}

/// The spans of requests and tasks: those that lines are logged in, and that leave where they are traced.
#[derive(Debug, Clone, Copy)]
pub struct Spans {
    pub traced: bool,
}

impl Spans {
    /// Of a request that may continue a trace; and what its task shall continue.
    pub fn request(self, id: &RequestId, given: Option<TraceParent>) -> (Span, Option<TraceParent>) {
        if !self.traced {
            return (tracing::info_span!("request", request.id = id.as_str()), given);
        }
        let span = tracing::info_span!("request", otel.kind = "server", request.id = id.as_str());
        if let Some(given) = given {
            continue_from(&span, given);
        }
        let own = span.context();
        let own = own.span().span_context().clone();
        let own = own.is_valid().then(|| TraceParent {
            trace_id: own.trace_id().to_bytes(),
            span_id: own.span_id().to_bytes(),
            sampled: own.is_sampled(),
        });
        (span, own)
    }

    pub fn answered(self, span: &Span, what: &Answered<'_>) {
        if !self.traced {
            return;
        }
        let Answered {
            dialect,
            method,
            route,
            status,
            ..
        } = *what;
        span.context().span().update_name(format!("{method} {route}"));
        span.set_attribute("caretrack.dialect", dialect.to_owned());
        span.set_attribute("http.request.method", method.to_owned());
        span.set_attribute("http.route", route.to_owned());
        span.set_attribute("http.response.status_code", i64::from(status));
        if status >= 500 {
            span.set_status(Status::error(""));
        }
    }
}

impl Tracer for Spans {
    fn attempt(&self, task: &Task) -> Span {
        if !self.traced {
            return Untraced.attempt(task);
        }
        let facts = task.facts();
        let request_id = facts.request_id.as_str();
        let span =
            tracing::info_span!("task", otel.kind = "consumer", task.id = %facts.id, request.id = request_id);
        if let Some(parent) = facts.trace {
            continue_from(&span, parent);
        }
        let kind: &str = facts.kind.into();
        span.set_attribute("task.kind", kind);
        let attempt = i64::try_from(task.attempts().len()).unwrap_or(i64::MAX);
        span.set_attribute("task.attempt", attempt);
        span
    }

    fn commit(&self) -> Span {
        if self.traced {
            tracing::info_span!("commit")
        } else {
            Span::none()
        }
    }
}

fn continue_from(span: &Span, parent: TraceParent) {
    let flags = if parent.sampled {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::NOT_SAMPLED
    };
    let parent = SpanContext::new(
        TraceId::from_bytes(parent.trace_id),
        SpanId::from_bytes(parent.span_id),
        flags,
        true,
        TraceState::NONE,
    );
    if let Err(error) = span.set_parent(Context::new().with_remote_span_context(parent)) {
        tracing::debug!(%error, "a trace is not continued");
    }
}
