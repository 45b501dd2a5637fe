//! Security Hub: importing findings.

use aws_sdk_securityhub::{
    Client,
    operation::describe_hub::DescribeHubError,
    types::{
        AwsS3BucketDetails, AwsS3ObjectDetails, AwsSecurityFinding, ClassificationResult,
        DataClassificationDetails, FindingProviderFields, FindingProviderSeverity, Partition, Recommendation,
        RecordState, RelatedFinding, Remediation, Resource, ResourceDetails, SensitiveDataDetections,
        SensitiveDataResult, Severity, SeverityLabel, Workflow, WorkflowStatus,
    },
};

use crate::{
    aws::{
        error::classify,
        security_hub::asff::{SecurityFinding, SecurityResource},
    },
    error::{Code, Error, Result},
};

/// Security Hub in one Region.
#[derive(Clone, Debug)]
pub struct SecurityHub {
    client: Client,
}

/// `BatchImportFindings` takes at most 100 findings
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>).
const BATCH: usize = 100;

impl SecurityHub {
    /// Security Hub behind this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Whether Security Hub takes findings in this account and Region.
    ///
    /// # Errors
    /// As classified.
    pub async fn is_on(&self) -> Result<bool> {
        match self.client.describe_hub().send().await {
            Ok(_) => Ok(true),
            // What it answers everything with while it is off
            // (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DescribeHub.html>).
            Err(error)
                if error.as_service_error().is_some_and(DescribeHubError::is_invalid_access_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(classify("securityhub:DescribeHub", error)),
        }
    }

    /// Imports findings; an answer of 200 does not mean imported, so what failed is read from it.
    ///
    /// # Errors
    /// `ImportRejected`, naming the findings that were refused; otherwise as classified.
    pub async fn import(&self, findings: &[SecurityFinding]) -> Result<()> {
        for batch in findings.chunks(BATCH) {
            let asff = batch.iter().map(build).collect::<Result<Vec<_>>>()?;
            let answer = self
                .client
                .batch_import_findings()
                .set_findings(Some(asff))
                .send()
                .await
                .map_err(|error| classify("securityhub:BatchImportFindings", error))?;
            let failed = answer.failed_findings.unwrap_or_default();
            if let Some(first) = failed.first() {
                return Err(Error::terminal(
                    Code::ImportRejected,
                    format!(
                        "Security Hub refused {} of {} findings; the first is {} ({}: {}).",
                        failed.len(),
                        batch.len(),
                        first.id.as_deref().unwrap_or("unknown"),
                        first.error_code.as_deref().unwrap_or("no code"),
                        first.error_message.as_deref().unwrap_or("no message"),
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn build(finding: &SecurityFinding) -> Result<AwsSecurityFinding> {
    let severity = SeverityLabel::High;
    let types: Vec<String> = finding.types.iter().map(|kind| (*kind).to_owned()).collect();
    let related: Vec<RelatedFinding> = finding
        .related
        .iter()
        .map(|(product, id)| RelatedFinding::builder().product_arn(product).id(id).build())
        .collect();
    let recommendation =
        Recommendation::builder().text(&finding.remediation).url(&finding.source_url).build();
    let asff = AwsSecurityFinding::builder()
        .schema_version("2018-10-08")
        .id(&finding.id)
        .product_arn(&finding.product_arn)
        .generator_id(&finding.generator_id)
        .aws_account_id(&finding.account_id)
        .created_at(finding.created_at.to_string())
        .updated_at(finding.updated_at.to_string())
        .title(&finding.title)
        .description(&finding.description)
        .set_types(Some(types.clone()))
        .severity(Severity::builder().label(severity.clone()).build())
        .workflow(Workflow::builder().status(WorkflowStatus::New).build())
        .record_state(RecordState::from(finding.record_state))
        .company_name(&finding.company)
        .product_name("Cordon")
        .source_url(&finding.source_url)
        .remediation(Remediation::builder().recommendation(recommendation).build())
        .set_product_fields(
            Some(finding.product_fields.clone().into_iter().collect())
                .filter(|fields: &std::collections::HashMap<_, _>| !fields.is_empty()),
        )
        .set_related_findings(Some(related.clone()).filter(|related| !related.is_empty()))
        .set_resources(Some(finding.resources.iter().map(resource).collect::<Result<_>>()?))
        .finding_provider_fields(
            FindingProviderFields::builder()
                .severity(FindingProviderSeverity::builder().label(severity).build())
                .set_types(Some(types))
                .set_related_findings(Some(related).filter(|related| !related.is_empty()))
                .build(),
        );
    Ok(asff.build())
}

fn resource(resource: &SecurityResource) -> Result<Resource> {
    let detail = |name: &str| resource.details.get(name).cloned();
    let details = ResourceDetails::builder();
    let details = if resource.resource_type == "AwsS3Bucket" {
        details.aws_s3_bucket(
            AwsS3BucketDetails::builder()
                .set_name(detail("Name"))
                .set_owner_account_id(detail("OwnerAccountId"))
                .build(),
        )
    } else {
        let other = resource.details.iter().filter(|(name, _)| name.starts_with("cordon:"));
        details
            .aws_s3_object(
                AwsS3ObjectDetails::builder()
                    .set_e_tag(detail("ETag"))
                    .set_version_id(detail("VersionId"))
                    .set_last_modified(detail("LastModified"))
                    .build(),
            )
            .set_other(Some(other.map(|(name, value)| (name.clone(), value.clone())).collect()))
    };
    let built = Resource::builder()
        .r#type(resource.resource_type)
        .id(&resource.id)
        .partition(Partition::Aws)
        .region(&resource.region)
        .details(details.build());
    let built = if resource.detections.is_empty() {
        built
    } else {
        built.data_classification(classification(resource))
    };
    Ok(built.build())
}

fn classification(resource: &SecurityResource) -> DataClassificationDetails {
    let mut categories: std::collections::BTreeMap<&str, Vec<SensitiveDataDetections>> = Default::default();
    for detection in &resource.detections {
        categories
            .entry(&detection.category)
            .or_default()
            .push(SensitiveDataDetections::builder().r#type(&detection.name).count(detection.count).build());
    }
    let data = categories
        .into_iter()
        .map(|(category, detections)| {
            let total: i64 = detections.iter().filter_map(|detection| detection.count).sum();
            SensitiveDataResult::builder()
                .category(category)
                .total_count(total)
                .set_detections(Some(detections))
                .build()
        })
        .collect();
    DataClassificationDetails::builder()
        .result(ClassificationResult::builder().set_sensitive_data(Some(data)).build())
        .build()
}
