//! The contents of files that wait to be written to Salesforce, in a bucket whose objects expire.
//!
//! A queue's message and a table's item are too small for them. A key begins with the org, so that the contents of an org are
//! found when it is erased, and contains what the content is bound to, so that nobody else can name it.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::stream;
use jiff::Timestamp;
use salesforce::{BoxError, ContentStream, OrgId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{Error, PlatformUser, Tenant, WriteId};

/// The time for which an upload may begin after its address was made.
pub const UPLOAD_LIFE: Duration = Duration::from_mins(15);
/// The number of objects of a page of an erasure.
const PAGE: i32 = 500;

/// The digest of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// Computes the digest.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// Parses 64 hexadecimal digits.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let pairs = hex.as_bytes().chunks_exact(2);
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Returns 64 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn base64(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }
}

/// The place of a content in the bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StagedKey(String);

impl StagedKey {
    /// Returns the place of the content of a request: of this write, and of no other content under the same idempotency key.
    #[must_use]
    pub fn of_request(org: OrgId, write: WriteId, digest: &Sha256Digest) -> Self {
        Self(format!("{org}/{write}/{}", digest.hex()))
    }

    /// Returns the place of an upload of the tenant's, for this user or for the tenant itself.
    #[must_use]
    pub fn of_upload(org: OrgId, tenant: &Tenant, user: Option<&PlatformUser>, upload: Uuid) -> Self {
        let user = user.map(|user| format!("\n{user}")).unwrap_or_default();
        let owner = Sha256Digest::of(format!("{tenant}{user}").as_bytes()).hex();
        Self(format!("{org}/uploads/{owner}/{upload}"))
    }
}

/// The content that an upload has to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedContent {
    /// The number of bytes.
    pub size: u64,
    /// The media type.
    pub content_type: String,
    /// The digest, if it is known beforehand.
    pub sha256: Option<Sha256Digest>,
}

/// An address to which a content can be uploaded with one `PUT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadAddress {
    /// The URL. It is a secret: whoever has it can upload the content.
    pub url: String,
    /// The headers that the request must have: they are signed.
    pub headers: Vec<(String, String)>,
    /// The time until which the upload may begin.
    pub expires_at: Timestamp,
}

/// The bucket.
#[derive(Clone, Debug)]
pub struct StagedFiles {
    client: Client,
    bucket: String,
}

impl StagedFiles {
    /// Creates a client for the bucket of this name.
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }

    /// Stores a content, whose digest S3 verifies.
    ///
    /// # Errors
    /// Those of AWS.
    pub async fn put(&self, key: &StagedKey, content: Vec<u8>, digest: &Sha256Digest) -> Result<(), Error> {
        let put = self.client.put_object().bucket(&self.bucket).key(&key.0);
        let put = put.checksum_sha256(digest.base64()).body(ByteStream::from(content));
        put.send().await.map_err(Error::aws("store the content of a file")).map(drop)
    }

    /// Returns the number of bytes of a content; `None` if there is none.
    ///
    /// # Errors
    /// Those of AWS.
    pub async fn size(&self, key: &StagedKey) -> Result<Option<u64>, Error> {
        // A list, because S3 answers a request for a missing object with 403 unless the bucket may be listed.
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(&key.0).max_keys(1);
        let listed = list.send().await.map_err(Error::aws("look for the content of a file"))?;
        let mut objects = listed.contents.unwrap_or_default().into_iter();
        let found = objects.find(|object| object.key.as_ref() == Some(&key.0));
        Ok(found.and_then(|object| u64::try_from(object.size?).ok()))
    }

    /// Opens a content, which is read in the pieces in which S3 sends it.
    ///
    /// # Errors
    /// Those of AWS.
    pub async fn open(&self, key: &StagedKey) -> Result<ContentStream, Error> {
        let get = self.client.get_object().bucket(&self.bucket).key(&key.0);
        let body = get.send().await.map_err(Error::aws("read the content of a file"))?.body;
        Ok(Box::pin(stream::try_unfold(body, async |mut body| {
            let piece = body.try_next().await.map_err(BoxError::from)?;
            Ok(piece.map(|piece| (piece.to_vec(), body)))
        })))
    }

    /// Deletes a content.
    ///
    /// # Errors
    /// Those of AWS.
    pub async fn delete(&self, key: &StagedKey) -> Result<(), Error> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(&key.0);
        delete.send().await.map_err(Error::aws("delete the content of a file")).map(drop)
    }

    /// Makes an address to which this content, and no other, can be uploaded for [`UPLOAD_LIFE`], by the clock with which every
    /// call to AWS is signed. Calls nothing.
    ///
    /// # Errors
    /// The function has no credentials.
    pub async fn upload_address(&self, key: &StagedKey, content: &ExpectedContent) -> Result<UploadAddress, Error> {
        let operation = "make the address of an upload";
        let life = PresigningConfig::expires_in(UPLOAD_LIFE);
        let life = life.map_err(|source| Error::Corrupt { operation, source: source.into() })?;
        let expires_at = Timestamp::try_from(life.start_time() + UPLOAD_LIFE).unwrap_or(Timestamp::MAX);
        let put = self.client.put_object().bucket(&self.bucket).key(&key.0).content_type(&content.content_type);
        let put = put.content_length(i64::try_from(content.size).unwrap_or(i64::MAX));
        let put = put.set_checksum_sha256(content.sha256.as_ref().map(Sha256Digest::base64));
        let signed = put.presigned(life).await.map_err(Error::aws(operation))?;
        let headers = signed.headers().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        Ok(UploadAddress { url: signed.uri().to_owned(), headers: headers.collect(), expires_at })
    }

    /// Deletes a page of an org's contents. Returns their number, and whether there are more.
    ///
    /// # Errors
    /// Those of AWS.
    pub async fn delete_page(&self, org: OrgId) -> Result<(u64, bool), Error> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(format!("{org}/")).max_keys(PAGE);
        let listed = list.send().await.map_err(Error::aws("list the contents of files"))?;
        let objects: Vec<ObjectIdentifier> = listed
            .contents
            .unwrap_or_default()
            .into_iter()
            .filter_map(|object| ObjectIdentifier::builder().key(object.key?).build().ok())
            .collect();
        if objects.is_empty() {
            return Ok((0, false));
        }
        let operation = "delete the contents of files";
        let count = objects.len();
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let delete = delete.map_err(|source| Error::Corrupt { operation, source: source.into() })?;
        let deleted = self.client.delete_objects().bucket(&self.bucket).delete(delete).send().await;
        let missing = deleted.map_err(Error::aws(operation))?.errors.unwrap_or_default().len();
        if missing > 0 {
            return Err(Error::Unfinished { operation, missing, total: count });
        }
        Ok((count as u64, listed.is_truncated.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_64_hexadecimal_digits() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256Digest::of(b"abc").hex(), hex);
        assert_eq!(Sha256Digest::parse(&hex.to_uppercase()), Some(Sha256Digest::of(b"abc")));
        for other in ["", &hex[1..], &format!("{hex}0"), &format!("{}g", &hex[1..]), &format!("+{}", &hex[1..])] {
            assert_eq!(Sha256Digest::parse(other), None, "{other}");
        }
    }

    #[test]
    fn an_upload_is_bound_to_org_tenant_and_user() {
        let upload = Uuid::nil();
        let key = |org: &str, tenant: &str, user: Option<&str>| {
            let user = user.map(|user| user.parse().unwrap());
            StagedKey::of_upload(org.parse().unwrap(), &tenant.parse().unwrap(), user.as_ref(), upload)
        };
        let (org, other) = ("00D5e000000KQ2eEAG", "00D79000000exLEEAY");
        let mut keys = vec![
            key(org, "acme", None),
            key(org, "acme", Some("rep-1")),
            key(org, "acme", Some("rep-2")),
            key(org, "acmerep", Some("-1")),
            key(org, "apex", None),
            key(other, "acme", None),
        ];
        let count = keys.len();
        keys.sort_by(|left, right| left.0.cmp(&right.0));
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
