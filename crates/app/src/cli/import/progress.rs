//! Shows on standard error how far the import is: a bar on a terminal, else a line now and then.
//!
//! The share done is that of the input's bytes, because the number of resources is only known at the end.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(5);
const REDRAW_EVERY: Duration = Duration::from_millis(200);

pub struct Progress {
    display: Display,
    total_bytes: u64,
    started_at: Instant,
    seen: Mutex<Seen>,
}

enum Display {
    Bar(ProgressBar),
    Lines,
    #[cfg(test)]
    Nothing,
}

struct Seen {
    count: u64,
    bytes: u64,
    shown_at: Instant,
}

impl Progress {
    pub fn new(total_bytes: u64) -> Self {
        let display = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(total_bytes), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {percent}%  {msg}  {eta} left") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.enable_steady_tick(REDRAW_EVERY);
            Display::Bar(bar)
        } else {
            Display::Lines
        };
        Self::with(display, total_bytes)
    }

    #[cfg(test)]
    pub fn hidden() -> Self {
        Self::with(Display::Nothing, 0)
    }

    fn with(display: Display, total_bytes: u64) -> Self {
        let now = Instant::now();
        let seen = Mutex::new(Seen {
            count: 0,
            bytes: 0,
            shown_at: now,
        });
        Self {
            display,
            total_bytes,
            started_at: now,
            seen,
        }
    }

    /// Another resource is done with, whatever became of it.
    pub fn advance(&self, bytes: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.count += 1;
        seen.bytes += bytes;
        match &self.display {
            Display::Bar(bar) => {
                bar.inc(bytes);
                if seen.shown_at.elapsed() >= REDRAW_EVERY {
                    seen.shown_at = Instant::now();
                    let rate = rate(seen.count, self.started_at.elapsed());
                    bar.set_message(format!("{} resources, {rate}/s", seen.count));
                }
            }
            Display::Lines => {
                if seen.shown_at.elapsed() >= LINE_EVERY {
                    seen.shown_at = Instant::now();
                    eprintln!(
                        "{}",
                        line(
                            seen.count,
                            seen.bytes,
                            self.total_bytes,
                            self.started_at.elapsed()
                        )
                    );
                }
            }
            #[cfg(test)]
            Display::Nothing => {}
        }
    }

    /// Says something besides the progress.
    pub fn notice(&self, text: &str) {
        match &self.display {
            Display::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            Display::Lines => eprintln!("{text}"),
            #[cfg(test)]
            Display::Nothing => {}
        }
    }

    /// Removes the bar: the summary takes its place.
    pub fn finish(&self) {
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
        }
    }
}

/// Whole units a second; of very short times, the count itself.
pub fn rate(count: u64, elapsed: Duration) -> u128 {
    u128::from(count) * 1000 / elapsed.as_millis().max(1000)
}

fn line(count: u64, bytes: u64, total: u64, elapsed: Duration) -> String {
    let percent = u128::from(bytes) * 100 / u128::from(total.max(1));
    let left =
        u128::from(total.saturating_sub(bytes)) * elapsed.as_millis() / u128::from(bytes.max(1)) / 1000;
    format!(
        "{count} resources, {}/s, {}%, about {left} s left",
        rate(count, elapsed),
        percent.min(100)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_rate_share_and_time_left() {
        assert_eq!(
            line(500, 250, 1000, Duration::from_secs(10)),
            "500 resources, 50/s, 25%, about 30 s left"
        );
    }

    #[test]
    fn the_line_survives_empty_input() {
        assert_eq!(
            line(0, 0, 0, Duration::ZERO),
            "0 resources, 0/s, 0%, about 0 s left"
        );
    }
}
