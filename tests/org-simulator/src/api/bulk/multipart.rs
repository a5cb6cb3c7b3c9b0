//! `multipart/form-data`: a job and its data in one request (Bulk API 2.0 guide, multipart request).

/// The parts `job` and `content` of a body.
#[derive(Debug, PartialEq)]
pub(super) struct JobAndData<'a> {
    pub(super) job: &'a [u8],
    pub(super) content: &'a [u8],
}

/// Parses a body; the error says what is invalid.
pub(super) fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<JobAndData<'a>, String> {
    let boundary = parameter(content_type, "boundary").ok_or("no multipart boundary was found")?;
    let delimiter = format!("--{boundary}");
    let (mut job, mut content) = (None, None);
    let mut at = find(body, delimiter.as_bytes(), 0).ok_or("no part was found")? + delimiter.len();
    while !body[at..].starts_with(b"--") {
        let end = find(body, delimiter.as_bytes(), at).ok_or("the last part is not closed")?;
        let (headers, data) = split(&body[at..end]).ok_or("a part has no header")?;
        match name(headers).as_deref() {
            Some("job") => job = Some(data),
            Some("content") => content = Some(data),
            other => return Err(format!("unexpected part {}", other.unwrap_or_default())),
        }
        at = end + delimiter.len();
    }
    let missing = "the parts job and content are required";
    Ok(JobAndData { job: job.ok_or(missing)?, content: content.ok_or(missing)? })
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

fn name(headers: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(headers).ok()?;
    let disposition = text.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    parameter(disposition, "name")
}

/// Returns a parameter of a header's value, such as `boundary="x"` or `boundary=x`.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case(wanted) && !value.is_empty()).then(|| value.to_owned())
    })
}

fn find(text: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"BOUNDARY\"";

    #[test]
    fn both_parts_are_found_with_any_line_ending() {
        for end in ["\r\n", "\n"] {
            let body = [
                "--BOUNDARY",
                "Content-Type: application/json",
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
            assert_eq!(found.job, b"{}");
            assert_eq!(found.content, format!("Name{end}A").as_bytes());
        }
    }

    #[test]
    fn an_invalid_body_is_rejected() {
        let refused = |content_type: &str, body: &str| parts(content_type, body.as_bytes()).is_err();
        assert!(refused("multipart/form-data", "--BOUNDARY--"));
        assert!(refused(TYPE, "--BOUNDARY--"));
        assert!(refused(TYPE, "--BOUNDARY\r\n\r\nx"));
        assert!(refused(TYPE, "nothing"));
        assert!(refused(TYPE, "--BOUNDARY\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--BOUNDARY--"));
    }
}
