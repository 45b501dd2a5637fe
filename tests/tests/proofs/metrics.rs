//! Alarms and dashboard look at the metrics that workers write, by the names and dimensions that these have: CloudWatch shows one
//! that nobody writes as a metric without data, which alarms nobody.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{lines, rendered};

const NAMESPACE: &str = "Cordon";
/// Terraform searches for its values.
const ANY: &str = "*";

/// A name, and dimensions with their values.
type Metric = (String, BTreeMap<String, String>);

/// A line in the embedded metric format
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "_aws")]
    about: About,
    #[serde(flatten)]
    members: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct About {
    cloud_watch_metrics: Vec<Directive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: String,
    dimensions: Vec<Vec<String>>,
    metrics: Vec<Name>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Name {
    name: String,
}

/// What the line is about. Values of Cordon's own labels are kept where Terraform names them.
fn written(line: &Line, searched: &BTreeSet<String>) -> Result<Vec<Metric>> {
    let mut metrics = Vec::new();
    for directive in &line.about.cloud_watch_metrics {
        ensure!(directive.namespace == NAMESPACE, "a metric of the namespace {}", directive.namespace);
        for (set, Name { name }) in directive
            .dimensions
            .iter()
            .flat_map(|set| directive.metrics.iter().map(move |metric| (set, metric)))
        {
            ensure!(line.members.contains_key(name), "no value of {name}");
            let mut dimensions = BTreeMap::new();
            for label in set {
                let value = line.members.get(label).and_then(Value::as_str);
                let value = value.with_context(|| format!("no value of {label}"))?;
                let value = if searched.contains(label) { ANY } else { value };
                dimensions.insert(label.clone(), value.to_owned());
            }
            metrics.push((name.clone(), dimensions));
        }
    }
    Ok(metrics)
}

/// What alarms and dashboard look at.
fn watched() -> Result<BTreeSet<Metric>> {
    let resources = rendered()?;
    let of = |kind: &'static str| {
        resources.iter().filter(move |one| one["type"] == kind).map(|resource| &resource["values"])
    };
    let mut watched = BTreeSet::new();
    for alarm in of("aws_cloudwatch_metric_alarm").filter(|alarm| alarm["namespace"] == NAMESPACE) {
        let dimensions = serde_json::from_value(alarm["dimensions"].clone())?;
        watched.insert((alarm["metric_name"].as_str().context("a name")?.to_owned(), dimensions));
    }
    let dashboard = of("aws_cloudwatch_dashboard").next().context("no dashboard")?;
    let body: Value = serde_json::from_str(dashboard["dashboard_body"].as_str().context("a text")?)?;
    for widget in body["widgets"].as_array().into_iter().flatten() {
        for metric in widget["properties"]["metrics"].as_array().into_iter().flatten() {
            watched.extend(looked_at(metric)?);
        }
    }
    Ok(watched)
}

/// A metric of a widget: `[namespace, name, dimension, value, …, options]`, or an expression that searches.
fn looked_at(metric: &Value) -> Result<Option<Metric>> {
    if let Some(expression) = metric[0]["expression"].as_str() {
        return searched(expression).with_context(|| format!("what does {expression} search for?")).map(Some);
    }
    let mut parts = metric.as_array().into_iter().flatten().filter_map(Value::as_str);
    if parts.next() != Some(NAMESPACE) {
        return Ok(None);
    }
    let name = parts.next().context("a name")?;
    let mut dimensions = BTreeMap::new();
    while let (Some(label), Some(value)) = (parts.next(), parts.next()) {
        dimensions.insert(label.to_owned(), value.to_owned());
    }
    Ok(Some((name.to_owned(), dimensions)))
}

/// Of `SEARCH('{Cordon,Installation,Code} MetricName="TaskFailures" Installation="cordon"', 'Sum', 300)`.
fn searched(expression: &str) -> Option<Metric> {
    let (schema, terms) = expression.strip_prefix("SEARCH('{")?.split_once("} ")?;
    let term = |name: &str| terms.split_once(&format!("{name}=\""))?.1.split('"').next().map(str::to_owned);
    let mut labels = schema.split(',');
    (labels.next()? == NAMESPACE).then_some(())?;
    let dimensions = labels.map(|label| (label.to_owned(), term(label).unwrap_or_else(|| ANY.to_owned())));
    Some((term("MetricName")?, dimensions.collect()))
}

#[test]
fn alarms_and_dashboard_look_at_what_workers_write_and_at_all_of_it() -> Result<()> {
    let watched = watched()?;
    let any = watched.iter().flat_map(|(_, dimensions)| dimensions).filter(|(_, value)| *value == ANY);
    let labels: BTreeSet<String> = any.map(|(label, _)| label.clone()).collect();
    let mut written = BTreeSet::new();
    for line in lines::<Line>("metrics-")? {
        // An installation of a test has its own name.
        if line.members.get("Installation").is_some_and(|name| name == "cordon") {
            written.extend(self::written(&line, &labels)?);
        }
    }
    let unwritten: Vec<_> = watched.difference(&written).collect();
    let unwatched: Vec<_> = written.difference(&watched).collect();
    println!(
        "PROOF metrics written={} watched={} unwritten={} unwatched={}",
        written.len(),
        watched.len(),
        unwritten.len(),
        unwatched.len()
    );
    ensure!(
        unwritten.is_empty() && unwatched.is_empty(),
        "unwritten {unwritten:#?} unwatched {unwatched:#?}"
    );
    Ok(())
}

#[test]
fn a_metric_is_told_by_its_name_and_its_dimensions() -> Result<()> {
    let metric = |name: &str, dimensions: &[(&str, &str)]| {
        let dimensions = dimensions.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
        (name.to_owned(), dimensions.collect::<BTreeMap<_, _>>())
    };
    let search =
        r#"SEARCH('{Cordon,Installation,Code} MetricName="TaskFailures" Installation="cordon"', 'Sum', 300)"#;
    let failures = metric("TaskFailures", &[("Installation", "cordon"), ("Code", ANY)]);
    assert_eq!(searched(search), Some(failures.clone()));
    assert_eq!(searched("SUM(METRICS())"), None);
    let widget =
        serde_json::json!(["Cordon", "Cases", "Installation", "cordon", "Status", "open", {"stat": "Sum"}]);
    let cases = metric("Cases", &[("Installation", "cordon"), ("Status", "open")]);
    assert_eq!(looked_at(&widget)?, Some(cases));
    let line: Line = serde_json::from_str(
        r#"{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "Cordon", "Dimensions": [["Installation", "Code"]],
            "Metrics": [{"Name": "TaskFailures"}]}]}, "Installation": "cordon", "Code": "ObjectLocked", "TaskFailures": 2}"#,
    )?;
    assert_eq!(written(&line, &BTreeSet::from(["Code".to_owned()]))?, [failures]);
    Ok(())
}
