//! A body that was not read to its end ends its connection.
//!
//! The HTTP library does so by itself where the length was announced. Of a chunked body it drops, it would read the
//! rest, however long that is; so the body is kept until its answer is on the way, and then the library gives the
//! client a moment to hear of it, and closes.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage};
use futures::{StreamExt, stream};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

pub async fn surround<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if !request.headers().contains_key(TRANSFER_ENCODING) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let unread = Rc::new(RefCell::new(request.take_payload()));
    let reading = Rc::clone(&unread);
    let payload = stream::poll_fn(move |context| reading.borrow_mut().poll_next_unpin(context));
    request.set_payload(Payload::from(payload.boxed_local()));
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| {
        let body = body.boxed();
        Answer {
            body,
            _unread: unread,
        }
        .boxed()
    }))
}

struct Answer {
    body: BoxBody,
    _unread: Rc<RefCell<Payload>>,
}

impl MessageBody for Answer {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(context)
    }
}
