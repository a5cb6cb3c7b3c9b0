//! The faults of a body or of query parameters in plain English. The parser's texts use the words of Rust's types.

/// The maximum length of an unknown name in a text.
const MAX_NAME_CHARS: usize = 64;

/// Describes the fault that a parser reports in `text`. `part` is a part of the data: `member` or `query parameter`. An unknown
/// part is named, and the known ones are listed. A value is left out, because it may be a customer's data.
pub(super) fn describe_data(text: &str, part: &str) -> String {
    let text = without_position(text);
    if let Some(name) = quoted(text, "unknown field ") {
        let name: String = name.chars().filter(|character| !character.is_control()).take(MAX_NAME_CHARS).collect();
        return match text.rsplit_once(", expected ") {
            Some((_, known)) => format!("there is no {part} `{name}`; allowed: {}", listed(known)),
            None => format!("there is no {part} `{name}`; allowed: none"),
        };
    }
    if let Some(name) = quoted(text, "missing field ") {
        return format!("the {part} `{name}` is missing");
    }
    if let Some(name) = quoted(text, "duplicate field ") {
        return format!("the {part} `{name}` must be sent once");
    }
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {}", in_words(expected)),
        None => of_text(text).to_owned(),
    }
}

/// Describes the fault of a path: that of a part of it, or of the path itself.
pub(super) fn describe_path(text: &str) -> String {
    let fault = text.strip_prefix("Invalid URL: ").unwrap_or(text);
    format!("the path is invalid: {}", of_text(fault))
}

/// Returns the fault of a number or a boolean that was read from a text, or the text itself.
fn of_text(text: &str) -> &str {
    match text {
        "invalid digit found in string" | "cannot parse integer from empty string" => "expected a whole number",
        "number too large to fit in target type" => "the number is too large",
        "number too small to fit in target type" => "the number is too small",
        "provided string was not `true` or `false`" => "expected true or false",
        other => other,
    }
}

/// Describes the fault of query parameters. The parser begins its text with the name of the parameter.
pub(super) fn describe_query(text: &str) -> String {
    const PART: &str = "query parameter";
    let of_name = ["unknown field `", "duplicate field `", "missing field `"];
    match (of_name.iter().find_map(|start| text.find(start)), text.split_once(": ")) {
        (Some(start), _) => describe_data(&text[start..], PART),
        (None, Some((name, fault))) => format!("{name}: {}", describe_data(fault, PART)),
        (None, None) => describe_data(text, PART),
    }
}

/// Returns the text without ` at line 1 column 5`.
fn without_position(text: &str) -> &str {
    match text.rsplit_once(" at line ") {
        Some((fault, position)) if position.bytes().all(|byte| byte.is_ascii_digit() || b" column".contains(&byte)) => {
            fault
        }
        _ => text,
    }
}

/// Returns the name in backticks after `prefix`.
fn quoted<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(prefix)?.strip_prefix('`')?;
    let end =
        rest.rfind("`, expected ").or_else(|| rest.rfind("`, there are no fields")).or_else(|| rest.rfind('`'))?;
    Some(&rest[..end])
}

/// Returns the names of a list: `` `a` ``, `` `a` or `b` ``, `` one of `a`, `b`, `c` ``.
fn listed(known: &str) -> String {
    known.trim_start_matches("one of ").replace(" or ", ", ")
}

fn in_words(expected: &str) -> String {
    let number = ["u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize"];
    match expected {
        "bool" | "a boolean" => "true or false".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "an object".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "unit" => "null".to_owned(),
        rust if number.contains(&rust) => "a whole number".to_owned(),
        rust if rust.starts_with("struct ") => "an object".to_owned(),
        plain => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_part_is_named_with_the_known_ones() {
        for (text, expected) in [
            ("unknown field `x`, there are no fields", "there is no member `x`; allowed: none"),
            ("unknown field `x`, expected `as` at line 1 column 5", "there is no member `x`; allowed: `as`"),
            ("unknown field `x`, expected `as` or `limit`", "there is no member `x`; allowed: `as`, `limit`"),
            ("unknown field `x`, expected one of `a`, `b`, `c`", "there is no member `x`; allowed: `a`, `b`, `c`"),
        ] {
            assert_eq!(describe_data(text, "member"), expected);
        }
    }

    #[test]
    fn an_unknown_name_is_cut() {
        let text = format!("unknown field `{}\n`, expected `as`", "x".repeat(500));
        let expected = format!("there is no member `{}`; allowed: `as`", "x".repeat(64));
        assert_eq!(describe_data(&text, "member"), expected);
    }

    #[test]
    fn the_words_of_rusts_types_are_not_in_a_text() {
        for (text, expected) in [
            (
                "invalid type: null, expected struct LinkRequest with 6 elements at line 1 column 4",
                "expected an object",
            ),
            ("invalid type: string \"hush, expected\", expected u32", "expected a whole number"),
            ("invalid type: integer `7`, expected a sequence", "expected an array"),
            ("missing field `kind` at line 1 column 2", "the member `kind` is missing"),
            ("duplicate field `as`", "the member `as` must be sent once"),
            ("unknown variant `hush`, expected `team` or `personal`", "expected `team` or `personal`"),
            ("a tenant must be 1 to 128 characters", "a tenant must be 1 to 128 characters"),
            ("provided string was not `true` or `false`", "expected true or false"),
        ] {
            assert_eq!(describe_data(text, "member"), expected);
        }
    }

    #[test]
    fn a_fault_of_a_number_in_a_query_or_a_path_is_plain() {
        for text in ["x", "", "1.5", "70000", "-1"] {
            let fault = text.parse::<u16>().unwrap_err().to_string();
            let described = describe_query(&format!("limit: {fault}"));
            assert!(
                ["limit: expected a whole number", "limit: the number is too large"].contains(&&*described),
                "{fault}"
            );
        }
        let fault = "x".parse::<bool>().unwrap_err().to_string();
        assert_eq!(describe_query(&format!("open: {fault}")), "open: expected true or false");
        let fault = "Invalid URL: record id is not 15 or 18 characters long";
        assert_eq!(describe_path(fault), "the path is invalid: record id is not 15 or 18 characters long");
    }
}
