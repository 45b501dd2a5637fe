//! IAM Access Analyzer: its own list of findings, which is what counts.

use aws_sdk_accessanalyzer::{
    Client,
    types::{Criterion, FindingStatus, FindingSummary, ResourceType},
};
use cordon_domain::exposure::access_finding::{AccessFinding, AccessStatus};

use super::error::classify;
use crate::error::{Code, Error, Result};

/// One external-access analyzer.
#[derive(Clone, Debug)]
pub struct AccessAnalyzer {
    client: Client,
    analyzer_arn: String,
}

impl AccessAnalyzer {
    /// The analyzer with this ARN.
    pub fn new(client: Client, analyzer_arn: String) -> Self {
        Self { client, analyzer_arn }
    }

    /// Findings about ordinary buckets, or about one of them, with all pages.
    ///
    /// # Errors
    /// As classified.
    pub async fn findings(&self, bucket_arn: Option<&str>) -> Result<Vec<AccessFinding>> {
        let eq = |value: &str| Criterion::builder().eq(value).build();
        let mut call = self
            .client
            .list_findings()
            .analyzer_arn(&self.analyzer_arn)
            .filter("resourceType", eq(ResourceType::AwsS3Bucket.as_str()));
        if let Some(arn) = bucket_arn {
            call = call.filter("resource", eq(arn));
        }
        let mut pages = call.into_paginator().items().send();
        let mut findings = Vec::new();
        while let Some(finding) = pages.next().await {
            let finding = finding.map_err(|error| classify("access-analyzer:ListFindings", error))?;
            findings.extend(read(finding)?);
        }
        Ok(findings)
    }
}

/// An analyzer, as far as it matters whether its findings can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analyzer {
    /// Its ARN.
    pub arn: String,
    /// `ACCOUNT` and `ORGANIZATION` find external access; others find something else.
    pub kind: String,
    /// `ACTIVE` when it works.
    pub status: String,
}

impl Analyzer {
    /// Whether it finds what is shared with somebody outside.
    pub fn finds_external_access(&self) -> bool {
        matches!(self.kind.as_str(), "ACCOUNT" | "ORGANIZATION")
    }
}

/// Every analyzer of the account in the Region of a client.
///
/// # Errors
/// As classified.
pub async fn analyzers(client: &Client) -> Result<Vec<Analyzer>> {
    let mut pages = client.list_analyzers().into_paginator().items().send();
    let mut analyzers = Vec::new();
    while let Some(analyzer) = pages.next().await {
        let analyzer = analyzer.map_err(|error| classify("access-analyzer:ListAnalyzers", error))?;
        analyzers.push(Analyzer {
            arn: analyzer.arn,
            kind: analyzer.r#type.as_str().to_owned(),
            status: analyzer.status.as_str().to_owned(),
        });
    }
    Ok(analyzers)
}

fn read(finding: FindingSummary) -> Result<Option<AccessFinding>> {
    let Some(bucket_arn) = finding.resource else { return Ok(None) };
    let mut principal: Vec<_> = finding
        .principal
        .unwrap_or_default()
        .into_iter()
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    principal.sort();
    let updated_at = super::time(&finding.updated_at).ok_or_else(|| {
        let why =
            format!("Access Analyzer says that it updated the finding {} after the year 9999.", finding.id);
        Error::terminal(Code::InvalidFinding, why)
    })?;
    Ok(Some(AccessFinding {
        finding_id: finding.id,
        bucket_arn,
        account: finding.resource_owner_account,
        status: match finding.status {
            FindingStatus::Archived => AccessStatus::Archived,
            FindingStatus::Resolved => AccessStatus::Resolved,
            // A status that is not known yet may mean access.
            _ => AccessStatus::Active,
        },
        updated_at,
        principal: (!principal.is_empty()).then(|| principal.join(", ")),
        actions: finding.action.unwrap_or_default(),
        is_public: finding.is_public,
        error: finding.error,
    }))
}
