//! How far the test clock is moved at a time: ISO 8601 durations whose length does not vary.

use time::Duration;

/// More than zero, at most [`Advance::LONGEST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance(Duration);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAdvance {
    #[error("must be an ISO 8601 duration of weeks, days, hours, minutes and seconds, such as P42D")]
    Form,
    #[error("must not have years or months: their length varies")]
    Calendar,
    #[error("must be more than zero")]
    Zero,
    #[error("must be at most P3660D")]
    TooLong,
}

/// What each unit of the two parts of a duration lasts, in the order in which they may come.
const DATE: [(char, i64); 2] = [('W', 7 * 86_400), ('D', 86_400)];
const TIME: [(char, i64); 3] = [('H', 3_600), ('M', 60), ('S', 1)];

impl Advance {
    pub const LONGEST: Duration = Duration::days(3660);

    pub fn parse(text: &str) -> Result<Self, InvalidAdvance> {
        let rest = text.strip_prefix('P').ok_or(InvalidAdvance::Form)?;
        let (date, time) = match rest.split_once('T') {
            Some((_, "")) => return Err(InvalidAdvance::Form),
            Some((date, time)) => (date, time),
            None if rest.is_empty() => return Err(InvalidAdvance::Form),
            None => (rest, ""),
        };
        if date.contains(['Y', 'M']) {
            return Err(InvalidAdvance::Calendar);
        }
        let micros = part(date, &DATE)?
            .checked_add(part(time, &TIME)?)
            .ok_or(InvalidAdvance::TooLong)?;
        let length = Duration::microseconds(micros);
        if length.is_zero() {
            Err(InvalidAdvance::Zero)
        } else if length > Self::LONGEST {
            Err(InvalidAdvance::TooLong)
        } else {
            Ok(Self(length))
        }
    }

    pub fn length(self) -> Duration {
        self.0
    }
}

/// Microseconds. Only seconds may have a fraction; what is below a microsecond is cut.
fn part(text: &str, units: &[(char, i64)]) -> Result<i64, InvalidAdvance> {
    let mut micros: i64 = 0;
    let mut units = units.iter();
    let mut rest = text;
    while let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let (number, after) = rest.split_at(end);
        let mut after = after.chars();
        let name = after.next();
        rest = after.as_str();
        let (_, seconds) = units
            .find(|(unit, _)| Some(*unit) == name)
            .ok_or(InvalidAdvance::Form)?;
        let (whole, fraction) = match number.split_once(['.', ',']) {
            Some((_, "")) => return Err(InvalidAdvance::Form),
            Some(_) if *seconds > 1 => return Err(InvalidAdvance::Form),
            Some((whole, fraction)) => (whole, fraction),
            None => (number, ""),
        };
        if whole.is_empty() || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit()) {
            return Err(InvalidAdvance::Form);
        }
        let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
        micros = whole
            .parse::<i64>()
            .ok()
            .and_then(|whole| whole.checked_mul(*seconds)?.checked_mul(1_000_000))
            .and_then(|whole| whole.checked_add(fraction.parse().ok()?)?.checked_add(micros))
            .ok_or(InvalidAdvance::TooLong)?;
    }
    if rest.is_empty() {
        Ok(micros)
    } else {
        Err(InvalidAdvance::Form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_lengths_are_read() {
        for (text, seconds) in [
            ("P42D", 42.0 * 86_400.0),
            ("P6W", 42.0 * 86_400.0),
            ("P1W1DT1H1M1S", 694_861.0),
            ("PT36H", 129_600.0),
            ("PT90M", 5_400.0),
            ("P3660D", 316_224_000.0),
            ("P3659DT24H", 316_224_000.0),
            ("PT1.5S", 1.5),
            ("PT0,000001S", 0.000_001),
            ("P0DT1S", 1.0),
        ] {
            let read = Advance::parse(text).map(|advance| advance.length().as_seconds_f64());
            assert_eq!(read, Ok(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_or_too_much_is_refused() {
        use InvalidAdvance::{Calendar, Form, TooLong, Zero};
        for (text, why) in [
            ("", Form),
            ("P", Form),
            ("PT", Form),
            ("P1DT", Form),
            ("42D", Form),
            ("p42d", Form),
            ("P42", Form),
            ("P42d", Form),
            ("-P1D", Form),
            ("P-1D", Form),
            ("P+1D", Form),
            ("P1D ", Form),
            (" P1D", Form),
            ("P1D1W", Form),
            ("P1D1D", Form),
            ("P1H", Form),
            ("PT1D", Form),
            ("PT1S1M", Form),
            ("PT.5S", Form),
            ("PT1.S", Form),
            ("P1.5D", Form),
            ("P1DT1HT1M", Form),
            ("P٤D", Form),
            ("P1Y", Calendar),
            ("P6M", Calendar),
            ("P1Y1D", Calendar),
            ("P0D", Zero),
            ("PT0S", Zero),
            ("PT0.0000001S", Zero),
            ("P3660DT1S", TooLong),
            ("P523W", TooLong),
            ("P99999999999999999999D", TooLong),
            ("P9223372036854775807W", TooLong),
            ("PT9223372036854S", TooLong),
        ] {
            assert_eq!(Advance::parse(text), Err(why), "{text}");
        }
    }
}
