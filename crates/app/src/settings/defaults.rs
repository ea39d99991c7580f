//! What holds where nothing is said.

use super::{
    Audit, Auth, Clock, ClockMode, Database, Jwt, Limits, Log, LogFormat, MatchEngine, Matching, Queue,
    Registry, Retry, Role, Secret, Server, Tasks, Telemetry, WebhookRetry, Webhooks, Worker,
};
use caretrack_domain::RetryPolicy;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            health_listen: String::new(),
            role: Role::All,
            threads: cores(),
            grace: Duration::from_secs(25),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "sqlite://caretrack.db".to_owned(),
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            url: "database".to_owned(),
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            concurrency: cores() * 4,
            lease: Duration::from_secs(30),
        }
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(7 * 24),
            prune_every: Duration::from_mins(1),
            retry: Retry::default(),
            retry_by_kind: BTreeMap::new(),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        let RetryPolicy { attempts, base, cap } = RetryPolicy::default();
        Self { attempts, base, cap }
    }
}

impl From<&Retry> for RetryPolicy {
    fn from(retry: &Retry) -> Self {
        let Retry { attempts, base, cap } = *retry;
        Self { attempts, base, cap }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            bootstrap_key_file: "caretrack-admin.key".into(),
            jwt: Jwt::default(),
        }
    }
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            hs256_secret: Secret::default(),
            jwks_url: String::new(),
            jwks_file: String::new(),
            jwks_max_age: Duration::from_mins(10),
            jwks_min_interval: Duration::from_secs(10),
            leeway: Duration::ZERO,
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self { open_profiles: true }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            mode: ClockMode::System,
        }
    }
}

impl Default for Matching {
    fn default() -> Self {
        Self {
            engine: MatchEngine::None,
        }
    }
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            allow_private: false,
            timeout: Duration::from_secs(10),
            retry: WebhookRetry::default(),
        }
    }
}

impl From<ClockMode> for caretrack_application::ClockMode {
    fn from(mode: ClockMode) -> Self {
        match mode {
            ClockMode::System => Self::System,
            ClockMode::Manual => Self::Manual,
        }
    }
}

impl Default for WebhookRetry {
    fn default() -> Self {
        Self {
            attempts: 10,
            base: Duration::from_secs(5),
            cap: Duration::from_mins(10),
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            seal_every: Duration::from_secs(10),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            delivery: 10 << 20,
            body_time: Duration::from_secs(30),
            requests_per_second: 0,
            requests_burst: 100,
            failed_logins_per_minute: 10,
            failed_logins_burst: 20,
            audited_refusals: 60,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            stall_time: Duration::from_secs(30),
            connections: 16_384,
            waiting: 4_096,
            queue_depth: 1_000_000,
            event_listeners: 256,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            level: "info,actix_server=warn".to_owned(),
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: String::new(),
            sample_ratio: 1.0,
        }
    }
}
