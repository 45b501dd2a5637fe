//! The job for an object that was written again since its finding.
//!
//! It looks for what was looked for when the finding was made, and at little else than the object: Macie scopes by the
//! beginning of a key, so the time and the size of the object have to narrow it further.

use aws_sdk_macie2::types::{
    JobComparator, JobScopeTerm, JobScopingBlock, ManagedDataIdentifierSelector, S3BucketDefinitionForJob,
    S3JobDefinition, ScopeFilterKey, Scoping, SimpleScopeTerm,
};
use cordon_domain::{case::Case, finding::Finding, time::Time};
use jiff::{SignedDuration, tz::TimeZone};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Macie, created};
use crate::{
    aws::error::classify,
    error::{Error, Result},
};

/// Macie and S3 may round the time of an object differently.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

/// An object as it was written last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenObject {
    /// Its ETag, bare.
    pub etag: String,
    /// Bytes.
    pub size: i64,
    /// When, as S3 says.
    pub at: Time,
}

/// A job that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescan {
    /// Its id.
    pub job_id: String,
    /// What it looks for, as the end of a sentence.
    pub looks_for: &'static str,
}

/// What Macie looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identifiers {
    selector: ManagedDataIdentifierSelector,
    managed: Vec<String>,
    custom: Vec<String>,
    allow_lists: Vec<String>,
    /// As the end of a sentence.
    told: &'static str,
}

impl Identifiers {
    fn recommended(told: &'static str) -> Self {
        Self {
            selector: ManagedDataIdentifierSelector::Recommended,
            managed: Vec::new(),
            custom: Vec::new(),
            allow_lists: Vec::new(),
            told,
        }
    }
}

impl Macie {
    /// Creates a job for the object of a case, or gets the one that was created for it before. `written` is the object as
    /// it is now; where that is not known, the job reads whatever has a key that begins like the object's and was written
    /// since the object of the finding.
    ///
    /// # Errors
    /// As classified.
    pub async fn create_rescan(&self, case: &Case, written: Option<&WrittenObject>) -> Result<Rescan> {
        let object = case.object();
        let identifiers = self.identifiers(&case.finding).await?;
        let terms = scope(&case.finding, written);
        let includes = JobScopingBlock::builder().set_and(Some(terms.clone())).build();
        let definition = S3JobDefinition::builder()
            .bucket_definitions(
                S3BucketDefinitionForJob::builder()
                    .account_id(&object.account)
                    .buckets(&object.bucket)
                    .build(),
            )
            .scoping(Scoping::builder().includes(includes).build())
            .build();
        let some = |ids: &[String]| (!ids.is_empty()).then(|| ids.to_vec());
        let call = self
            .client
            .create_classification_job()
            .client_token(client_token(case, written, &identifiers))
            .name(format!("cordon-rescan-{}-{}", case.case_id, case.generation))
            .description("Cordon: an object that was written again after it was found to hold sensitive data")
            .managed_data_identifier_selector(identifiers.selector.clone())
            .set_managed_data_identifier_ids(some(&identifiers.managed))
            .set_custom_data_identifier_ids(some(&identifiers.custom))
            .set_allow_list_ids(some(&identifiers.allow_lists))
            .s3_job_definition(definition);
        Ok(Rescan { job_id: created(call).await?, looks_for: identifiers.told })
    }

    /// What was looked for when a finding was made. What Macie no longer knows, or does not tell, is what it recommends.
    async fn identifiers(&self, finding: &Finding) -> Result<Identifiers> {
        let known = match &finding.job_id {
            Some(job_id) => self.identifiers_of_job(job_id).await,
            None => self.identifiers_of_automated_discovery().await,
        };
        match known {
            Ok(identifiers) => Ok(identifiers),
            Err(error @ Error::Retryable(_)) => Err(error),
            Err(error) => {
                tracing::warn!(
                    finding.id = finding.id,
                    error.message = %error,
                    "a rescan uses the identifiers that Macie recommends: those of the finding are not known"
                );
                Ok(Identifiers::recommended(
                    "what Macie recommends, because Macie does not tell any more what the finding was made by",
                ))
            }
        }
    }

    async fn identifiers_of_job(&self, job_id: &str) -> Result<Identifiers> {
        let call = self.client.describe_classification_job().job_id(job_id);
        let job = call.send().await.map_err(|error| classify("macie2:DescribeClassificationJob", error))?;
        Ok(Identifiers {
            selector: job
                .managed_data_identifier_selector
                .unwrap_or(ManagedDataIdentifierSelector::Recommended),
            managed: job.managed_data_identifier_ids.unwrap_or_default(),
            custom: job.custom_data_identifier_ids.unwrap_or_default(),
            allow_lists: job.allow_list_ids.unwrap_or_default(),
            told: "what the job of the finding looked for",
        })
    }

    /// A job can leave out managed identifiers only of those that it names: where the template names none, what it leaves
    /// out of the recommended ones is looked for nevertheless.
    async fn identifiers_of_automated_discovery(&self) -> Result<Identifiers> {
        const TOLD: &str = "what automated discovery looks for";
        let list = self.client.list_sensitivity_inspection_templates().send().await;
        let list = list.map_err(|error| classify("macie2:ListSensitivityInspectionTemplates", error))?;
        let templates = list.sensitivity_inspection_templates.unwrap_or_default();
        let Some(id) = templates.into_iter().find_map(|template| template.id) else {
            return Ok(Identifiers::recommended(TOLD));
        };
        let template = self.client.get_sensitivity_inspection_template().id(id).send().await;
        let template =
            template.map_err(|error| classify("macie2:GetSensitivityInspectionTemplate", error))?;
        let left_out = template.excludes.and_then(|excludes| excludes.managed_data_identifier_ids);
        let left_out = left_out.unwrap_or_default();
        let mut identifiers = Identifiers::recommended(TOLD);
        if let Some(includes) = template.includes {
            identifiers.managed = includes.managed_data_identifier_ids.unwrap_or_default();
            identifiers.managed.retain(|id| !left_out.contains(id));
            identifiers.custom = includes.custom_data_identifier_ids.unwrap_or_default();
            identifiers.allow_lists = includes.allow_list_ids.unwrap_or_default();
        }
        if !identifiers.managed.is_empty() {
            identifiers.selector = ManagedDataIdentifierSelector::Include;
        }
        Ok(identifiers)
    }
}

/// Macie takes tokens of up to 64 characters. The same object, looked at for the same, makes the same one; another is
/// another job.
fn client_token(case: &Case, written: Option<&WrittenObject>, identifiers: &Identifiers) -> String {
    let written = written.map(|object| json!([object.etag, object.size, object.at.to_string()]));
    let identifiers = json!([
        identifiers.selector.as_str(),
        identifiers.managed,
        identifiers.custom,
        identifiers.allow_lists
    ]);
    let job = json!(["rescan", case.case_id, case.generation, written, identifiers]);
    hex::encode(Sha256::digest(job.to_string()))
}

/// What has the key, the size and the time of the object, as near as Macie can tell.
fn scope(finding: &Finding, written: Option<&WrittenObject>) -> Vec<JobScopeTerm> {
    let term = |key, comparator, value: String| {
        let term = SimpleScopeTerm::builder().key(key).comparator(comparator).values(value).build();
        JobScopeTerm::builder().simple_scope_term(term).build()
    };
    let modified = |comparator, at: Time| {
        let at = at.timestamp().to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        term(ScopeFilterKey::ObjectLastModifiedDate, comparator, at)
    };
    let mut terms =
        vec![term(ScopeFilterKey::ObjectKey, JobComparator::StartsWith, finding.object.key.clone())];
    match written {
        Some(object) => terms.extend([
            modified(JobComparator::Gte, object.at - ROUNDING),
            modified(JobComparator::Lte, object.at + ROUNDING),
            term(ScopeFilterKey::ObjectSize, JobComparator::Eq, object.size.to_string()),
        ]),
        None => {
            let found = finding.last_modified.unwrap_or(finding.created_at);
            terms.push(modified(JobComparator::Gte, found));
        }
    }
    terms
}
