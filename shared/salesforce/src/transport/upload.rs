//! The body of an upload: fields as JSON, and the bytes of a file, which are never in memory as a whole (REST API Developer Guide,
//! Insert or Update Blob Data).

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use futures::stream::{self, Stream, StreamExt as _};
use serde::Serialize;

use crate::session::BoxFuture;
use crate::{BoxError, Error};

/// The bytes of a file, in order, in pieces of any size.
pub type ContentStream = Pin<Box<dyn Stream<Item = Result<Vec<u8>, BoxError>> + Send>>;

/// The content of a file. Each attempt of a call reads it from its beginning.
pub trait FileContent: Send + Sync + 'static {
    /// Returns the number of bytes.
    fn size(&self) -> u64;

    /// Opens the content.
    fn open(&self) -> BoxFuture<'_, Result<ContentStream, BoxError>>;
}

/// A body of the type `multipart/form-data`: the fields of a record, and the content of its blob field.
#[derive(Clone)]
pub(crate) struct Upload {
    boundary: String,
    head: Vec<u8>,
    tail: Vec<u8>,
    content: Arc<dyn FileContent>,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("bytes", &self.content.size()).finish_non_exhaustive()
    }
}

impl Upload {
    /// Combines the fields, in the part `fields_part`, and the content of the field `blob_field` of a file with this name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the fields are not JSON.
    pub(crate) fn new(
        (fields_part, fields): (&str, &impl Serialize),
        (blob_field, file_name): (&str, &str),
        content: Arc<dyn FileContent>,
    ) -> Result<Self, Error> {
        let fields = serde_json::to_string(fields)
            .map_err(|_| Error::Invalid { what: "request body", reason: "is not JSON" })?;
        // As long and as random as that no file contains it.
        let boundary = format!("ferry{:032x}", rand::random::<u128>());
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{fields_part}\"\r\n\
             Content-Type: application/json\r\n\r\n{fields}\r\n\
             --{boundary}\r\nContent-Type: application/octet-stream\r\n\
             Content-Disposition: form-data; name=\"{blob_field}\"; filename=\"{}\"\r\n\r\n",
            quotable(file_name)
        );
        let tail = format!("\r\n--{boundary}--\r\n").into_bytes();
        Ok(Self { head: head.into_bytes(), tail, boundary, content })
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// Returns the number of bytes of the body.
    pub(super) fn length(&self) -> u64 {
        let framing = u64::try_from(self.head.len() + self.tail.len()).unwrap_or(u64::MAX);
        framing.saturating_add(self.content.size())
    }

    /// Opens the content and returns the whole body.
    pub(super) async fn open(&self) -> Result<ContentStream, BoxError> {
        let content = self.content.open().await?;
        let part = |bytes: &Vec<u8>| stream::iter([Ok(bytes.clone())]);
        Ok(part(&self.head).chain(content).chain(part(&self.tail)).boxed())
    }
}

/// Returns the name in a form that needs no escaping in a header. Salesforce takes the name of a file from its fields.
fn quotable(file_name: &str) -> String {
    let is_plain = |char: char| char.is_ascii_graphic() && !matches!(char, '"' | '\\' | '%');
    file_name.chars().map(|char| if is_plain(char) { char } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Pieces(&'static [&'static str]);

    impl FileContent for Pieces {
        fn size(&self) -> u64 {
            self.0.iter().map(|piece| piece.len() as u64).sum()
        }

        fn open(&self) -> BoxFuture<'_, Result<ContentStream, BoxError>> {
            let pieces = self.0.iter().map(|piece| Ok(piece.as_bytes().to_vec()));
            let content: ContentStream = Box::pin(stream::iter(pieces.collect::<Vec<_>>()));
            Box::pin(async { Ok(content) })
        }
    }

    fn upload(file_name: &str) -> Upload {
        let fields = json!({"Title": "Déck"});
        Upload::new(("entity_content", &fields), ("VersionData", file_name), Arc::new(Pieces(&["ab", "", "c"])))
            .unwrap()
    }

    fn body(upload: &Upload) -> String {
        let pieces = futures::executor::block_on(async { upload.open().await.unwrap().collect::<Vec<_>>().await });
        String::from_utf8(pieces.into_iter().flat_map(Result::unwrap).collect()).unwrap()
    }

    #[test]
    fn the_body_has_the_fields_and_then_the_content() {
        let upload = upload("deck.pdf");
        let boundary = upload.boundary.clone();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"entity_content\"\r\n\
             Content-Type: application/json\r\n\r\n{{\"Title\":\"Déck\"}}\r\n\
             --{boundary}\r\nContent-Type: application/octet-stream\r\n\
             Content-Disposition: form-data; name=\"VersionData\"; filename=\"deck.pdf\"\r\n\r\nabc\r\n--{boundary}--\r\n"
        );
        assert_eq!(body(&upload), expected);
        assert_eq!(upload.length(), expected.len() as u64);
        assert_eq!(body(&upload), expected, "a second attempt reads the content again");
    }

    #[test]
    fn a_file_name_cannot_end_its_header() {
        assert!(body(&upload("a\"\r\nX: y.pdf")).contains("filename=\"a___X:_y.pdf\"\r\n"));
    }
}
