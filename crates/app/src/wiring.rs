//! From settings to a running server, read from top to bottom.

use crate::http::{self, Api};
use crate::metrics::Metrics;
use crate::outgoing::HttpSender;
use crate::settings::{self, Jwt, Role, Server, Settings, SettingsError, Webhooks};
use crate::system::{self, SystemClock, SystemIds};
use crate::traces::{Spans, Traces};
use crate::{bootstrap, telemetry};
use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use anyhow::{Context, bail};
use caretrack_adapters_auth::{Argon2Hasher, JwtVerifier, KeySet, KeySource, Refresh};
use caretrack_adapters_memory::MemoryStore;
use caretrack_adapters_seaorm::{SeaOptions, SeaStore};
use caretrack_application::{Application, Verifiers, Worker, WorkerSettings};
use caretrack_ports::{
    Clock, ExternalMatchEngine, IdGenerator, MatchEngine, NoMatchEngine, Observer, Store, TaskQueue,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};

/// The address of the store that keeps nothing.
const MEMORY: &str = "memory:";
/// How often silent workers are looked for; a share of what a takeover may take.
const REAP_EVERY: Duration = Duration::from_millis(250);
/// Open files that are no clients' connections.
const OTHER_FILES: usize = 256;
/// What is left of the grace time for giving leases back and closing connections.
const FAREWELL: Duration = Duration::from_secs(3);

/// How often refusals that were only counted are noted.
const COUNT_EVERY: Duration = Duration::from_mins(1);

/// Runs until told to stop, then stops within the grace time.
pub async fn serve(mut settings: Settings) -> anyhow::Result<()> {
    let ids: Arc<dyn IdGenerator> = Arc::new(SystemIds);
    let traces = Traces::open(&settings.telemetry, ids.id())?;
    telemetry::start(&settings.log, traces.as_ref())?;
    let spans = Spans {
        traced: traces.is_some(),
    };
    fit_connections(&mut settings.limits.connections);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = Arc::new(Metrics::new(clock.now())?);
    let (store, queue) = open(&settings, Arc::clone(&metrics) as _).await?;
    let rules = rules(&settings)?;
    let verifiers = verifiers(&settings.auth.jwt).await?;
    let application = Application::new(store, queue, clock, Arc::clone(&ids), verifiers, rules);
    let application = application.matched_by(engine(settings.matching.engine));
    let application = application.observed_by(Arc::clone(&metrics) as _);
    let application = Arc::new(application.traced_by(Arc::new(spans)));
    application.start_clock().await?;
    if settings.clock.mode == settings::ClockMode::Manual {
        tracing::warn!("the clock can be moved: for tests only");
        let application = Arc::clone(&application);
        tokio::spawn(async move { application.follow_clock().await });
    }
    bootstrap::ensure_administrator(&application, &settings.auth.bootstrap_key_file).await?;

    let does = |role| settings.server.role == Role::All || settings.server.role == role;
    let grace = settings.server.grace;
    let (stop, stopping) = watch::channel(false);
    let Webhooks {
        timeout,
        allow_private,
        ..
    } = settings.webhooks;
    let sender = Arc::new(HttpSender::new(timeout, allow_private).context("no HTTP client for webhooks")?);
    let mut worker = does(Role::Worker).then(|| {
        let worker = Worker::new(Arc::clone(&application), worker_settings(&settings)).sending(sender);
        tokio::spawn(Arc::new(worker).run(stopping))
    });
    let counting = tokio::spawn(count_refusals(Arc::clone(&application)));
    if does(Role::Api) {
        let application = Arc::clone(&application);
        tokio::spawn(async move { application.watch_queue_depth().await });
    }
    let api = Api::new(
        Arc::clone(&application),
        settings.limits.clone(),
        ids,
        metrics,
        spans,
    );
    let api = Data::new(api.behind(settings.trusted_proxies()?));
    let servers = listen(&settings, &api)?;

    tokio::select! {
        told = told_to_stop() => told?,
        // Only a bug ends it before it is told to; without it nothing that was accepted would be done.
        _ = ended(&mut worker) => bail!("the worker has ended by itself"),
    }
    tracing::info!("stopping");
    api.begin_stop();
    stop.send_replace(true);
    let ending = async {
        for (handle, server) in servers.into_iter().rev() {
            handle.stop(true).await;
            server.await??;
        }
        if let Some(worker) = worker {
            worker.await?;
        }
        counting.abort();
        application.note_counted_refusals().await;
        if let Some(traces) = traces {
            traces.end().await;
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(grace, ending).await {
        Ok(ended) => ended,
        Err(_) => bail!("not everything had ended within {grace:?}"),
    }
}

type Listening = (ServerHandle, JoinHandle<std::io::Result<()>>);

/// For health and metrics first: it is closed last.
fn listen(settings: &Settings, api: &Data<Api>) -> anyhow::Result<Vec<Listening>> {
    let Server {
        listen,
        role,
        threads,
        grace,
        ..
    } = settings.server;
    let start = |routes, listen, threads, what| {
        let (server, addresses) = http::serve(api.clone(), routes, listen, threads, grace)
            .with_context(|| format!("cannot listen on {listen}"))?;
        for address in addresses {
            tracing::info!("{what} on http://{address}");
        }
        anyhow::Ok((server.handle(), tokio::spawn(server)))
    };
    let mut servers = Vec::new();
    if let Some(address) = settings.health_listen()? {
        servers.push(start(http::health_routes, address, 1, "health and metrics")?);
    }
    if role == Role::Worker {
        tracing::info!("carrying out tasks");
    } else {
        servers.push(start(http::routes, listen, threads, "listening")?);
    }
    Ok(servers)
}

fn engine(chosen: settings::MatchEngine) -> Arc<dyn MatchEngine> {
    match chosen {
        settings::MatchEngine::None => Arc::new(NoMatchEngine),
        settings::MatchEngine::External => Arc::new(ExternalMatchEngine),
    }
}

/// What the use cases go by.
fn rules(settings: &Settings) -> Result<caretrack_application::Settings, SettingsError> {
    Ok(caretrack_application::Settings {
        open_profiles: settings.registry.open_profiles,
        clock: settings.clock.mode.into(),
        retry: (&settings.tasks.retry).into(),
        retry_by_kind: settings.retry_by_kind()?,
        partner_key_workspaces: settings.partner_key_workspaces()?,
        requests: settings.limits.requests(),
        failed_logins: settings.limits.failed_logins(),
        noted_refusals: settings.limits.audited_refusals,
        passwords_at_once: (settings.server.threads / 2).max(1),
        queue_depth: Some(settings.limits.queue_depth).filter(|depth| *depth > 0),
        listeners: settings.limits.event_listeners,
        allow_private_webhooks: settings.webhooks.allow_private,
    })
}

/// No more connections than there can be open files: one that cannot be accepted is worse than one that waits.
fn fit_connections(connections: &mut usize) {
    let room = system::allow_open_files().saturating_sub(OTHER_FILES).max(1);
    if room < *connections {
        tracing::warn!("only {room} connections at once: the system allows no more open files");
        *connections = room;
    }
}

/// Brings the schema up to date, and nothing else.
pub async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    telemetry::start(&settings.log, None)?;
    if settings.database.url != MEMORY {
        SeaStore::migrate(&settings.database.url).await?;
    }
    Ok(())
}

/// The adapter that the address asks for.
async fn open(
    settings: &Settings,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<(Arc<dyn Store>, Arc<dyn TaskQueue>)> {
    let url = &settings.database.url;
    if url == MEMORY {
        let store = Arc::new(MemoryStore::default());
        return Ok((Arc::clone(&store) as _, store));
    }
    let options = SeaOptions {
        most_waiting: settings.limits.waiting,
        observer,
        ..SeaOptions::default()
    };
    let store = SeaStore::open(url, options).await?;
    Ok((Arc::clone(&store) as _, store))
}

/// What judges tokens and passwords. Tokens have an end by the system's clock, whatever business time it is.
async fn verifiers(jwt: &Jwt) -> anyhow::Result<Verifiers> {
    let keys = match jwt.key_source()? {
        Some(source) => Some(key_set(source, jwt).await?),
        None => None,
    };
    let secret = jwt.hs256_secret.expose().map(str::as_bytes);
    let judge = (secret.is_some() || keys.is_some())
        .then(|| Arc::new(JwtVerifier::new(secret, keys, Arc::new(SystemClock), jwt.leeway)) as _);
    Ok(Verifiers {
        tokens: judge,
        passwords: Arc::new(Argon2Hasher),
    })
}

/// A file that cannot be read is a mistake; a URL may be unreachable for now, and nothing waits for it.
async fn key_set(source: KeySource, jwt: &Jwt) -> anyhow::Result<Arc<KeySet>> {
    let refresh = Refresh {
        max_age: jwt.jwks_max_age,
        min_interval: jwt.jwks_min_interval,
    };
    let is_file = matches!(source, KeySource::File(_));
    let keys = Arc::new(KeySet::new(source, refresh).map_err(anyhow::Error::from_boxed)?);
    if is_file {
        let loaded = keys.load().await.map_err(anyhow::Error::from_boxed);
        loaded.context("the setting `auth.jwt.jwks_file` names no key set")?;
    } else {
        let keys = Arc::clone(&keys);
        tokio::spawn(async move {
            if let Err(error) = keys.load().await {
                tracing::warn!(%error, "the key set of signed tokens cannot be read");
            }
        });
    }
    Ok(keys)
}

/// Refusals that were only counted are noted from time to time.
async fn count_refusals(application: Arc<Application>) {
    loop {
        tokio::time::sleep(COUNT_EVERY).await;
        application.note_counted_refusals().await;
    }
}

fn worker_settings(settings: &Settings) -> WorkerSettings {
    WorkerSettings {
        concurrency: settings.worker.concurrency,
        lease: settings.worker.lease,
        reap_every: REAP_EVERY,
        prune_every: settings.tasks.prune_every,
        retention: settings.tasks.retention,
        seal_every: settings.audit.seal_every,
        grace: settings.server.grace.saturating_sub(FAREWELL),
    }
}

async fn ended(task: &mut Option<JoinHandle<()>>) -> Result<(), JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

async fn told_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
