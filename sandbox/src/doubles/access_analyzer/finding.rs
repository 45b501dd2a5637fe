//! External-access findings: their shapes in the API and in events, their filters, and how they follow the grants.

use serde_json::{Value, json};

use crate::doubles::{
    ApiError, Home, bucket_access::Grant, now, strings, text, uuid, values_at, without_nulls,
};

/// Members that only findings about external access have; the V2 API nests them.
const DETAILS: [&str; 6] =
    ["action", "condition", "isPublic", "principal", "resourceControlPolicyRestriction", "sources"];

/// One finding of one analyzer.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) analyzer_arn: String,
    /// As GetFinding gives it.
    summary: Value,
    /// What was granted; `None` for a hand-made finding, which no analysis touches.
    grant: Option<Grant>,
}

impl Finding {
    fn of_grant(home: &Home, analyzer_arn: &str, bucket: &str, grant: &Grant) -> Self {
        let at = now();
        let (kind, who) = &grant.principal;
        let condition: Value =
            grant.condition.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        let summary = json!({
            "id": uuid(),
            "principal": {kind.as_str(): who},
            "action": grant.actions,
            "resource": format!("arn:aws:s3:::{bucket}"),
            "isPublic": grant.is_public,
            "resourceType": "AWS::S3::Bucket",
            "condition": condition,
            "createdAt": at,
            "analyzedAt": at,
            "updatedAt": at,
            "status": "ACTIVE",
            "resourceOwnerAccount": home.account,
            "sources": [{"type": grant.source.name()}],
            "resourceControlPolicyRestriction": "NOT_APPLICABLE",
        });
        Self { analyzer_arn: analyzer_arn.to_owned(), summary, grant: Some(grant.clone()) }
    }

    pub(super) fn hand_made(analyzer_arn: &str, summary: Value) -> Self {
        Self { analyzer_arn: analyzer_arn.to_owned(), summary, grant: None }
    }

    pub(super) fn summary(&self) -> Value {
        self.summary.clone()
    }

    pub(super) fn summary_v2(&self) -> Value {
        let mut summary = self.summary.clone();
        if let Some(members) = summary.as_object_mut() {
            members.retain(|name, _| !DETAILS.contains(&name.as_str()));
        }
        summary["findingType"] = json!("ExternalAccess");
        summary
    }

    pub(super) fn details_v2(&self) -> Value {
        let details: Value =
            DETAILS.iter().map(|name| ((*name).to_owned(), self.summary[name].clone())).collect();
        let mut answer = self.summary_v2();
        answer["findingDetails"] = json!([{"externalAccessDetails": without_nulls(details)}]);
        answer
    }

    /// The detail of an event: it names the owner otherwise than the API, and lacks the sources.
    pub(super) fn event_detail(&self, region: &str) -> Value {
        let finding = &self.summary;
        let mut detail = json!({"version": "1.0"});
        for name in ["id", "status", "resourceType", "resource", "createdAt", "analyzedAt", "updatedAt"] {
            detail[name] = finding[name].clone();
        }
        detail["accountId"] = finding["resourceOwnerAccount"].clone();
        detail["region"] = json!(region);
        for name in ["principal", "action", "condition", "error"] {
            detail[name] = finding[name].clone();
        }
        detail["isDeleted"] = json!(false);
        detail["isPublic"] = finding["isPublic"].clone();
        without_nulls(detail)
    }

    /// Changes the status and gives the finding as it is then.
    pub(super) fn become_status(&mut self, status: &str) -> Self {
        self.summary["status"] = json!(status);
        self.summary["updatedAt"] = json!(now());
        self.clone()
    }

    fn is_open(&self) -> bool {
        self.summary["status"] != "RESOLVED"
    }
}

/// Brings an analyzer's findings about a bucket in line with its grants; gives those that are new or changed.
pub(super) fn reconcile(
    findings: &mut Vec<Finding>,
    home: &Home,
    analyzer_arn: &str,
    bucket: &str,
    grants: &[Grant],
    archives: impl Fn(&Value) -> bool,
) -> Vec<Finding> {
    let resource = format!("arn:aws:s3:::{bucket}");
    let mut changed = vec![];
    let mut open: Vec<Grant> = vec![];
    for finding in findings.iter_mut() {
        if finding.analyzer_arn != analyzer_arn
            || finding.summary["resource"] != resource
            || !finding.is_open()
        {
            continue;
        }
        let Some(grant) = finding.grant.clone() else { continue };
        finding.summary["analyzedAt"] = json!(now());
        if grants.contains(&grant) {
            open.push(grant);
        } else {
            changed.push(finding.become_status("RESOLVED"));
        }
    }
    for grant in grants.iter().filter(|grant| !open.contains(grant)) {
        let mut finding = Finding::of_grant(home, analyzer_arn, bucket, grant);
        if archives(&finding.summary) {
            finding.summary["status"] = json!("ARCHIVED");
        }
        changed.push(finding.clone());
        findings.push(finding);
    }
    changed
}

/// Refuses a filter that Access Analyzer would refuse, or with a key that would quietly match nothing.
pub(super) fn check_filter(filter: &Value) -> Result<(), ApiError> {
    for (key, criterion) in filter.as_object().into_iter().flatten() {
        let known = [
            "id",
            "status",
            "resource",
            "resourceType",
            "resourceOwnerAccount",
            "isPublic",
            "action",
            "error",
            "createdAt",
            "updatedAt",
            "analyzedAt",
            "sources.type",
            "findingType",
            "resourceControlPolicyRestriction",
        ];
        if !known.contains(&key.as_str()) && !key.starts_with("principal.") && !key.starts_with("condition.")
        {
            return Err(ApiError::validation(format!("findings cannot be filtered by {key}")));
        }
        let criterion =
            criterion.as_object().ok_or_else(|| ApiError::validation(format!("{key} needs a criterion")))?;
        if let Some(name) =
            criterion.keys().find(|name| !["eq", "neq", "contains", "exists"].contains(&name.as_str()))
        {
            return Err(ApiError::validation(format!("{name} is no criterion for {key}")));
        }
    }
    Ok(())
}

/// Whether a finding meets every criterion of a filter.
pub(super) fn matches(finding: &Value, filter: &Value) -> bool {
    filter.as_object().into_iter().flatten().all(|(key, criterion)| {
        // Keys of conditions contain dots and colons of their own.
        let values: Vec<&Value> = match key.split_once('.') {
            Some((map @ ("principal" | "condition"), name)) => finding[map].get(name).into_iter().collect(),
            _ if key == "findingType" => vec![],
            _ => values_at(finding, key),
        };
        let mut values: Vec<String> = values.into_iter().map(text).collect();
        if key == "findingType" {
            values.push("ExternalAccess".to_owned());
        }
        criterion.as_object().into_iter().flatten().all(|(name, wanted)| match name.as_str() {
            "eq" => strings(wanted).iter().any(|wanted| values.contains(wanted)),
            "neq" => !strings(wanted).iter().any(|wanted| values.contains(wanted)),
            "contains" => {
                strings(wanted).iter().any(|wanted| values.iter().any(|value| value.contains(wanted)))
            }
            _ => wanted.as_bool() == Some(!values.is_empty()),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doubles::bucket_access::Source;

    const ANALYZER: &str = "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/external-access";

    fn home() -> Home {
        Home { account: "111122223333".into(), region: "us-east-1".into() }
    }

    fn grant(actions: &[&str]) -> Grant {
        Grant {
            principal: ("AWS".into(), "999988887777".into()),
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            condition: vec![],
            is_public: false,
            source: Source::Policy,
        }
    }

    fn analyze(findings: &mut Vec<Finding>, grants: &[Grant]) -> Vec<(String, String)> {
        reconcile(findings, &home(), ANALYZER, "demo", grants, |_| false)
            .iter()
            .map(|finding| (text(&finding.summary["id"]), text(&finding.summary["status"])))
            .collect()
    }

    #[test]
    fn a_finding_lives_as_long_as_its_access() {
        let mut findings = vec![];
        let opened = analyze(&mut findings, &[grant(&["s3:GetObject"])]);
        assert_eq!(opened[0].1, "ACTIVE");
        assert!(analyze(&mut findings, &[grant(&["s3:GetObject"])]).is_empty(), "nothing changed");
        assert_eq!(analyze(&mut findings, &[]), [(opened[0].0.clone(), "RESOLVED".to_owned())]);
        assert!(analyze(&mut findings, &[]).is_empty(), "resolved once");
        let again = analyze(&mut findings, &[grant(&["s3:GetObject"])]);
        assert_ne!(again[0].0, opened[0].0);
    }

    #[test]
    fn changed_access_is_a_new_finding_and_resolves_the_old() {
        let mut findings = vec![];
        let opened = analyze(&mut findings, &[grant(&["s3:GetObject"])]);
        let changed = analyze(&mut findings, &[grant(&["s3:GetObject", "s3:ListBucket"])]);
        assert_eq!(changed[0], (opened[0].0.clone(), "RESOLVED".to_owned()));
        assert_eq!(changed[1].1, "ACTIVE");
        assert_ne!(changed[1].0, opened[0].0);
    }

    #[test]
    fn an_archive_rule_makes_a_finding_arrive_archived() {
        let mut findings = vec![];
        let filter = json!({"resource": {"contains": ["demo"]}});
        let archives = |finding: &Value| matches(finding, &filter);
        let changed =
            reconcile(&mut findings, &home(), ANALYZER, "demo", &[grant(&["s3:GetObject"])], archives);
        assert_eq!(changed[0].summary["status"], "ARCHIVED");
    }

    #[test]
    fn the_event_has_exactly_the_members_of_a_real_one() {
        let finding = Finding::of_grant(&home(), ANALYZER, "demo", &grant(&["s3:GetObject"]));
        let detail = finding.event_detail("us-east-1");
        let mut members: Vec<&str> =
            detail.as_object().expect("an object").keys().map(String::as_str).collect();
        members.sort_unstable();
        let expected = "accountId action analyzedAt condition createdAt id isDeleted isPublic principal region \
                        resource resourceType status updatedAt version";
        assert_eq!(members.join(" "), expected);
        assert_eq!(detail["principal"], json!({"AWS": "999988887777"}));
    }

    #[test]
    fn the_second_version_nests_what_concerns_external_access() {
        let finding = Finding::of_grant(&home(), ANALYZER, "demo", &grant(&["s3:GetObject"]));
        assert!(finding.summary_v2()["principal"].is_null());
        let details = &finding.details_v2()["findingDetails"][0]["externalAccessDetails"];
        assert_eq!(details["action"], json!(["s3:GetObject"]));
        assert_eq!(details["condition"], json!({}));
    }

    #[test]
    fn filters_decide_as_documented() {
        let finding = Finding::of_grant(&home(), ANALYZER, "demo", &grant(&["s3:GetObject"])).summary();
        for (filter, expected) in [
            (json!({"status": {"eq": ["ACTIVE", "ARCHIVED"]}}), true),
            (json!({"status": {"neq": ["ACTIVE"]}}), false),
            (json!({"resourceType": {"eq": ["AWS::S3::Bucket"]}, "isPublic": {"eq": ["false"]}}), true),
            (json!({"principal.AWS": {"contains": ["8888"]}}), true),
            (json!({"condition.aws:SourceIp": {"exists": true}}), false),
            (json!({"error": {"exists": false}}), true),
            (json!({"findingType": {"eq": ["ExternalAccess"]}}), true),
        ] {
            check_filter(&filter).expect("a valid filter");
            assert_eq!(matches(&finding, &filter), expected, "{filter}");
        }
        assert!(check_filter(&json!({"bucket": {"eq": ["x"]}})).is_err());
        assert!(check_filter(&json!({"status": {"equals": ["x"]}})).is_err());
    }
}
