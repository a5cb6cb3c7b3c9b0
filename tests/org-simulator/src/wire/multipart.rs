//! `multipart/form-data` (RFC 7578): the parts of a body.

/// A part of a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Part<'a> {
    headers: &'a str,
    pub(crate) data: &'a [u8],
}

impl Part<'_> {
    /// Returns the name of the part.
    pub(crate) fn name(&self) -> Option<String> {
        parameter(self.header("content-disposition")?, "name")
    }

    /// Returns whether the part says that it is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("application/json"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(known, _)| known.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Parses a body; the error says what is invalid.
pub(crate) fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, String> {
    let boundary = parameter(content_type, "boundary").ok_or("no multipart boundary was found")?;
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut at = find(body, delimiter.as_bytes(), 0).ok_or("no part was found")? + delimiter.len();
    while !body[at..].starts_with(b"--") {
        let end = find(body, delimiter.as_bytes(), at).ok_or("the last part is not closed")?;
        let (headers, data) = split(&body[at..end]).ok_or("a part has no header")?;
        let headers = std::str::from_utf8(headers).map_err(|_| "the headers of a part are not UTF-8")?;
        parts.push(Part { headers, data });
        at = end + delimiter.len();
    }
    Ok(parts)
}

/// Splits a part into headers and data; the line break before the next delimiter belongs to the delimiter.
fn split(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let part = part.strip_prefix(b"\r\n").or_else(|| part.strip_prefix(b"\n"))?;
    let (end, gap) = match (find(part, b"\r\n\r\n", 0), find(part, b"\n\n", 0)) {
        (Some(crlf), Some(lf)) if lf < crlf => (lf, 2),
        (Some(crlf), _) => (crlf, 4),
        (None, Some(lf)) => (lf, 2),
        (None, None) => return None,
    };
    let data = &part[end + gap..];
    let data = data.strip_suffix(b"\r\n").or_else(|| data.strip_suffix(b"\n")).unwrap_or(data);
    Some((&part[..end], data))
}

/// Returns a parameter of a header's value, such as `boundary="x"` or `boundary=x`.
fn parameter(header: &str, needle: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case(needle) && !value.is_empty()).then(|| value.to_owned())
    })
}

fn find(text: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(needle.len()).position(|window| window == needle).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"BOUNDARY\"";

    #[test]
    fn parts_are_found_with_any_line_ending() {
        for end in ["\r\n", "\n"] {
            let body = [
                "--BOUNDARY",
                "Content-Type: application/json; charset=UTF-8",
                "Content-Disposition: form-data; name=\"job\"",
                "",
                "{}",
                "--BOUNDARY",
                "Content-Disposition: form-data; name=\"content\"; filename=\"content\"",
                "",
                "Name",
                "A",
                "--BOUNDARY--",
                "",
            ]
            .join(end);
            let found = parts(TYPE, body.as_bytes()).unwrap();
            let names: Vec<_> = found.iter().map(|part| (part.name().unwrap(), part.is_json())).collect();
            assert_eq!(names, [("job".to_owned(), true), ("content".to_owned(), false)]);
            assert_eq!((found[0].data, found[1].data), (&b"{}"[..], format!("Name{end}A").as_bytes()));
        }
    }

    #[test]
    fn an_invalid_body_is_rejected() {
        let refused = |content_type: &str, body: &str| parts(content_type, body.as_bytes()).is_err();
        assert!(refused("multipart/form-data", "--BOUNDARY--"));
        assert!(refused(TYPE, "--BOUNDARY\r\n\r\nx"));
        assert!(refused(TYPE, "nothing"));
    }
}
