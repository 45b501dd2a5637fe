//! Macie: findings and discovery jobs.

mod rescan;

use aws_sdk_macie2::{
    Client,
    operation::create_classification_job::builders::CreateClassificationJobFluentBuilder,
    types::{
        CriterionAdditionalProperties, FindingCategory, FindingCriteria, JobStatus, JobType,
        LastRunErrorStatusCode, OrderBy, S3BucketDefinitionForJob, S3JobDefinition, SortCriteria,
    },
};
use cordon_domain::{
    exposure::Batch,
    finding::{Detection, Finding, Incomplete, ObjectVersion, Severity, bare_etag, real_version},
    time,
};
use jiff::Timestamp;

pub use self::rescan::{Rescan, WrittenObject};
use super::error::{classify, status};
use crate::error::{Code, Error, Result};

/// Macie in one Region.
#[derive(Clone, Debug)]
pub struct Macie {
    client: Client,
}

/// A finding as Macie knows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// About sensitive data in an object.
    SensitiveData(Box<Finding>),
    /// About a bucket's settings: none of our business.
    Policy,
    /// Macie does not know the finding.
    Unknown,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq)]
pub enum JobProgress {
    /// Not done; paused ones too.
    Running,
    /// It read everything.
    Complete,
    /// It ended without having read everything, for this reason.
    Incomplete(String),
}

/// How many findings are read at once: `GetFindings` takes at most 50 ids
/// (<https://docs.aws.amazon.com/macie/latest/APIReference/findings-describe.html>); fewer keep answers small.
pub const PAGE: usize = 25;

impl Macie {
    /// Macie behind this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Reads one finding.
    ///
    /// # Errors
    /// `InvalidFinding` for one that lacks what is needed; otherwise as classified.
    pub async fn finding(&self, id: &str) -> Result<Known> {
        let answer = self
            .client
            .get_findings()
            .finding_ids(id)
            .send()
            .await
            .map_err(|error| classify("macie2:GetFindings", error))?;
        match answer
            .findings
            .unwrap_or_default()
            .into_iter()
            .find(|finding| finding.id.as_deref() == Some(id))
        {
            None => Ok(Known::Unknown),
            Some(finding) if finding.category == Some(FindingCategory::Policy) => Ok(Known::Policy),
            Some(finding) => Ok(Known::SensitiveData(Box::new(read(finding)?))),
        }
    }

    /// The ids of unarchived sensitive-data findings made at `since` or later, oldest first, with all pages.
    ///
    /// # Errors
    /// As classified.
    pub async fn findings_since(&self, since: Timestamp) -> Result<Vec<String>> {
        self.unarchived("updatedAt", since).await
    }

    /// The ids of unarchived sensitive-data findings created at `since` or later, oldest first, with all pages.
    ///
    /// # Errors
    /// As classified.
    pub async fn findings_created_since(&self, since: Timestamp) -> Result<Vec<String>> {
        self.unarchived("createdAt", since).await
    }

    async fn unarchived(&self, time: &str, since: Timestamp) -> Result<Vec<String>> {
        let eq = |value: &str| CriterionAdditionalProperties::builder().eq(value).build();
        let since = CriterionAdditionalProperties::builder().gte(since.as_millisecond()).build();
        let criteria = FindingCriteria::builder()
            .criterion("category", eq("CLASSIFICATION"))
            .criterion("archived", eq("false"))
            .criterion(time, since)
            .build();
        self.list(criteria).await
    }

    /// What a job found in a bucket, and how many of its findings could not be read: one of them does not hide the
    /// others, but the bucket is not known completely.
    ///
    /// # Errors
    /// As classified.
    pub async fn findings_of_job(&self, job_id: &str, bucket: &str) -> Result<(Vec<Finding>, usize)> {
        let eq = |value: &str| CriterionAdditionalProperties::builder().eq(value).build();
        let criteria = FindingCriteria::builder()
            .criterion("classificationDetails.jobId", eq(job_id))
            .criterion("resourcesAffected.s3Bucket.name", eq(bucket))
            .build();
        let ids = self.list(criteria).await?;
        let mut findings = Vec::new();
        for page in ids.chunks(PAGE) {
            findings.extend(self.page(page).await?);
        }
        let unreadable = ids.len().saturating_sub(findings.len());
        Ok((findings, unreadable))
    }

    /// Those findings of a page of at most [`PAGE`] that can be read; the others are logged.
    ///
    /// # Errors
    /// As classified.
    pub async fn page(&self, ids: &[String]) -> Result<Vec<Finding>> {
        let call = self.client.get_findings().set_finding_ids(Some(ids.to_vec()));
        let answer = call.send().await.map_err(|error| classify("macie2:GetFindings", error))?;
        let mut findings = Vec::new();
        for finding in answer.findings.unwrap_or_default() {
            let id = finding.id.clone();
            match read(finding) {
                Ok(finding) => findings.push(finding),
                Err(error) => {
                    tracing::error!(finding.id = id, error.message = %error, "a finding was passed over")
                }
            }
        }
        Ok(findings)
    }

    async fn list(&self, criteria: FindingCriteria) -> Result<Vec<String>> {
        let oldest_first = SortCriteria::builder().attribute_name("updatedAt").order_by(OrderBy::Asc).build();
        let mut ids = Vec::new();
        let mut next = None;
        loop {
            let page = self
                .client
                .list_findings()
                .finding_criteria(criteria.clone())
                .sort_criteria(oldest_first.clone())
                .max_results(50)
                .set_next_token(next)
                .send()
                .await
                .map_err(|error| classify("macie2:ListFindings", error))?;
            ids.extend(page.finding_ids.unwrap_or_default());
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(ids);
            }
        }
    }

    /// Creates the job of a batch, or gets the one that was created for it before.
    ///
    /// # Errors
    /// As classified.
    pub async fn create_job(&self, batch: &Batch) -> Result<String> {
        let mut accounts: std::collections::BTreeMap<&str, Vec<String>> = Default::default();
        for bucket in &batch.buckets {
            accounts.entry(&bucket.account).or_default().push(bucket.name.clone());
        }
        let definitions = accounts
            .into_iter()
            .map(|(account, buckets)| {
                S3BucketDefinitionForJob::builder().account_id(account).set_buckets(Some(buckets)).build()
            })
            .collect();
        let call = self
            .client
            .create_classification_job()
            .client_token(batch.client_token())
            .name(format!("cordon-{}-{}", batch.cycle, batch.number))
            .description("Cordon: buckets that IAM Access Analyzer reports as reachable from outside")
            .s3_job_definition(S3JobDefinition::builder().set_bucket_definitions(Some(definitions)).build());
        created(call).await
    }

    /// How far a job is.
    ///
    /// # Errors
    /// As classified.
    pub async fn job(&self, job_id: &str) -> Result<JobProgress> {
        let job = match self.client.describe_classification_job().job_id(job_id).send().await {
            Ok(job) => job,
            // Macie forgets its jobs when it is disabled.
            Err(error) if status(&error) == 404 => {
                return Ok(JobProgress::Incomplete(format!("Macie no longer knows the job {job_id}")));
            }
            Err(error) => return Err(classify("macie2:DescribeClassificationJob", error)),
        };
        let errors =
            job.last_run_error_status.and_then(|status| status.code) == Some(LastRunErrorStatusCode::Error);
        Ok(match job.job_status {
            Some(JobStatus::Complete) if errors => JobProgress::Incomplete(format!(
                "the Macie job {job_id} ended, but could not read all buckets or objects; its log in CloudWatch Logs (/aws/macie/classificationjobs) says which and why"
            )),
            Some(JobStatus::Complete) => JobProgress::Complete,
            Some(JobStatus::Cancelled) => JobProgress::Incomplete(format!(
                "the Macie job {job_id} was cancelled; a bucket with the exclusion tag is not scanned again"
            )),
            _ => JobProgress::Running,
        })
    }
}

fn read(finding: aws_sdk_macie2::types::Finding) -> Result<Finding> {
    let id = finding.id.clone().unwrap_or_default();
    let missing = |what: &str| {
        Error::terminal(
            Code::InvalidFinding,
            format!(
                "Macie's finding {id} has no {what}, so nothing can be done about it automatically. Look at it in Macie."
            ),
        )
    };
    let affected = finding.resources_affected.as_ref();
    let bucket = affected.and_then(|r| r.s3_bucket.as_ref()).ok_or_else(|| missing("bucket"))?;
    let object = affected.and_then(|r| r.s3_object.as_ref()).ok_or_else(|| missing("object"))?;
    let details = finding.classification_details.as_ref();
    let sample = finding.sample.unwrap_or(false);
    let score = finding.severity.as_ref().and_then(|severity| severity.score);
    let severity = score.and_then(Severity::from_score).ok_or_else(|| missing("severity of 1, 2 or 3"))?;
    let required = |value: Option<&String>, what: &str| {
        value.filter(|text| !text.is_empty()).cloned().ok_or_else(|| missing(what))
    };
    // A sample has no real object; only what identifies the case must be there.
    let etag = match (object.e_tag.as_ref(), sample) {
        (None, true) => "sample".to_owned(),
        (etag, _) => bare_etag(&required(etag, "ETag of the object")?).to_owned(),
    };
    Ok(Finding {
        finding_type: finding
            .r#type
            .as_ref()
            .map(|kind| kind.as_str().to_owned())
            .ok_or_else(|| missing("type"))?,
        severity,
        title: finding.title.clone().unwrap_or_default(),
        region: required(finding.region.as_ref(), "Region")?,
        created_at: finding
            .created_at
            .and_then(|time| Timestamp::from_second(time.secs()).ok())
            .map(time::stored)
            .ok_or_else(|| missing("creation time"))?,
        sample,
        object: ObjectVersion {
            account: required(finding.account_id.as_ref(), "account")?,
            bucket: required(bucket.name.as_ref(), "bucket name")?,
            key: required(object.key.as_ref(), "object key")?,
            version_id: real_version(object.version_id.as_deref()),
            etag,
        },
        size: object.size,
        last_modified: object
            .last_modified
            .and_then(|time| Timestamp::from_second(time.secs()).ok())
            .map(time::stored),
        owner: owner(object.tags()).or_else(|| owner(bucket.tags())),
        detections: details.and_then(|details| details.result.as_ref()).map(detections).unwrap_or_default(),
        incomplete: details
            .and_then(|details| details.result.as_ref()?.status.as_ref())
            .and_then(|status| Incomplete::of(status.code(), status.reason())),
        job_id: details.and_then(|details| details.job_id.clone()).filter(|id| !id.is_empty()),
        id,
    })
}

/// The value of the tag `owner`, in any case.
fn owner(tags: &[aws_sdk_macie2::types::KeyValuePair]) -> Option<String> {
    let owner = tags.iter().find(|tag| tag.key().is_some_and(|key| key.eq_ignore_ascii_case("owner")))?;
    owner.value().filter(|value| !value.is_empty()).map(str::to_owned)
}

fn detections(result: &aws_sdk_macie2::types::ClassificationResult) -> Vec<Detection> {
    let managed = result.sensitive_data.iter().flatten().flat_map(|item| {
        let category =
            item.category.as_ref().map_or_else(String::new, |category| category.as_str().to_owned());
        item.detections.iter().flatten().map(move |detection| Detection {
            category: category.clone(),
            name: detection.r#type.clone().unwrap_or_default(),
            count: detection.count.unwrap_or_default(),
        })
    });
    let custom =
        result.custom_data_identifiers.iter().flat_map(|custom| custom.detections.iter().flatten()).map(
            |detection| Detection {
                category: "CUSTOM_IDENTIFIER".into(),
                name: detection.name.clone().or_else(|| detection.arn.clone()).unwrap_or_default(),
                count: detection.count.unwrap_or_default(),
            },
        );
    managed.chain(custom).collect()
}

async fn created(call: CreateClassificationJobFluentBuilder) -> Result<String> {
    let answer = call
        .job_type(JobType::OneTime)
        .send()
        .await
        .map_err(|error| classify("macie2:CreateClassificationJob", error))?;
    answer
        .job_id
        .ok_or_else(|| Error::Retryable("macie2:CreateClassificationJob answered without a job id".into()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_macie2::types;

    use super::*;

    /// A finding as GetFindings answers it, with this status of what Macie read.
    fn finding(status: types::ClassificationResultStatus) -> types::Finding {
        let bucket = types::S3Bucket::builder().name("finance").build();
        let object = types::S3Object::builder().key("backup.zip").e_tag("6bb7").build();
        let result = types::ClassificationResult::builder().status(status).build();
        types::Finding::builder()
            .id("d5a83c6d")
            .account_id("444455556666")
            .region("us-east-1")
            .r#type(types::FindingType::SensitiveDataS3ObjectFinancial)
            .severity(types::Severity::builder().score(3).build())
            .created_at(aws_sdk_macie2::primitives::DateTime::from_secs(1_773_222_415))
            .resources_affected(
                types::ResourcesAffected::builder().s3_bucket(bucket).s3_object(object).build(),
            )
            .classification_details(types::ClassificationDetails::builder().result(result).build())
            .build()
    }

    #[test]
    fn what_macie_could_not_read_is_kept_with_the_finding() {
        let status = |code: &str| types::ClassificationResultStatus::builder().code(code);
        let partial = status("PARTIAL").reason("ARCHIVE_CONTAINS_UNPROCESSED_FILES").build();
        let read_in_part = read(finding(partial)).unwrap().incomplete;
        let expected = Incomplete::of(Some("PARTIAL"), Some("ARCHIVE_CONTAINS_UNPROCESSED_FILES"));
        assert!(read_in_part.is_some());
        assert_eq!(read_in_part, expected);
        assert_eq!(read(finding(status("COMPLETE").build())).unwrap().incomplete, None);
    }
}
