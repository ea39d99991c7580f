//! Numbers as they are measured and shown.

use std::time::Duration;

/// Counts as the measure they are here; none comes near the 2^53 that would be rounded.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}

pub fn per_second(count: u64, time: Duration) -> f64 {
    float(count) / time.as_secs_f64().max(1e-9)
}

/// Microseconds, over an hour cut to it.
pub fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// Durations in microseconds, sorted.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    pub fn new(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        Self(micros)
    }

    /// In milliseconds; the value that `percent` of all are not above. Zero if there is none.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0
            .get(rank - 1)
            .map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn median(&self) -> f64 {
        self.percentile(50)
    }
}

/// Three digits that matter, thousands apart: `0.52`, `7.31`, `48.2`, `12 345`.
pub fn show(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let latencies = Latencies::new((1..=200).rev().map(|n| n * 1_000).collect());
        assert_eq!(latencies.median().to_string(), "100");
        assert_eq!(latencies.percentile(99).to_string(), "198");
        assert_eq!(latencies.percentile(100).to_string(), "200");
        assert_eq!(Latencies::default().median().to_string(), "0");
    }

    #[test]
    fn numbers_are_shown_with_the_digits_that_matter() {
        let shown: Vec<String> = [0.517, 7.306, 48.24, 100.4, 12_345.0, 1_000_000.0]
            .into_iter()
            .map(show)
            .collect();
        assert_eq!(shown, ["0.52", "7.31", "48.2", "100", "12 345", "1 000 000"]);
    }
}
