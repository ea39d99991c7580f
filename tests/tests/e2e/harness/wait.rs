//! Waiting for something to come true, with a deadline and never longer than needed.

use std::time::{Duration, Instant};

/// Longer than anything takes that works.
pub const LONG: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer.
#[track_caller]
pub fn until<T, P>(what: &str, longest: Duration, probe: P) -> impl Future<Output = T>
where
    P: AsyncFnMut() -> Option<T>,
{
    let caller = std::panic::Location::caller();
    let what = format!("{what} ({}:{})", caller.file(), caller.line());
    until_at(what, longest, probe)
}

async fn until_at<T>(what: String, longest: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    const FIRST: Duration = Duration::from_millis(2);
    const LAST: Duration = Duration::from_millis(50);
    let began = Instant::now();
    let mut pause = FIRST;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(began.elapsed() < longest, "after {longest:?}, still not: {what}");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST);
    }
}

/// The outcome of something that must not hang.
pub async fn within<T>(what: &str, longest: Duration, outcome: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(longest, outcome).await;
    ended.unwrap_or_else(|_| panic!("after {longest:?}, still not: {what}"))
}
