//! Whoever follows work from one server to the next.

use caretrack_domain::Task;
use std::fmt::Debug;
use tracing::Span;

/// Called on hot paths: it must be quick and never wait.
pub trait Tracer: Debug + Send + Sync {
    /// What everything about an attempt of the task is logged in, and where it belongs in the trace of the request.
    fn attempt(&self, task: &Task) -> Span;

    /// Around a commit of whatever is under way; none where nobody traces.
    fn commit(&self) -> Span;
}

/// Follows nothing; there is still the span that lines are logged in.
#[derive(Debug)]
pub struct Untraced;

impl Tracer for Untraced {
    fn attempt(&self, task: &Task) -> Span {
        let request_id = task.facts().request_id.as_str();
        tracing::info_span!("task", task.id = %task.id(), request.id = request_id)
    }

    fn commit(&self) -> Span {
        Span::none()
    }
}
