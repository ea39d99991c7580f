//! The listener, and what it takes from clients: so many connections, and so much time for each thing they do.
//!
//! A body's time and size are kept where it is read (`body`). What the HTTP library holds of a connection is bounded by
//! itself: 128 KiB and 96 headers of a head, 32 KiB of a body that nobody has read yet.

use super::metrics::Connection;
use super::{Api, idempotency, request_id, unread};
use crate::settings::Limits;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpServer, web};
use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// For the rest of a body that was answered before it had come.
const FAREWELL: Duration = Duration::from_secs(2);
/// New connections that the system keeps until they are accepted.
const BACKLOG: u32 = 4_096;

/// Binds `listen` and answers what `routes` have until told to stop.
pub fn serve(
    api: web::Data<Api>,
    routes: fn(&mut web::ServiceConfig),
    listen: SocketAddr,
    threads: usize,
    grace: Duration,
) -> std::io::Result<(actix_web::dev::Server, Vec<SocketAddr>)> {
    let Limits {
        head_time,
        idle_time,
        stall_time,
        connections,
        ..
    } = api.limits;
    let metrics = Arc::clone(&api.metrics);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(api.clone())
            .configure(routes)
            .wrap(from_fn(idempotency::surround))
            .wrap(from_fn(request_id::surround))
            .wrap(from_fn(unread::surround))
    })
    .workers(threads)
    .backlog(BACKLOG)
    .max_connections(connections.div_ceil(threads))
    .keep_alive(idle_time)
    .client_request_timeout(head_time)
    .client_disconnect_timeout(FAREWELL)
    .on_connect(move |connection, data| {
        end_when_stalled(connection, stall_time);
        data.insert(Connection::opened(Arc::clone(&metrics)));
    })
    .shutdown_timeout(grace.as_secs())
    .disable_signals()
    .bind(listen)?;
    let addresses = server.addrs();
    Ok((server.run(), addresses))
}

/// The HTTP library waits for ever for a client to take its answer; the system need not.
fn end_when_stalled(connection: &dyn Any, after: Duration) {
    if let Some(stream) = connection.downcast_ref::<TcpStream>() {
        let millis = u32::try_from(after.as_millis()).unwrap_or(u32::MAX);
        if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, millis) {
            tracing::debug!(%error, "a connection has no limit for stalling");
        }
    }
}
