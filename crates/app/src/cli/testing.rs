//! A tiny server inside the test process, for the commands that talk to one.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use reqwest::Url;

use super::client::{Client, Secret};

pub const KEY: &str = "ct_test_key";

/// Binds a port and leaves it silent: connections wait until [`serve`] takes the listener over.
pub fn listen() -> (TcpListener, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = Url::parse(&format!("http://{address}")).expect("an address");
    (
        listener,
        Client::connect(server, &Secret::from(KEY)).expect("a client"),
    )
}

/// Answers every request with what `answer` makes of it and its body. The server ends with the test's runtime.
pub fn serve(
    listener: TcpListener,
    answer: impl Fn(&HttpRequest, &str) -> HttpResponse + Send + Sync + 'static,
) -> ServerHandle {
    let answer = Arc::new(answer);
    let server = HttpServer::new(move || {
        let answer = answer.clone();
        App::new().default_service(web::to(move |request: HttpRequest, body: String| {
            let answer = answer.clone();
            async move { answer(&request, &body) }
        }))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)
    .expect("listens")
    .run();
    let handle = server.handle();
    tokio::spawn(server);
    handle
}
