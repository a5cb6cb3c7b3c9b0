//! Phone numbers, compared by their digits. Pure functions.
//!
//! Salesforce stores a number as it was entered, and formats only those of 10 digits for users in the United States and Canada
//! (Salesforce Help 000385963). So one number has many spellings: with or without the country code, the trunk prefix `0`, the
//! `(0)` between them, and an extension.

/// The minimum number of digits that two numbers must have in common.
const MIN_DIGITS: usize = 7;
/// The maximum number of digits of an international number (ITU-T E.164).
const MAX_DIGITS: usize = 15;

/// A phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phone {
    /// The runs of digits, as the caller separated them.
    groups: Vec<String>,
    /// The number begins with `+` and a country code.
    is_international: bool,
}

impl Phone {
    /// Parses a number in any spelling.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let phone = Self { groups: groups(text), is_international: text.trim_start().starts_with('+') };
        let digits = phone.digits().len();
        let is_number = !text.trim_start().starts_with(char::is_alphabetic) && text.chars().count() <= 40;
        let is_valid = is_number && (MIN_DIGITS..=MAX_DIGITS + 2).contains(&digits);
        is_valid.then_some(phone).ok_or("phone must be a phone number with 7 to 15 digits")
    }

    fn digits(&self) -> String {
        self.groups.concat()
    }

    /// Returns whether a stored number is the same: without zeros before them, the digits of one end with those of the other.
    pub(super) fn is_same(&self, stored: &str) -> bool {
        let (one, other) = (self.digits(), groups(stored).concat());
        let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
        one.len().min(other.len()) >= MIN_DIGITS && (one.ends_with(other) || other.ends_with(one))
    }

    /// Returns the sequences of digits by which a search finds the number. Salesforce's index splits a text at every character
    /// that is neither a letter nor a digit, so that a number is found only in a spelling with the same groups: as the caller
    /// separated it, in one group, and in the groups of North America; each with and without the country code.
    pub(super) fn spellings(&self) -> Vec<String> {
        let whole = self.digits();
        let international = whole.trim_start_matches('0');
        let mut spellings = vec![self.groups.join(" "), whole.clone(), international.to_owned()];
        let national = &self.groups[1..];
        let of_nation = national.concat();
        if of_nation.len() >= MIN_DIGITS {
            spellings.extend([national.join(" "), of_nation.clone(), format!("0{of_nation}")]);
            if let [area, rest @ ..] = national {
                spellings.push(format!("0{area} {}", rest.join(" ")).trim_end().to_owned());
            }
        }
        let american = match international.strip_prefix('1') {
            Some(rest) if rest.len() == 10 => rest,
            _ if self.is_international => "",
            _ => &whole,
        };
        if let ([area, exchange, line], 10) = (&[0..3, 3..6, 6..10], american.len()) {
            let groups = [area, exchange, line].map(|range| &american[range.clone()]);
            spellings.extend([american.to_owned(), groups.join(" ")]);
        }
        let mut unique = Vec::new();
        spellings.retain(|spelling| {
            !unique.contains(spelling) && {
                unique.push(spelling.clone());
                true
            }
        });
        spellings
    }
}

/// Returns the runs of digits, without the `(0)` that is not dialed from abroad, and without an extension.
fn groups(text: &str) -> Vec<String> {
    let text = text.replacen("(0)", " ", 1);
    let number = text.split(|c: char| c.is_alphabetic() || matches!(c, ';' | ',' | '#')).next().unwrap_or_default();
    let groups = number.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
    groups.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_number_are_the_same() {
        for (one, other) in [
            ("+49 30 123456", "030 123456"),
            ("+49 (0)30 123456", "004930123456"),
            ("030/12 34 56", "+49-30-123456"),
            ("+1 415 555 0100", "(415) 555-0100"),
            ("4155550100", "415.555.0100 ext. 17"),
            ("+33 1 23 45 67 89", "01 23 45 67 89"),
        ] {
            assert!(Phone::parse(one).unwrap().is_same(other), "{one} {other}");
            assert!(Phone::parse(other).unwrap().is_same(one), "{other} {one}");
        }
    }

    #[test]
    fn other_numbers_differ() {
        for (one, other) in [
            ("+49 30 123456", "+49 30 123457"),
            ("415 555 0100", "555 0100 1"),
            ("4155550100", "0100"),
            ("4155550100", ""),
        ] {
            assert!(!Phone::parse(one).unwrap().is_same(other), "{one} {other}");
        }
    }

    #[test]
    fn a_number_is_searched_in_its_usual_groups() {
        let spellings = |number: &str| Phone::parse(number).unwrap().spellings();
        assert_eq!(
            spellings("+49 30 123456"),
            ["49 30 123456", "4930123456", "30 123456", "30123456", "030123456", "030 123456"]
        );
        assert_eq!(spellings("+14155550100"), ["14155550100", "4155550100", "415 555 0100"]);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "12", "123456", "call me 4155550100", "123456789012345678", &"1-".repeat(30)] {
            assert!(Phone::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn separators_do_not_matter(digits in "[1-9][0-9]{6,14}", separators in "[ ()./-]{15}") {
            let pairs = digits.chars().zip(separators.chars());
            let spelt: String = pairs.flat_map(|(digit, separator)| [digit, separator]).filter(|c| *c != ')' && *c != '(').collect();
            prop_assert!(Phone::parse(&digits).unwrap().is_same(&spelt));
            prop_assert!(Phone::parse(&digits).unwrap().spellings().contains(&digits));
        }
    }
}
