//! The manifest beside a quarantined object: everything needed to put it back and to explain it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{case::Case, case::Vote, finding::ObjectVersion};

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The document's format: 1.
    pub version: u32,
    /// The case.
    pub case_id: String,
    /// Its generation.
    pub generation: u32,
    /// The run that moved the object.
    pub execution_arn: String,
    /// Where the object was.
    pub source: ObjectVersion,
    /// Where it is.
    pub quarantine: Location,
    /// The object as it was.
    pub object: ObjectFacts,
    /// What was compared before the source was removed.
    pub verification: Verification,
    /// The findings.
    pub finding_ids: Vec<String>,
    /// The rule that decided.
    pub rule: String,
    /// The policy object's version.
    pub policy_version: Option<String>,
    /// Who voted; nobody when policy decided.
    pub votes: Vec<Vote>,
    /// When the copy was verified.
    pub verified_at: String,
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

/// What S3 knew of the object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectFacts {
    /// Bytes.
    pub size: i64,
    /// When it was written.
    pub last_modified: Option<String>,
    /// Its storage class; absent means STANDARD.
    pub storage_class: Option<String>,
    /// How it was encrypted.
    pub encryption: Option<String>,
    /// With which key.
    pub kms_key_id: Option<String>,
    /// Content headers, by header name.
    pub content_headers: BTreeMap<String, String>,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// The number of tags (they are carried on the copy).
    pub tag_count: i32,
    /// Checksums of the source, by algorithm.
    pub checksums: BTreeMap<String, String>,
}

/// What proves that the copy is the object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Bytes of the copy; equal to the source's.
    pub size: i64,
    /// Checksums of the copy, by algorithm.
    pub checksums: BTreeMap<String, String>,
    /// The algorithm in which both sides agree; absent when they have none in common.
    pub matched: Option<String>,
    /// The guarantee in words.
    pub guarantee: String,
}

impl Verification {
    /// Compares a copy with its source.
    ///
    /// # Errors
    /// A sentence, when they differ.
    pub fn compare(
        source: &ObjectFacts,
        copy_size: i64,
        copy: BTreeMap<String, String>,
    ) -> Result<Self, String> {
        if source.size != copy_size {
            return Err(format!("the copy has {copy_size} bytes, the object {}", source.size));
        }
        let mut matched = None;
        for (algorithm, checksum) in &source.checksums {
            match copy.get(algorithm) {
                Some(other) if other == checksum => matched = Some(algorithm.clone()),
                Some(_) => return Err(format!("the {algorithm} checksums of object and copy differ")),
                None => {}
            }
        }
        let guarantee = match &matched {
            Some(algorithm) => format!("S3 copied the pinned ETag; size and {algorithm} checksum agree"),
            None => {
                "S3 copied the pinned ETag; size agrees; the object carries no comparable checksum".into()
            }
        };
        Ok(Self { size: copy_size, checksums: copy, matched, guarantee })
    }
}

/// Keys in the quarantine bucket: `<owner account>/<bucket>/<case id>/<generation>/…`. The object's own key is only in
/// the manifest, so no length, encoding or `..` of it matters here.
pub fn quarantine_key(case: &Case, name: &str) -> String {
    let object = case.object();
    format!("{}/{}/{}/{}/{name}", object.account, object.bucket, case.case_id, case.generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(checksums: &[(&str, &str)]) -> ObjectFacts {
        ObjectFacts { size: 5, checksums: map(checksums), ..ObjectFacts::default() }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_copy_is_verified_by_size_and_by_every_checksum_that_both_sides_have() {
        let source = facts(&[("CRC32", "aa"), ("SHA256", "bb")]);
        assert!(Verification::compare(&source, 4, BTreeMap::new()).unwrap_err().contains("bytes"));
        assert!(Verification::compare(&source, 5, map(&[("CRC32", "zz")])).unwrap_err().contains("CRC32"));
        assert_eq!(
            Verification::compare(&source, 5, map(&[("CRC32", "aa")])).unwrap().matched.as_deref(),
            Some("CRC32")
        );
        let weaker = Verification::compare(&source, 5, map(&[("CRC64NVME", "cc")])).unwrap();
        assert_eq!(weaker.matched, None);
        assert!(weaker.guarantee.contains("no comparable checksum"));
    }
}
