//! Exposures as Security Hub findings (ASFF).

use std::collections::BTreeMap;

use cordon_domain::{
    exposure::{Exposure, PlannedBucket},
    finding::{Detection, Finding},
    links,
    time::Time,
};
use serde::Serialize;

/// One finding in the AWS Security Finding Format, as far as Cordon fills it. Limits that are held are those of
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-top-level-attributes.html>.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SecurityFinding {
    /// Deterministic: each cycle updates the same finding.
    pub id: String,
    /// The default product of the account.
    pub product_arn: String,
    /// The rule that made it.
    pub generator_id: String,
    /// The account that imports.
    pub account_id: String,
    /// When the exposure was first reported.
    pub created_at: Time,
    /// Now; an update that is not later is ignored.
    pub updated_at: Time,
    /// Why it matters, at most 256 characters.
    pub title: String,
    /// What, at most 1,024 characters.
    pub description: String,
    /// The taxonomy's types.
    pub types: Vec<&'static str>,
    /// `ACTIVE` or `ARCHIVED`.
    pub record_state: &'static str,
    /// Who made it.
    pub company: String,
    /// The bucket, then at most 31 objects.
    pub resources: Vec<SecurityResource>,
    /// Numbers and references for automation.
    pub product_fields: BTreeMap<String, String>,
    /// Findings of other products that it joins: product ARN and id.
    pub related: Vec<(String, String)>,
    /// Where to look.
    pub source_url: String,
    /// What to do, at most 512 characters.
    pub remediation: String,
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SecurityResource {
    /// `AwsS3Bucket` or `AwsS3Object`.
    pub resource_type: &'static str,
    /// Its ARN, at most 512 characters.
    pub id: String,
    /// The Region.
    pub region: String,
    /// What Macie found in it.
    pub detections: Vec<Detection>,
    /// Further details; no value is empty.
    pub details: BTreeMap<String, String>,
}

/// Why an exposure is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Nobody outside can reach the bucket any more.
    Access,
    /// None of its objects is left.
    Objects,
}

/// The name under which Cordon's findings are known.
pub const GENERATOR: &str = "cordon/exposed-sensitive-bucket";
/// Security Hub takes at most 32 resources a finding.
const OBJECTS: usize = 31;

/// Where a finding is reported to and as whom.
#[derive(Clone, Debug)]
pub struct Reporter {
    /// The account that imports.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// The company name shown in Security Hub.
    pub company: String,
    /// The analyzer whose findings are joined.
    pub analyzer_arn: String,
}

impl Reporter {
    /// The id of a bucket's finding.
    pub fn finding_id(&self, owner: &str, bucket: &str) -> String {
        format!("{}/{owner}/{GENERATOR}/{bucket}", self.region)
    }

    /// The finding that reports an exposure as it stands.
    pub fn active(&self, exposure: &Exposure, created_at: Time, updated_at: Time) -> SecurityFinding {
        let who = if exposure.is_public() { "everyone".to_owned() } else { who(exposure) };
        let count = exposure.objects.len();
        let objects = if count == 1 { "1 object".to_owned() } else { format!("{count} objects") };
        let quarantined = exposure.objects.iter().filter(|o| o.case_status == "quarantined").count();
        let kinds: std::collections::BTreeSet<_> = exposure
            .objects
            .iter()
            .flat_map(|object| object.finding.detections.iter().map(|detection| detection.name.as_str()))
            .collect();
        let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
        let unconfirmed: Vec<_> = exposure.unconfirmed().map(|(_, why)| why).collect();
        let doubt = match unconfirmed.as_slice() {
            [] => String::new(),
            [why] => format!(
                " 1 of them was not found by the last scan, but that does not mean that it is clean: {why}."
            ),
            [why, ..] => format!(
                " {} of them were not found by the last scan, but that does not mean that they are clean. Of the first: {why}.",
                unconfirmed.len()
            ),
        };
        let mut resources = vec![SecurityResource {
            resource_type: "AwsS3Bucket",
            id: exposure.bucket_arn.clone(),
            region: self.region.clone(),
            detections: Vec::new(),
            details: BTreeMap::from([
                ("Name".to_owned(), exposure.bucket.clone()),
                ("OwnerAccountId".to_owned(), exposure.account.clone()),
            ]),
        }];
        resources.extend(exposure.objects.iter().take(OBJECTS).map(|object| self.object(object)));
        let mut product_fields = BTreeMap::from([
            ("cordon/SensitiveObjectCount".to_owned(), count.to_string()),
            ("cordon/QuarantinedObjectCount".to_owned(), quarantined.to_string()),
            ("cordon/AccessFindingCount".to_owned(), exposure.access.len().to_string()),
        ]);
        if let Some(why) = unconfirmed.first() {
            product_fields.insert("cordon/UnconfirmedObjectCount".into(), unconfirmed.len().to_string());
            product_fields.insert("cordon/UnconfirmedReason".into(), cut(2_048, (*why).to_owned()));
        }
        if let Some(job) = exposure.objects.iter().find_map(|object| object.finding.job_id.clone()) {
            product_fields.insert("cordon/MacieJobId".into(), job);
        }
        let mut related = vec![(
            format!("arn:aws:securityhub:{}::product/aws/access-analyzer", self.region),
            format!("{}/{}", self.analyzer_arn, exposure.bucket_arn),
        )];
        related.extend(exposure.objects.iter().take(9).map(|object| {
            (format!("arn:aws:securityhub:{}::product/aws/macie", self.region), object.finding.id.clone())
        }));
        SecurityFinding {
            title: cut(
                256,
                format!("S3 bucket {} holds sensitive data and is shared with {who}", exposure.bucket),
            ),
            description: cut(
                1_024,
                format!(
                    "IAM Access Analyzer reports that {who} can reach the bucket {}, and Amazon Macie found sensitive \
                     data ({kinds}) in {objects} of it; {quarantined} of them quarantined since.{doubt}",
                    exposure.bucket
                ),
            ),
            types: vec!["Effects/Data Exposure", "Sensitive Data Identifications/PII"],
            record_state: "ACTIVE",
            resources,
            product_fields,
            related,
            ..self.skeleton(&exposure.account, &exposure.bucket, created_at, updated_at)
        }
    }

    /// The finding that says that the exposure of a bucket is over, and why.
    pub fn archived(
        &self,
        bucket: &PlannedBucket,
        over: Over,
        created_at: Time,
        updated_at: Time,
    ) -> SecurityFinding {
        let PlannedBucket { arn, name, account, .. } = bucket;
        let why = match over {
            Over::Access => "IAM Access Analyzer no longer reports that anybody outside can reach it.",
            Over::Objects => {
                "Each of the objects that were reported is gone or quarantined, or was replaced or found clean by a \
                 scan that could read it."
            }
        };
        SecurityFinding {
            title: cut(256, format!("S3 bucket {name} no longer holds sensitive data that is shared")),
            description: cut(1_024, format!("The exposure of the bucket {name} is over. {why}")),
            record_state: "ARCHIVED",
            resources: vec![SecurityResource {
                resource_type: "AwsS3Bucket",
                id: arn.clone(),
                region: self.region.clone(),
                detections: Vec::new(),
                details: BTreeMap::from([("Name".to_owned(), name.clone())]),
            }],
            ..self.skeleton(account, name, created_at, updated_at)
        }
    }

    fn skeleton(&self, owner: &str, bucket: &str, created_at: Time, updated_at: Time) -> SecurityFinding {
        SecurityFinding {
            id: self.finding_id(owner, bucket),
            product_arn: format!(
                "arn:aws:securityhub:{}:{}:product/{}/default",
                self.region, self.account, self.account
            ),
            generator_id: GENERATOR.into(),
            account_id: self.account.clone(),
            created_at: created_at.to_owned(),
            updated_at: updated_at.to_owned(),
            title: String::new(),
            description: String::new(),
            types: vec!["Effects/Data Exposure"],
            record_state: "ACTIVE",
            company: self.company.clone(),
            resources: Vec::new(),
            product_fields: BTreeMap::new(),
            related: Vec::new(),
            source_url: links::access_analyzer(&self.region),
            remediation: "Remove the access that is not intended, or quarantine the objects that are listed."
                .into(),
        }
    }

    fn object(&self, object: &cordon_domain::exposure::SensitiveObject) -> SecurityResource {
        let Finding { object: version, detections, size, last_modified, .. } = &object.finding;
        let mut details = BTreeMap::from([
            ("ETag".to_owned(), version.etag.clone()),
            ("cordon:CaseStatus".to_owned(), object.case_status.clone()),
        ]);
        details.extend(version.version_id.clone().map(|id| ("VersionId".to_owned(), id)));
        details.extend(last_modified.map(|time| ("LastModified".to_owned(), time.to_string())));
        details.extend(size.map(|size| ("cordon:Size".to_owned(), size.to_string())));
        details.extend(object.case_id.clone().map(|id| ("cordon:CaseId".to_owned(), id)));
        details.extend(object.unconfirmed.clone().map(|why| ("cordon:Unconfirmed".to_owned(), why)));
        details.retain(|_, value| !value.trim().is_empty());
        SecurityResource {
            resource_type: "AwsS3Object",
            id: cut(512, format!("arn:aws:s3:::{}/{}", version.bucket, version.key)),
            region: self.region.clone(),
            detections: detections.clone(),
            details,
        }
    }
}

fn who(exposure: &Exposure) -> String {
    let mut who: Vec<_> =
        exposure.access.iter().map(cordon_domain::exposure::access_finding::AccessFinding::who).collect();
    who.sort();
    who.dedup();
    match who.as_slice() {
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        [] => "nobody".into(),
    }
}

fn cut(limit: usize, text: String) -> String {
    if text.chars().count() <= limit {
        return text;
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_domain::exposure::access_finding::AccessStatus;
    use cordon_domain::fixtures::{access, planned_bucket as bucket, sensitive_object as object, time};

    fn reporter() -> Reporter {
        Reporter {
            account: "111122223333".into(),
            region: "us-east-1".into(),
            company: "Cordon".into(),
            analyzer_arn: "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/external-access".into(),
        }
    }

    fn at(day: u32) -> Time {
        time(&format!("2026-03-{day}T10:00:00Z"))
    }

    fn exposure(objects: usize) -> Exposure {
        let objects = (0..objects).map(|n| object(&format!("card-{n}.txt"))).collect();
        Exposure::join(&bucket(), vec![access(AccessStatus::Active)], objects).unwrap()
    }

    #[test]
    fn the_finding_of_an_exposure_says_why_and_names_bucket_and_objects() {
        insta::assert_json_snapshot!(reporter().active(&exposure(1), at(11), at(11)));
    }

    #[test]
    fn the_finding_of_an_exposure_that_is_over() {
        for (name, over) in [("access", Over::Access), ("objects", Over::Objects)] {
            let archived = reporter().archived(&bucket(), over, at(11), at(12));
            insta::assert_json_snapshot!(format!("over_{name}"), archived);
        }
    }

    #[test]
    fn at_most_32_resources_are_listed_and_the_rest_is_counted() {
        let finding = reporter().active(&exposure(100), at(11), at(11));
        assert_eq!(finding.resources.len(), 32);
        assert_eq!(finding.product_fields["cordon/SensitiveObjectCount"], "100");
        assert!(finding.related.len() <= 10);
    }

    #[test]
    fn every_text_is_within_its_limit_and_none_is_empty() {
        let mut exposure = exposure(1);
        exposure.objects[0].finding.object.key = "ключ".repeat(200);
        exposure.access[0].principal = Some("x".repeat(2_000));
        let finding = reporter().active(&exposure, at(11), at(11));
        assert!(finding.title.chars().count() <= 256 && finding.description.chars().count() <= 1_024);
        assert!(finding.resources.iter().all(|resource| resource.id.chars().count() <= 512));
        assert!(
            finding.resources.iter().flat_map(|r| r.details.values()).all(|value| !value.trim().is_empty())
        );
    }

    #[test]
    fn an_exposure_that_is_over_keeps_its_id() {
        for over in [Over::Access, Over::Objects] {
            let archived = reporter().archived(&bucket(), over, at(11), at(11));
            assert_eq!(archived.id, reporter().active(&exposure(1), at(11), at(11)).id);
            assert_eq!(archived.record_state, "ARCHIVED");
        }
    }

    #[test]
    fn what_the_last_scan_did_not_confirm_is_counted_and_says_why() {
        let mut exposure = exposure(3);
        for object in &mut exposure.objects[1..] {
            object.unconfirmed = Some("it is archived".into());
        }
        let finding = reporter().active(&exposure, at(11), at(11));
        assert!(finding.description.contains("2 of them") && finding.description.contains("it is archived"));
        assert_eq!(finding.product_fields["cordon/UnconfirmedObjectCount"], "2");
        assert_eq!(finding.product_fields["cordon/UnconfirmedReason"], "it is archived");
        let said: Vec<_> =
            finding.resources.iter().map(|resource| resource.details.get("cordon:Unconfirmed")).collect();
        assert_eq!(said[..2], [None, None]);
        assert_eq!(said[2].map(String::as_str), Some("it is archived"));
    }
}
