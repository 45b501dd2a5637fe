//! Objects that an exposure was reported with. Each stays in the report until there is evidence that it is over: a scan
//! that does not find it again is none by itself, because Macie says nothing of what it could not read.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::ScanRecord;
use crate::{finding::Finding, manifest::ObjectFacts, time::Time};

/// The storage classes that Macie reads
/// (<https://docs.aws.amazon.com/macie/latest/user/discovery-supported-storage.html>).
const READ_BY_MACIE: [&str; 6] =
    ["STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];

/// The date of an object that was uploaded in parts is that of the upload's beginning, and a replica's is that of its
/// original (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>): for so long it may have come
/// after its date.
const LATE_ARRIVAL: SignedDuration = SignedDuration::from_hours(24 * 7);

/// An object in which a scan found sensitive data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportedObject {
    /// What was found.
    pub finding: Finding,
    /// When the scan that found it last began.
    pub scanned_at: Time,
}

/// What S3 has at the key of a reported object now.
#[derive(Clone, Debug, PartialEq)]
pub enum AtKey {
    /// Nothing.
    Nothing,
    /// A newest version, which is what Macie reads.
    Newest(Newest),
    /// The reported version, below a newer one or a delete marker.
    BelowNewer,
    /// It cannot be told, for this reason.
    Unknown(String),
}

/// The newest version at a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Newest {
    /// Whether it is the reported one.
    pub reported: bool,
    /// From when on it certainly was there; `None` when S3 does not say.
    pub there_since: Option<Time>,
    /// Why Macie may not be able to read it.
    pub unreadable: Option<String>,
}

impl Newest {
    /// As S3 shows it. `archived` says whether it must be restored before it can be read.
    pub fn new(reported: bool, etag: &str, facts: &ObjectFacts, archived: bool) -> Self {
        let comes_late = etag.contains('-') || facts.replication.as_deref() == Some("REPLICA");
        let late = if comes_late { LATE_ARRIVAL } else { SignedDuration::ZERO };
        Self {
            reported,
            there_since: facts.last_modified.map(|written| written + late),
            unreadable: unreadable(facts, archived),
        }
    }
}

fn unreadable(facts: &ObjectFacts, archived: bool) -> Option<String> {
    let class = facts.storage_class.as_deref().unwrap_or("STANDARD");
    if archived || !READ_BY_MACIE.contains(&class) {
        return Some(format!("it is archived (storage class {class}), and Macie reads no archives"));
    }
    match facts.encryption.as_deref() {
        None | Some("AES256") => None,
        // Which keys Macie may use is for their policies; that it could use one before does not say that it still can.
        Some(_) => Some("it is encrypted with a KMS key, which Macie may not be allowed to use".into()),
    }
}

/// Whether an object stays in the report.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It is over, for this reason.
    Over(&'static str),
    /// It stays: nothing says that it is over, for this reason.
    Stays(String),
}

impl ReportedObject {
    /// Whether an object that the last scan did not find stays in the report. `scan` is the last complete one.
    pub fn standing(&self, at_key: &AtKey, scan: Option<&ScanRecord>) -> Standing {
        let stays = |why: &str| Standing::Stays(why.to_owned());
        let newest = match at_key {
            AtKey::Nothing => return Standing::Over("it is gone"),
            AtKey::BelowNewer => {
                return stays(
                    "its version is still there below a newer one, and Macie reads only the newest",
                );
            }
            AtKey::Unknown(why) => return stays(why),
            AtKey::Newest(newest) => newest,
        };
        if let Some(why) = &newest.unreadable {
            return stays(why);
        }
        let scanned_since = |since: Time| {
            scan.is_some_and(|scan| scan.scanned_at > since && scan.scanned_at > self.scanned_at)
        };
        match (newest.reported, newest.there_since) {
            (true, _) if scanned_since(self.scanned_at) => {
                Standing::Over("a later scan, which could read it, found nothing in it")
            }
            (false, Some(since)) if scanned_since(since) => {
                Standing::Over("it was replaced, and a later scan has read what is there now")
            }
            (true, _) => stays("no complete scan has read it since"),
            (false, _) => stays("it was replaced, and no complete scan has read what is there now"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use crate::fixtures::{finding, time};

    const FOUND: &str = "2026-03-11T10:00:00.000Z";
    const LATER: &str = "2026-04-11T10:00:00.000Z";

    fn reported() -> ReportedObject {
        let finding = finding("SensitiveData:S3Object/Financial", Severity::High, "finance");
        ReportedObject { finding, scanned_at: time(FOUND) }
    }

    fn scan(scanned_at: &str) -> Option<ScanRecord> {
        Some(ScanRecord { job_id: "j".into(), scanned_at: time(scanned_at) })
    }

    fn facts(storage_class: Option<&str>, encryption: Option<&str>, last_modified: &str) -> ObjectFacts {
        ObjectFacts {
            storage_class: storage_class.map(str::to_owned),
            encryption: encryption.map(str::to_owned),
            last_modified: Some(time(last_modified)),
            ..ObjectFacts::default()
        }
    }

    fn stands(newest: Newest, scan: Option<ScanRecord>) -> bool {
        matches!(reported().standing(&AtKey::Newest(newest), scan.as_ref()), Standing::Stays(_))
    }

    #[test]
    fn what_is_gone_is_over_and_what_cannot_be_told_is_not() {
        assert!(matches!(reported().standing(&AtKey::Nothing, None), Standing::Over(_)));
        for at_key in [AtKey::BelowNewer, AtKey::Unknown("S3 refuses".into())] {
            assert!(matches!(reported().standing(&at_key, scan(LATER).as_ref()), Standing::Stays(_)));
        }
    }

    #[test]
    fn a_scan_clears_only_what_it_could_read() {
        for (class, encryption, clears) in [
            (None, None, true),
            (None, Some("AES256"), true),
            (Some("GLACIER_IR"), Some("AES256"), true),
            (Some("GLACIER"), Some("AES256"), false),
            (Some("DEEP_ARCHIVE"), None, false),
            (Some("A_CLASS_OF_TOMORROW"), None, false),
            (None, Some("aws:kms"), false),
            (None, Some("aws:kms:dsse"), false),
        ] {
            for reported in [true, false] {
                let facts = facts(class, encryption, "2026-03-01T10:00:00Z");
                let newest = Newest::new(reported, "e", &facts, false);
                assert_eq!(!stands(newest, scan(LATER)), clears, "{class:?} {encryption:?} {reported}");
            }
        }
        let archived = Newest::new(true, "e", &facts(Some("INTELLIGENT_TIERING"), None, FOUND), true);
        assert!(stands(archived, scan(LATER)));
    }

    #[test]
    fn a_scan_clears_only_what_was_there_when_it_began() {
        let newest = |reported, etag, last_modified| {
            Newest::new(reported, etag, &facts(None, None, last_modified), false)
        };
        assert!(stands(newest(true, "e", "2026-03-01T10:00:00Z"), None));
        assert!(stands(newest(true, "e", "2026-03-01T10:00:00Z"), scan(FOUND)), "the scan that found it");
        assert!(!stands(newest(false, "e", "2026-04-11T09:59:59Z"), scan(LATER)));
        assert!(stands(newest(false, "e", "2026-04-11T10:00:00Z"), scan(LATER)), "written meanwhile");
        assert!(stands(newest(false, "e-2", "2026-04-11T09:59:59Z"), scan(LATER)), "uploaded in parts");
        assert!(!stands(newest(false, "e-2", "2026-04-01T10:00:00Z"), scan(LATER)));
        let replica =
            ObjectFacts { replication: Some("REPLICA".into()), ..facts(None, None, "2026-04-11T09:00:00Z") };
        assert!(stands(Newest::new(false, "e", &replica, false), scan(LATER)));
        assert!(stands(Newest::new(false, "e", &ObjectFacts::default(), false), scan(LATER)), "no date");
    }
}
