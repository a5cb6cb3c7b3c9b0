//! Decimal numbers as Salesforce's number fields hold them, compared by value and without rounding.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The maximum number of digits. A number field of Salesforce has at most 18.
const MAX_DIGITS: usize = 40;

/// A decimal number. Equal numbers are equal however they were written: `7`, `7.0`, `07` and `0.7e1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal {
    negative: bool,
    /// The digits before the decimal point, without leading zeros.
    whole: String,
    /// The digits after the decimal point, without trailing zeros.
    fraction: String,
}

impl Decimal {
    /// Returns the number rounded to this number of digits after the decimal point, half away from zero.
    #[must_use]
    pub fn rounded(&self, scale: u32) -> Self {
        let scale = scale as usize;
        let Some(next) = self.fraction.as_bytes().get(scale) else { return self.clone() };
        let mut digits: Vec<u8> = self.whole.bytes().chain(self.fraction.bytes().take(scale)).collect();
        if *next >= b'5' {
            increment(&mut digits);
        }
        let point = digits.len() - scale;
        Self::new(self.negative, &text(&digits[..point]), &text(&digits[point..]))
    }

    /// Returns the number of digits after the decimal point, without trailing zeros.
    #[must_use]
    pub fn scale(&self) -> usize {
        self.fraction.len()
    }

    /// Returns whether the numbers are equal, or the same where only the 15 to 17 digits of a double are kept. Salesforce
    /// returns a longer number as such a double.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let double = |number: &Self| number.to_string().parse::<f64>().ok();
        self == other || double(self) == double(other)
    }

    /// Returns the sum; `None` if it does not fit into 38 digits.
    #[must_use]
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        let scale = self.scale().max(other.scale());
        let sum = self.units(scale)?.checked_add(other.units(scale)?)?;
        let digits = format!("{:0>1$}", sum.unsigned_abs(), scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        Some(Self::new(sum < 0, whole, fraction))
    }

    /// Returns the number as a multiple of the unit with this many digits after the decimal point.
    fn units(&self, scale: usize) -> Option<i128> {
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}0{}{:0<scale$}", self.whole, self.fraction).parse().ok()
    }

    fn new(negative: bool, whole: &str, fraction: &str) -> Self {
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let negative = negative && !(whole.is_empty() && fraction.is_empty());
        Self { negative, whole: whole.to_owned(), fraction: fraction.to_owned() }
    }
}

impl FromStr for Decimal {
    type Err = Error;

    /// Parses a number as JSON writes it, with an optional exponent; leading zeros and a plus sign are allowed.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = parse(text).filter(|number| number.whole.len() + number.fraction.len() <= MAX_DIGITS);
        parsed.ok_or(Error::Invalid { what: "number", reason: "is not a decimal number" })
    }
}

fn parse(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if digits.len() > 400 || whole.len() + fraction.len() == 0 || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let shift = usize::try_from(exponent.unsigned_abs()).ok().filter(|shift| *shift <= 400)?;
    let zeros = "0".repeat(shift);
    let (whole, fraction) = if exponent >= 0 {
        let fraction = format!("{fraction}{zeros}");
        let (moved, fraction) = fraction.split_at(shift);
        (format!("{whole}{moved}"), fraction.to_owned())
    } else {
        let whole = format!("{zeros}{whole}");
        let (whole, moved) = whole.split_at(whole.len() - shift);
        (whole.to_owned(), format!("{moved}{fraction}"))
    };
    Some(Decimal::new(negative, &whole, &fraction))
}

fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

/// The digits are ASCII.
fn text(digits: &[u8]) -> String {
    digits.iter().map(|digit| char::from(*digit)).collect()
}

impl fmt::Display for Decimal {
    /// Writes the number without an exponent, as a SOQL literal: `7`, `-0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        write!(f, "{sign}{whole}")?;
        if self.fraction.is_empty() { Ok(()) } else { write!(f, ".{}", self.fraction) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn the_same_number_is_equal_however_it_is_written() {
        for text in ["7", "7.0", "07", "+7", "7.", "0.7e1", "70E-1", "7e0", "7.000"] {
            assert_eq!(number(text), number("7"), "{text}");
            assert_eq!(number(text).to_string(), "7");
        }
        assert_eq!(number("-0.0"), number("0"));
        assert_eq!(number("-0.50").to_string(), "-0.5");
        assert_ne!(number("7"), number("-7"));
        assert_ne!(number("77.5"), number("77"));
    }

    #[test]
    fn the_scale_is_the_number_of_digits_that_count() {
        for (text, scale) in [("7", 0), ("7.50", 1), ("-0.125", 3), ("1.5e-3", 4), ("1.5e3", 0)] {
            assert_eq!(number(text).scale(), scale, "{text}");
        }
    }

    #[test]
    fn eighteen_digits_are_not_rounded() {
        assert_ne!(number("123456789012345678"), number("123456789012345679"));
        assert_eq!(number("1.23456789012345678E17"), number("123456789012345678"));
        assert!(number("1.2345678901234568E17").is_same(&number("123456789012345678")));
        assert!(!number("7").is_same(&number("7.5")));
    }

    #[test]
    fn a_text_that_is_not_a_number_is_refused() {
        for text in ["", ".", "-", "1e", "1.2.3", "0x7", "1_000", "NaN", "inf", "7 ", "1e999", "é"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
        assert!("1".repeat(41).parse::<Decimal>().is_err());
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        for (text, scale, rounded) in [
            ("7.4", 0, "7"),
            ("7.5", 0, "8"),
            ("-7.5", 0, "-8"),
            ("9.996", 2, "10"),
            ("0.4", 0, "0"),
            ("7.25", 3, "7.25"),
        ] {
            assert_eq!(number(text).rounded(scale), number(rounded), "{text}");
        }
    }

    #[test]
    fn a_sum_keeps_every_digit() {
        for (one, other, sum) in [
            ("1234567890123456.78", "0.02", "1234567890123456.8"),
            ("0.1", "0.2", "0.3"),
            ("-0.75", "0.5", "-0.25"),
            ("-5", "5.00", "0"),
            ("999999999999999999", "1", "1000000000000000000"),
        ] {
            assert_eq!(number(one).checked_add(&number(other)).unwrap().to_string(), sum, "{one} + {other}");
        }
        assert_eq!(number(&"9".repeat(40)).checked_add(&number("1")), None);
    }

    proptest! {
        #[test]
        fn a_rendered_number_is_parsed_as_the_same(value in any::<i64>(), scale in 0usize..10) {
            let digits = format!("{:0>12}", value.unsigned_abs());
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            let sign = if value < 0 { "-" } else { "" };
            let parsed = number(&format!("{sign}{whole}.{fraction}"));
            prop_assert_eq!(number(&parsed.to_string()), parsed.clone());
            prop_assert_eq!(number(&format!("{value}e-{scale}")), parsed);
        }

        #[test]
        fn equality_is_that_of_the_values(one in -100_000i64..100_000, other in -100_000i64..100_000) {
            let with_zeros = |value: i64| number(&format!("{value}.{:0>3}", 0));
            prop_assert_eq!(number(&one.to_string()) == with_zeros(other), one == other);
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,12}", scale in 0u32..5) {
            if let Ok(number) = text.parse::<Decimal>() {
                let _ = number.rounded(scale);
            }
        }
    }
}
