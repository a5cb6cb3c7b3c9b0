//! The content of a file as the Salesforce client reads it.

use salesforce::{BoxError, BoxFuture, ContentStream, FileContent};
use store::{StagedFiles, StagedKey};

/// A content in the bucket, which is read as often as it is sent.
pub(crate) struct StagedContent {
    pub(crate) staged_files: StagedFiles,
    pub(crate) key: StagedKey,
    pub(crate) size: u64,
}

impl FileContent for StagedContent {
    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> BoxFuture<'_, Result<ContentStream, BoxError>> {
        Box::pin(async { Ok(self.staged_files.open(&self.key).await?) })
    }
}
