//! JSON's numbers compared exactly, as they are written: a binary fraction would round.

use serde_json::Number;
use std::cmp::Ordering;

/// `0.d₁d₂d₃… × 10^exponent`, without zeros at either end of the digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    pub fn of(number: &Number) -> Self {
        Self::parse(number.as_str())
    }

    pub fn count(count: usize) -> Self {
        Self::parse(&count.to_string())
    }

    /// A number as JSON writes it.
    fn parse(text: &str) -> Self {
        /// Further from nought than any number that fits into a body, and far from overflowing.
        const FAR: i64 = i64::MAX / 4;
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let power: i64 = power
            .parse()
            .unwrap_or(if power.starts_with('-') { -FAR } else { FAR });
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        let significant = all.trim_start_matches('0');
        let leading = all.len() - significant.len();
        let significant = significant.trim_end_matches('0');
        if significant.is_empty() {
            return Self {
                negative: false,
                digits: Vec::new(),
                exponent: 0,
            };
        }
        let length = |text: &str| i64::try_from(text.len()).unwrap_or(FAR);
        Self {
            negative,
            digits: significant.as_bytes().to_vec(),
            exponent: power.clamp(-FAR, FAR) + length(whole) - i64::try_from(leading).unwrap_or(FAR),
        }
    }

    pub fn has_fraction(&self) -> bool {
        i64::try_from(self.digits.len()).is_ok_and(|digits| digits > self.exponent)
    }

    /// Whether it is no further from nought than `most`.
    pub fn is_within(&self, most: i64) -> bool {
        let most = Self::parse(&most.unsigned_abs().to_string());
        (self.exponent, &self.digits) <= (most.exponent, &most.digits) || self.digits.is_empty()
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = || (self.exponent, &self.digits).cmp(&(other.exponent, &other.digits));
        self.sign().cmp(&other.sign()).then_with(|| {
            if self.negative {
                magnitude().reverse()
            } else {
                magnitude()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_compared_as_they_are_written() {
        let rising = [
            "-1e9999999999999999999",
            "-10",
            "-9.5",
            "-0.1",
            "-1e-7",
            "0",
            "1e-999",
            "0.1",
            "0.10000000000000000000000001",
            "1",
            "1.5",
            "9",
            "10.0001",
            "9007199254740991",
            "9007199254740991.5",
            "9007199254740992",
            "1e400",
        ];
        for (n, low) in rising.iter().enumerate() {
            for high in &rising[n + 1..] {
                assert!(Decimal::parse(low) < Decimal::parse(high), "{low} < {high}");
                assert!(Decimal::parse(high) > Decimal::parse(low), "{high} > {low}");
            }
        }
        for same in [
            ["1", "1.0"],
            ["100", "1e2"],
            ["0.05", "5E-2"],
            ["-0", "0.0e7"],
            ["12000", "1.2e+4"],
        ] {
            assert_eq!(Decimal::parse(same[0]), Decimal::parse(same[1]), "{same:?}");
        }
    }

    #[test]
    fn a_fraction_is_one_whatever_it_is_written_like() {
        for whole in ["0", "0.0", "-3", "1.0", "1e3", "1500e-2", "12.50e2"] {
            assert!(!Decimal::parse(whole).has_fraction(), "{whole}");
        }
        for broken in [
            "0.5",
            "-3.01",
            "15e-1",
            "1e-999999999999999999999",
            "1.00000000000000000000001",
        ] {
            assert!(Decimal::parse(broken).has_fraction(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_are_ordered_as_integers_are(a in any::<i64>(), b in any::<i64>()) {
            let (left, right) = (Decimal::parse(&a.to_string()), Decimal::parse(&b.to_string()));
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
            prop_assert!(!left.has_fraction());
        }

        #[test]
        fn shifting_the_point_and_the_power_changes_nothing(digits in "[1-9][0-9]{0,20}", by in 0_i64..30) {
            let shifted = format!("{digits}{}e-{by}", "0".repeat(usize::try_from(by).unwrap()));
            prop_assert_eq!(Decimal::parse(&digits), Decimal::parse(&shifted));
        }
    }
}
