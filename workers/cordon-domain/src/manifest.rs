//! The manifest beside quarantined objects: everything needed to put them back and to explain the move.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    case::{Case, QuarantineCopy, vote::Vote},
    finding::ObjectVersion,
    policy::Versions,
};
use crate::time::Time;

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The document's format: 1.
    pub version: u32,
    /// The case.
    pub case_id: String,
    /// Its generation.
    pub generation: u32,
    /// The run that moved the objects.
    pub execution_arn: String,
    /// Which versions of the key policy named.
    pub versions: Versions,
    /// What was moved, newest first; the version that the finding reported is one of them.
    pub entries: Vec<Entry>,
    /// How many versions of the key policy left where they are.
    pub versions_left: usize,
    /// The findings.
    pub finding_ids: Vec<String>,
    /// The rule that decided.
    pub rule: String,
    /// The policy object's version.
    pub policy_version: Option<String>,
    /// Who voted; nobody when policy decided.
    pub votes: Vec<Vote>,
    /// When the copies were verified.
    pub verified_at: Time,
}

/// One object version, before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it was.
    pub source: ObjectVersion,
    /// Where it is.
    pub quarantine: Location,
    /// The object as it was.
    pub object: ObjectFacts,
    /// What was compared before the source was removed.
    pub verification: Verification,
}

/// Where a quarantined object is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// The quarantine bucket.
    pub bucket: String,
    /// The key there, free of anything that came from outside.
    pub key: String,
    /// The version of the copy.
    pub version_id: Option<String>,
}

/// What S3 knows of an object, apart from its bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectFacts {
    /// Bytes.
    pub size: i64,
    /// When it was written.
    pub last_modified: Option<Time>,
    /// Its storage class; absent means STANDARD.
    pub storage_class: Option<String>,
    /// How it was encrypted.
    pub encryption: Option<String>,
    /// With which key.
    pub kms_key_id: Option<String>,
    /// Whether by a bucket key.
    #[serde(default)]
    pub bucket_key: bool,
    /// Content headers, by header name.
    pub content_headers: BTreeMap<String, String>,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// Metadata entries that S3 holds and cannot show in a header.
    #[serde(default)]
    pub hidden_metadata: i32,
    /// The number of tags, which are carried on the copy.
    pub tag_count: i32,
    /// Where a website endpoint redirects to.
    #[serde(default)]
    pub website_redirect: Option<String>,
    /// How it is replicated, as S3 says: `COMPLETED`, `PENDING`, `FAILED`, or `REPLICA`.
    #[serde(default)]
    pub replication: Option<String>,
    /// Whole-object checksums, by algorithm.
    pub checksums: BTreeMap<String, String>,
}

impl ObjectFacts {
    /// Whether a copy has the metadata and the content headers of the object.
    ///
    /// # Errors
    /// A sentence, when it has not.
    pub fn describe_alike(&self, copy: &ObjectFacts) -> Result<(), String> {
        if self.metadata != copy.metadata {
            return Err("the metadata of object and copy differ".into());
        }
        if self.content_headers != copy.content_headers {
            return Err("the content headers of object and copy differ".into());
        }
        Ok(())
    }
}

/// What proves that a copy is the object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Bytes of the copy; equal to the source's.
    pub size: i64,
    /// Checksums of the copy, by algorithm.
    pub checksums: BTreeMap<String, String>,
    /// The algorithm in which both sides agree; absent when they have none in common.
    pub matched: Option<String>,
    /// Hex SHA-256 of both sides as read, where policy asks for `verify = "full"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
    /// How many annotations were written beside a copy in parts, one by one. Absent for a copy at once: S3 takes all of
    /// them along, or refuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<usize>,
    /// The guarantee in words.
    pub guarantee: String,
}

impl ObjectFacts {
    /// Whether both describe the same writing of an object: the same bytes can be written again with other metadata.
    pub fn is_same_writing(&self, other: &Self) -> bool {
        self.size == other.size
            && self.last_modified == other.last_modified
            && self.metadata == other.metadata
            && self.content_headers == other.content_headers
            && self.tag_count == other.tag_count
    }
}

impl Verification {
    /// Compares a copy with its source, as S3 describes both.
    ///
    /// # Errors
    /// A sentence, when they differ.
    pub fn compare(source: &ObjectFacts, copy: &ObjectFacts) -> Result<Self, String> {
        if source.size != copy.size {
            return Err(format!("the copy has {} bytes, the object {}", copy.size, source.size));
        }
        let mut matched = None;
        for (algorithm, checksum) in &source.checksums {
            match copy.checksums.get(algorithm) {
                Some(other) if other == checksum => matched = Some(algorithm.clone()),
                Some(_) => return Err(format!("the {algorithm} checksums of object and copy differ")),
                None => {}
            }
        }
        let guarantee = match &matched {
            Some(algorithm) => format!("S3 copied the pinned ETag; size and {algorithm} checksum agree"),
            None => {
                "S3 copied the pinned ETag; size agrees; object and copy have no comparable checksum".into()
            }
        };
        Ok(Self {
            size: copy.size,
            checksums: copy.checksums.clone(),
            matched,
            read: None,
            annotations: None,
            guarantee,
        })
    }

    /// Whether a copy, as S3 describes it now, is the one that was verified.
    pub fn is_of(&self, copy: &ObjectFacts) -> bool {
        let same = |(algorithm, checksum): (&String, &String)| {
            copy.checksums.get(algorithm).is_none_or(|now| now == checksum)
        };
        self.size == copy.size && self.checksums.iter().all(same)
    }

    /// The same, after both sides were read and hashed.
    ///
    /// # Errors
    /// A sentence, when the hashes differ.
    pub fn with_both_read(mut self, source: &str, copy: &str) -> Result<Self, String> {
        if source != copy {
            return Err("object and copy were read, and their SHA-256 differ".into());
        }
        self.guarantee = "S3 copied the pinned ETag; both sides were read, and their SHA-256 agree".into();
        self.read = Some(source.to_owned());
        Ok(self)
    }
}

/// Keys in the quarantine bucket: `<owner account>/<bucket>/<case id>/<generation>/…`, with the generation that began to
/// copy. The object's own key is only in the manifest, so no length, encoding or `..` of it matters here.
pub fn quarantine_key(case: &Case, name: &str) -> String {
    let object = case.object();
    let generation = case.quarantine.newest_copy().map_or(case.generation, |copy| copy.generation);
    format!("{}/{}/{}/{generation}/{name}", object.account, object.bucket, case.case_id)
}

/// Where this generation puts copies of its own.
pub fn new_copy(case: &Case) -> QuarantineCopy {
    let (object, generation) = (case.object(), case.generation);
    let key = format!("{}/{}/{}/{generation}/object", object.account, object.bucket, case.case_id);
    QuarantineCopy { generation, key }
}

/// Whether a copy lies where this case's copies lie.
pub fn is_copy_of(case: &Case, copy: &QuarantineCopy) -> bool {
    let object = case.object();
    let folder = format!("{}/{}/{}/{}/", object.account, object.bucket, case.case_id, copy.generation);
    copy.key.strip_prefix(&folder).is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// The key of the manifest that lies beside a copy.
pub fn manifest_beside(copy_key: &str) -> String {
    let prefix = copy_key.rsplit_once('/').map_or("", |(prefix, _)| prefix);
    format!("{prefix}/manifest.json")
}

/// The key of a copy: `object` for the reported version, a name of its own for each further one.
pub fn copy_key(case: &Case, version: &ObjectVersion) -> String {
    if version == case.object() {
        quarantine_key(case, "object")
    } else {
        quarantine_key(case, &format!("version-{}", version.case_id()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(size: i64, checksums: &[(&str, &str)]) -> ObjectFacts {
        let checksums = checksums.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        ObjectFacts { size, checksums, ..ObjectFacts::default() }
    }

    #[test]
    fn a_copy_that_is_described_otherwise_is_not_the_object() {
        let entry = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        let source = ObjectFacts { metadata: entry("owner", "finance"), ..ObjectFacts::default() };
        assert_eq!(source.describe_alike(&source.clone()), Ok(()));
        assert!(source.describe_alike(&ObjectFacts::default()).unwrap_err().contains("metadata"));
        let typed = ObjectFacts { content_headers: entry("Content-Type", "text/csv"), ..source.clone() };
        assert!(source.describe_alike(&typed).unwrap_err().contains("content headers"));
    }

    #[test]
    fn a_copy_is_verified_by_size_and_by_every_checksum_that_both_sides_have() {
        let source = facts(5, &[("CRC32", "aa"), ("SHA256", "bb")]);
        assert!(Verification::compare(&source, &facts(4, &[])).unwrap_err().contains("bytes"));
        assert!(Verification::compare(&source, &facts(5, &[("CRC32", "zz")])).unwrap_err().contains("CRC32"));
        let crc = Verification::compare(&source, &facts(5, &[("CRC32", "aa")])).unwrap();
        assert_eq!(crc.matched.as_deref(), Some("CRC32"));
        let weaker = Verification::compare(&source, &facts(5, &[("CRC64NVME", "cc")])).unwrap();
        assert_eq!(weaker.matched, None);
        assert!(weaker.guarantee.contains("no comparable checksum"));
        assert!(weaker.clone().with_both_read("aa", "ab").is_err());
        assert!(weaker.with_both_read("aa", "aa").unwrap().guarantee.contains("both sides were read"));
    }
}
