//! A job and its data in one request (Bulk API 2.0 guide, multipart request).

use crate::wire::multipart;

/// The parts `job` and `content` of a body.
#[derive(Debug, PartialEq)]
pub(super) struct JobAndData<'a> {
    pub(super) job: &'a [u8],
    pub(super) content: &'a [u8],
}

/// Parses a body; the error says what is invalid.
pub(super) fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<JobAndData<'a>, String> {
    let (mut job, mut content) = (None, None);
    for part in multipart::parts(content_type, body)? {
        match part.name().as_deref() {
            Some("job") => job = Some(part.data),
            Some("content") => content = Some(part.data),
            other => return Err(format!("unexpected part {}", other.unwrap_or_default())),
        }
    }
    let missing = "the parts job and content are required";
    Ok(JobAndData { job: job.ok_or(missing)?, content: content.ok_or(missing)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"BOUNDARY\"";

    #[test]
    fn the_parts_are_job_and_content() {
        let part = |name: &str, data: &str| {
            format!("--BOUNDARY\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{data}\r\n")
        };
        let body = part("job", "{}") + &part("content", "Name\nA") + "--BOUNDARY--";
        let found = parts(TYPE, body.as_bytes()).unwrap();
        assert_eq!((found.job, found.content), (&b"{}"[..], &b"Name\nA"[..]));
        let other = part("job", "{}") + &part("other", "x") + "--BOUNDARY--";
        assert!(parts(TYPE, other.as_bytes()).is_err());
        assert!(parts(TYPE, b"--BOUNDARY--").is_err());
    }
}
