//! Macie: findings and discovery jobs.

mod finding;
mod rescan;

use aws_sdk_macie2::{
    Client,
    error::ProvideErrorMetadata,
    operation::create_classification_job::builders::CreateClassificationJobFluentBuilder,
    types::{
        CriterionAdditionalProperties, FindingCategory, FindingCriteria, JobStatus, JobType,
        LastRunErrorStatusCode, MacieStatus, OrderBy, S3BucketDefinitionForJob, S3JobDefinition,
        SortCriteria,
    },
};
use cordon_domain::{exposure::Batch, finding::Finding};
use jiff::Timestamp;

use self::finding::read;
pub use self::rescan::{Rescan, WrittenObject};
use super::error::{classify, status};
use crate::error::{Error, Result};

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

    /// Whether Macie is on and not suspended, and how often it updates findings; `None` where it is off.
    ///
    /// # Errors
    /// As classified.
    pub async fn session(&self) -> Result<Option<(bool, String)>> {
        match self.client.get_macie_session().send().await {
            Ok(session) => {
                let frequency = session.finding_publishing_frequency.map(|often| often.as_str().to_owned());
                let works = session.status == Some(MacieStatus::Enabled);
                Ok(Some((works, frequency.unwrap_or_else(|| "unknown".into()))))
            }
            // Macie answers everything so while it is off; a missing permission reads otherwise.
            Err(error) if error.message().is_some_and(|message| message.contains("Macie is not enabled")) => {
                Ok(None)
            }
            Err(error) => Err(classify("macie2:GetMacieSession", error)),
        }
    }

    /// Reads one finding.
    ///
    /// # Errors
    /// `InvalidFinding` for one that lacks what is needed; otherwise as classified.
    pub async fn finding(&self, id: &str) -> Result<Known> {
        let answer = match self.client.get_findings().finding_ids(id).send().await {
            Ok(answer) => answer,
            Err(error) if status(&error) == 404 => return Ok(Known::Unknown),
            Err(error) => return Err(classify("macie2:GetFindings", error)),
        };
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
