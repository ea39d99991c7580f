//! When things fall due.

use crate::{Instant, WmdaId};
use time::{Duration, Month};

/// Six calendar months after `stopped_at`: same day and time, or the month's last day where there is no such day.
pub(super) fn retention_end(stopped_at: Instant) -> Instant {
    const MONTHS: u8 = 6;
    let date = stopped_at.date();
    let month = date.month().nth_next(MONTHS);
    let year = date.year() + i32::from(date.month() > Month::June);
    let day = date.day().min(month.length(year));
    // The day is one of the month's, and the year one that instants have: the clock stays far below the last one.
    let date = time::Date::from_calendar_date(year, month, day).unwrap_or(time::Date::MAX);
    stopped_at.replace_date(date)
}

/// The next time after `now` at which the registration's turn of the day comes. The turns are spread over the day by
/// the number, which is drawn at random.
pub(super) fn next_slot(wmda_id: WmdaId, now: Instant) -> Instant {
    let today = now.replace_time(time::Time::MIDNIGHT) + slot(wmda_id);
    if today > now { today } else { today + Duration::DAY }
}

fn slot(wmda_id: WmdaId) -> Duration {
    const DAY: i64 = 86_400_000;
    // Multiplied by a prime, so that numbers which were not drawn are spread as well.
    let mixed = wmda_id.number().wrapping_mul(2_654_435_761).rem_euclid(DAY);
    Duration::milliseconds(mixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn six_months_are_counted_by_the_calendar() {
        for (stopped, end) in [
            (
                datetime!(2026-01-31 10:20:30.123456 UTC),
                datetime!(2026-07-31 10:20:30.123456 UTC),
            ),
            (datetime!(2026-03-31 00:00 UTC), datetime!(2026-09-30 00:00 UTC)),
            (
                datetime!(2026-08-31 23:59:59 UTC),
                datetime!(2027-02-28 23:59:59 UTC),
            ),
            (datetime!(2027-08-30 1:00 UTC), datetime!(2028-02-29 1:00 UTC)),
            (datetime!(2026-06-15 1:00 UTC), datetime!(2026-12-15 1:00 UTC)),
            (datetime!(2026-07-01 1:00 UTC), datetime!(2027-01-01 1:00 UTC)),
            (datetime!(2026-12-31 1:00 UTC), datetime!(2027-06-30 1:00 UTC)),
        ] {
            assert_eq!(retention_end(stopped), end, "{stopped}");
        }
    }

    #[test]
    fn the_turn_of_the_day_is_the_same_every_day_and_the_next_one_is_ahead() {
        let now = datetime!(2026-03-02 09:15 UTC);
        for number in [100_000, 100_001, 48_213_907, 2_147_483_647] {
            let id = WmdaId::parse(number).unwrap();
            let first = next_slot(id, now);
            assert!(first > now && first - now <= Duration::DAY);
            assert_eq!(next_slot(id, first), first + Duration::DAY);
            assert_eq!(next_slot(id, first - Duration::MICROSECOND), first);
        }
    }

    #[test]
    fn turns_are_spread_over_the_day() {
        let mut hours = [0; 24];
        for number in 0..24_000 {
            let id = WmdaId::drawn(number * 170_000);
            hours[usize::try_from(slot(id).whole_hours()).unwrap()] += 1;
        }
        assert!(
            hours.iter().all(|count| (800..1_200).contains(count)),
            "{hours:?}"
        );
    }
}
