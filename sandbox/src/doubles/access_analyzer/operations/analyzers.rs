//! The operations on analyzers and archive rules.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::super::{
    AccessAnalyzer, Analyzer, MAX_ITEMS,
    finding::{self, Finding},
    no_such,
};
use crate::doubles::{Answer, ApiError, Call, Page, now, page, required, without_nulls};

impl AccessAnalyzer {
    pub(super) fn create_analyzer(self: &Arc<Self>, body: &Value) -> Answer {
        let name = required(body, "analyzerName")?;
        let kind = required(body, "type")?;
        if !matches!(kind, "ACCOUNT" | "ORGANIZATION") {
            return Err(ApiError::lacking(&format!("analyzers of type {kind}")));
        }
        let mut state = self.lock();
        if state.analyzers.contains_key(name) {
            let message = format!("there is an analyzer {name} already");
            return Err(ApiError::new(409, "ConflictException", message));
        }
        if kind == "ACCOUNT" && state.analyzers.values().any(|other| other.description["type"] == "ACCOUNT") {
            let message = "there is an external-access analyzer of the account in this Region already";
            return Err(ApiError::new(402, "ServiceQuotaExceededException", message));
        }
        let arn = self.analyzer_arn(name);
        let mut archive_rules = BTreeMap::new();
        for rule in body["archiveRules"].as_array().into_iter().flatten() {
            archive_rules.insert(required(rule, "ruleName")?.to_owned(), archive_rule(rule)?);
        }
        let description = without_nulls(json!({
            "arn": arn, "name": name, "type": kind, "createdAt": now(), "status": "ACTIVE",
            "configuration": body["configuration"],
        }));
        state.tags.set(&arn, &body["tags"]);
        state.analyzers.insert(name.to_owned(), Analyzer { arn: arn.clone(), description, archive_rules });
        let (this, delay) = (self.clone(), state.delay);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            this.analyze_all_buckets().await;
        });
        Ok(json!({"arn": arn}))
    }

    pub(super) fn get_analyzer(&self, name: &str) -> Answer {
        let state = self.lock();
        let analyzer = state.analyzers.get(name).ok_or_else(|| no_such("analyzer", name))?;
        let mut description = analyzer.description.clone();
        description["tags"] = state.tags.of(&analyzer.arn);
        Ok(json!({"analyzer": description}))
    }

    pub(super) fn list_analyzers(&self, call: &Call) -> Answer {
        let kind = call.query("type");
        let state = self.lock();
        let wanted =
            state.analyzers.values().filter(|one| kind.is_none_or(|kind| one.description["type"] == kind));
        let page = page_by_query(wanted.map(|analyzer| analyzer.description.clone()).collect(), call)?;
        Ok(without_nulls(json!({"analyzers": page.items, "nextToken": page.next})))
    }

    pub(super) fn update_analyzer(&self, name: &str, body: &Value) -> Answer {
        self.with_analyzer(name, |analyzer| {
            if !body["configuration"].is_null() {
                return Err(ApiError::validation("an external-access analyzer has no configuration"));
            }
            Ok(without_nulls(json!({"configuration": analyzer.description["configuration"]})))
        })
    }

    pub(super) fn delete_analyzer(&self, name: &str) -> Answer {
        let mut state = self.lock();
        let analyzer = state.analyzers.remove(name).ok_or_else(|| no_such("analyzer", name))?;
        state.findings.retain(|finding| finding.analyzer_arn != analyzer.arn);
        state.tags.remove(&analyzer.arn);
        Ok(json!({}))
    }

    pub(super) fn create_archive_rule(&self, name: &str, body: &Value) -> Answer {
        let rule = required(body, "ruleName")?;
        let description = archive_rule(body)?;
        self.with_analyzer(name, |analyzer| {
            if analyzer.archive_rules.contains_key(rule) {
                let message = format!("there is an archive rule {rule} already");
                return Err(ApiError::new(409, "ConflictException", message));
            }
            analyzer.archive_rules.insert(rule.to_owned(), description);
            Ok(json!({}))
        })
    }

    pub(super) fn list_archive_rules(&self, name: &str, call: &Call) -> Answer {
        self.with_analyzer(name, |analyzer| {
            let page = page_by_query(analyzer.archive_rules.values().cloned().collect(), call)?;
            Ok(without_nulls(json!({"archiveRules": page.items, "nextToken": page.next})))
        })
    }

    /// An archive rule touches what is there already only when it is applied.
    pub(super) async fn apply_archive_rule(&self, body: &Value) -> Answer {
        let (arn, rule) = (required(body, "analyzerArn")?, required(body, "ruleName")?);
        let changed = {
            let mut state = self.lock();
            let analyzer = state.analyzers.values().find(|analyzer| analyzer.arn == arn);
            let rules = &analyzer.ok_or_else(|| no_such("analyzer", arn))?.archive_rules;
            let filter = rules.get(rule).ok_or_else(|| no_such("archive rule", rule))?["filter"].clone();
            let active = |finding: &&mut Finding| {
                finding.analyzer_arn == arn
                    && finding.summary()["status"] == "ACTIVE"
                    && finding::matches(&finding.summary(), &filter)
            };
            state
                .findings
                .iter_mut()
                .filter(active)
                .map(|finding| finding.become_status("ARCHIVED"))
                .collect()
        };
        self.publish(changed).await;
        Ok(json!({}))
    }
}

fn page_by_query(items: Vec<Value>, call: &Call) -> Result<Page, ApiError> {
    let size = call.query("maxResults").map(|size| size.parse().unwrap_or(0));
    page(items, size, call.query("nextToken"), MAX_ITEMS)
}

fn archive_rule(request: &Value) -> Answer {
    finding::check_filter(&request["filter"])?;
    let at = now();
    Ok(
        json!({"ruleName": request["ruleName"], "filter": request["filter"], "createdAt": at, "updatedAt": at}),
    )
}
