//! What the text of a property has to look like, by its type.

use time::{Date, Month, Time};

/// The types whose values are JSON strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum TextType {
    Symbol,
    Markdown,
    Xhtml,
    Code,
    Date,
    Datetime,
    Instant,
    Time,
    Uri,
    Url,
}

impl TextType {
    pub fn admits(self, text: &str) -> bool {
        match self {
            Self::Symbol | Self::Markdown | Self::Xhtml => true,
            Self::Code => is_code(text),
            Self::Date => is_date(text),
            Self::Datetime => is_datetime(text),
            Self::Instant => is_instant(text),
            Self::Time => is_time(text),
            Self::Uri => is_uri(text),
            Self::Url => is_url(text),
        }
    }

    pub fn must_be(self) -> &'static str {
        match self {
            Self::Symbol | Self::Markdown | Self::Xhtml => "must be a string",
            Self::Code => "must be a code: not empty, no white space but single spaces inside",
            Self::Date => "must be a date: YYYY, YYYY-MM or YYYY-MM-DD",
            Self::Datetime => {
                "must be a date, or a date and time with a zone: YYYY-MM-DDThh:mm[:ss[.fff]](Z|±hh:mm)"
            }
            Self::Instant => {
                "must be a date and time to the second with a zone: YYYY-MM-DDThh:mm:ss[.fff](Z|±hh:mm)"
            }
            Self::Time => "must be a time: hh:mm:ss[.fff]",
            Self::Uri => "must be a URI: not empty, no white space",
            Self::Url => "must be an absolute URL with scheme and host",
        }
    }
}

fn is_code(text: &str) -> bool {
    text.split(' ')
        .all(|word| !word.is_empty() && !word.contains(char::is_whitespace))
}

fn is_uri(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}

fn is_url(text: &str) -> bool {
    is_uri(text) && url::Url::parse(text).is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty()))
}

/// So many digits.
fn number(text: &str, digits: usize) -> Option<u16> {
    let fits = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

fn small(text: &str) -> Option<u8> {
    number(text, 2).and_then(|n| u8::try_from(n).ok())
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let year = parts.next().and_then(|year| number(year, 4));
    let month = parts
        .next()
        .map(|month| small(month).and_then(|n| Month::try_from(n).ok()));
    let day = parts.next().map(small);
    match (year, month, day, parts.next()) {
        (Some(_), None | Some(Some(_)), None, None) => true,
        (Some(year), Some(Some(month)), Some(Some(day)), None) => {
            Date::from_calendar_date(i32::from(year), month, day).is_ok()
        }
        _ => false,
    }
}

fn is_datetime(text: &str) -> bool {
    match text.split_once('T') {
        None => is_date(text),
        Some((day, clock)) => is_day(day) && is_zoned(clock, |time| is_minute(time) || is_time(time)),
    }
}

fn is_instant(text: &str) -> bool {
    text.split_once('T')
        .is_some_and(|(day, clock)| is_day(day) && is_zoned(clock, is_time))
}

/// A date with all of its parts.
fn is_day(text: &str) -> bool {
    text.len() == "YYYY-MM-DD".len() && is_date(text)
}

fn is_zoned(text: &str, is_clock: impl Fn(&str) -> bool) -> bool {
    if let Some(clock) = text.strip_suffix('Z') {
        return is_clock(clock);
    }
    let Some((clock, offset)) = text.rfind(['+', '-']).map(|at| text.split_at(at)) else {
        return false;
    };
    is_clock(clock) && is_minute(&offset[1..])
}

/// `hh:mm`
fn is_minute(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(hour, minute)| clock(hour, minute, "00"))
}

/// `hh:mm:ss`, with a fraction or without.
fn is_time(text: &str) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mut parts = whole.split(':');
    let exists = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        // A leap second is one.
        (Some(hour), Some(minute), Some("60"), None) => clock(hour, minute, "59"),
        (Some(hour), Some(minute), Some(second), None) => clock(hour, minute, second),
        _ => false,
    };
    exists && fraction.is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn clock(hour: &str, minute: &str, second: &str) -> bool {
    match (small(hour), small(minute), small(second)) {
        (Some(hour), Some(minute), Some(second)) => Time::from_hms(hour, minute, second).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn admits(of: TextType, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(of.admits(text), "{of:?} {text:?}");
        }
        for text in bad {
            assert!(!of.admits(text), "{of:?} {text:?}");
        }
    }

    #[test]
    fn dates_are_days_that_exist() {
        let good = ["2026", "2026-02", "2026-02-28", "2024-02-29", "1900-12-31"];
        let bad = [
            "",
            "26",
            "2026-",
            "2026-2",
            "2026-13",
            "2026-00",
            "2026-02-29",
            "2026-02-00",
            "1900-02-29",
            "2026-2-1",
            "+2026",
            "2026-02-28Z",
            "2026-02-28T",
            "20260228",
            "2026-02-28-01",
            " 2026",
            "２０２６",
        ];
        admits(TextType::Date, &good, &bad);
    }

    #[test]
    fn times_have_a_zone_where_they_need_one() {
        let good = [
            "2026",
            "2026-03",
            "2026-03-02",
            "2026-03-02T09:15Z",
            "2026-03-02T09:15:00+01:00",
            "2026-03-02T09:15:00.1234567891-11:30",
        ];
        let bad = [
            "2026-03T09:15Z",
            "2026-03-02T09:15",
            "2026-03-02T09Z",
            "2026-03-02T24:00Z",
            "2026-03-02T09:15:00.Z",
            "2026-03-02t09:15Z",
            "2026-03-02T09:15z",
            "2026-03-02 09:15Z",
            "2026-03-02T09:15+1:00",
            "2026-03-02T09:15+24:00",
            "2026-02-30T09:15Z",
        ];
        admits(TextType::Datetime, &good, &bad);
        let good = [
            "2026-03-02T09:15:00Z",
            "2026-03-02T09:15:00.120+05:45",
            "2016-12-31T23:59:60Z",
        ];
        let bad = [
            "2026-03-02",
            "2026-03-02T09:15Z",
            "2026-03-02T09:15:00",
            "2026-03-02T09:15:61Z",
        ];
        admits(TextType::Instant, &good, &bad);
        let good = ["00:00:00", "23:59:59.999"];
        let bad = [
            "09:15",
            "24:00:00",
            "09:60:00",
            "09:15:00Z",
            "9:15:00",
            "09:15:00.",
            "09:15:00.1.2",
        ];
        admits(TextType::Time, &good, &bad);
    }

    #[test]
    fn codes_and_addresses_have_their_forms() {
        admits(
            TextType::Code,
            &["a", "in progress", "é"],
            &["", " a", "a ", "a  b", "a\tb", "a\u{a0}b", "\n"],
        );
        admits(
            TextType::Uri,
            &["urn:example:mrn", "x", "http://a/b?c#d"],
            &["", "a b", "\t"],
        );
        let good = ["https://example.org", "ftp://h/x", "http://[::1]:80/"];
        let bad = [
            "",
            "example.org",
            "/x",
            "urn:example:mrn",
            "mailto:a@b.org",
            "http://",
            "https://a b",
            "file:///x",
        ];
        admits(TextType::Url, &good, &bad);
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(text in "\\PC{0,40}") {
            for of in [TextType::Code, TextType::Date, TextType::Datetime, TextType::Instant, TextType::Time, TextType::Uri, TextType::Url] {
                let _judged = of.admits(&text);
            }
        }

        /// What one is, the wider one is too.
        #[test]
        fn every_instant_and_every_date_is_a_datetime(text in "[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?)?)?") {
            if TextType::Instant.admits(&text) || TextType::Date.admits(&text) {
                prop_assert!(TextType::Datetime.admits(&text));
            }
        }
    }
}
