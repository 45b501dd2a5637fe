//! Holds each role that AWS itself assumes to what AWS does as it: every permission that this needs, and no other.
//!
//! Step Functions checks a role only when a state uses it, EventBridge when an event comes, ECS when a task starts; the
//! sandbox checks none of them, so a missing permission would show on AWS alone. Here Terraform renders the module
//! against a mock of AWS (`terraform/tests/installation.tftest.hcl`), and both sides are read from the state it prints:
//! the definitions, targets and tasks as AWS would get them, and the policies that their roles were given. In the mock a
//! rendered policy names its document, so the link from role to statements is followed and not assumed.

mod asl;
mod parliament;
mod targets;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use cordon_tests::Module;
use serde_json::{Value, json};

/// Roles that the sandbox does enforce: `PROOF iam` holds them to what the tests call as them.
const ENFORCED: [&str; 6] = ["gateway", "investigator", "mover", "purger", "restorer", "worker"];

/// One action on one resource, under at most one condition (`test variable value`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Permission {
    action: String,
    resource: String,
    condition: Option<String>,
}

/// What a role may do, or what AWS does as it.
#[derive(Debug, Default)]
struct Permissions(BTreeSet<Permission>);

impl Permissions {
    fn allow(&mut self, action: &str, resource: &str, condition: Option<String>) {
        self.0.insert(Permission { action: action.into(), resource: resource.into(), condition });
    }

    /// Use of a key by way of a service.
    fn allow_key(&mut self, actions: &[&str], key: &str, service: &str) {
        let region = key.split(':').nth(3).expect("an ARN names its Region");
        let condition = format!("StringEquals kms:ViaService {service}.{region}.amazonaws.com");
        for action in actions {
            self.allow(action, key, Some(condition.clone()));
        }
    }

    /// Use of a key by a service that says what for, and comes by way of none.
    fn allow_in_context(&mut self, actions: &[&str], key: &str, context: &str, value: &str) {
        for action in actions {
            self.allow(action, key, Some(format!("StringEquals kms:EncryptionContext:{context} {value}")));
        }
    }
}

#[test]
fn every_role_that_a_service_assumes_may_do_what_it_is_for_and_nothing_else() {
    let installation = Installation::rendered();
    let differences = installation.differences();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// That the comparison sees anything: one change to what a role was given, one sentence about it.
#[test]
fn a_permission_too_few_or_too_many_or_without_its_condition_is_found() {
    let rendered = Installation::rendered();

    let mut lacking = rendered.clone();
    lacking.statements("exposure_cycle").retain(|statement| statement["sid"] != "AwaitScan");
    let exposures = "arn:aws:dynamodb:us-east-1:111122223333:table/cordon-exposures";
    assert_eq!(
        lacking.differences(),
        [format!("cordon-exposure_cycle-us-east-1 lacks dynamodb:UpdateItem on {exposures}")]
    );

    let mut excessive = rendered.clone();
    let cases = "arn:aws:dynamodb:us-east-1:111122223333:table/cordon-cases";
    let excess = json!({"actions": ["dynamodb:DeleteItem"], "resources": [cases], "condition": []});
    excessive.statements("finding_response").push(excess);
    assert_eq!(
        excessive.differences(),
        [format!(
            "cordon-finding_response-us-east-1 holds dynamodb:DeleteItem on {cases}, which nothing needs"
        )]
    );

    for (document, statement, lacks) in [
        ("events", "StartRuns", "cordon-events-us-east-1 lacks states:StartExecution on "),
        ("scheduler", "LeaveWhatItCouldNotDeliver", "cordon-scheduler-us-east-1 lacks sqs:SendMessage on "),
        ("execution", "WriteLogs", "cordon-execution-us-east-1 lacks logs:PutLogEvents on "),
    ] {
        let mut lacking = rendered.clone();
        lacking.statements(document).retain(|one| one["sid"] != statement);
        let differences = lacking.differences();
        assert!(differences.iter().any(|one| one.starts_with(lacks)), "{document}: {differences:?}");
    }

    let mut unconditional = rendered.clone();
    for statement in unconditional.statements("finding_response") {
        statement["condition"] = json!([]);
    }
    let differences = unconditional.differences();
    let (lacks, holds): (Vec<_>, Vec<_>) =
        differences.iter().partition(|difference| difference.contains(" lacks "));
    assert_eq!((lacks.len(), holds.len()), (3, 3), "{differences:?}");
    assert!(lacks.iter().all(|difference| difference.contains(" when ")), "{differences:?}");
    for condition in ["kms:ViaService", "dynamodb:LeadingKeys"] {
        assert!(lacks.iter().any(|difference| difference.contains(condition)), "{differences:?}");
    }
}

/// The module as Terraform renders it: the resources and data sources of its state.
#[derive(Clone)]
struct Installation {
    resources: Vec<Value>,
}

impl Installation {
    fn rendered() -> &'static Self {
        static INSTALLATION: OnceLock<Installation> = OnceLock::new();
        INSTALLATION.get_or_init(Self::render)
    }

    fn render() -> Self {
        let resources = Module::copied().unwrap().resources("installation", "installs").unwrap();
        Self { resources }
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.resources
            .iter()
            .filter(move |resource| resource["type"] == kind)
            .map(|resource| &resource["values"])
    }

    fn one<'a>(&'a self, kind: &'a str, attribute: &str, value: &str) -> &'a Value {
        self.of_kind(kind)
            .find(|resource| resource[attribute] == value)
            .unwrap_or_else(|| panic!("there is no {kind} whose {attribute} is {value}"))
    }

    fn machines(&self) -> impl Iterator<Item = &Value> {
        self.of_kind("aws_sfn_state_machine")
    }

    fn document(&self, name: &str) -> &Value {
        self.resources
            .iter()
            .find(|resource| resource["type"] == "aws_iam_policy_document" && resource["name"] == name)
            .map(|resource| &resource["values"])
            .unwrap_or_else(|| panic!("there is no policy document {name}"))
    }

    fn statements(&mut self, document: &str) -> &mut Vec<Value> {
        self.resources
            .iter_mut()
            .find(|resource| resource["type"] == "aws_iam_policy_document" && resource["name"] == document)
            .and_then(|resource| resource["values"]["statement"].as_array_mut())
            .expect("the document has statements")
    }

    /// What is needed of each role, by the role's ARN.
    fn needed(&self) -> BTreeMap<String, Permissions> {
        let mut needed = BTreeMap::new();
        for machine in self.machines() {
            needed.insert(text(&machine["role_arn"]).to_owned(), asl::needed(self, machine));
        }
        for (role, permissions) in targets::needed(self) {
            assert!(needed.insert(role, permissions).is_none(), "two services share a role");
        }
        needed
    }

    /// What roles lack and what they hold in excess, one sentence each.
    fn differences(&self) -> Vec<String> {
        let mut needed = self.needed();
        let mut differences = Vec::new();
        for role in self.of_kind("aws_iam_role") {
            match needed.remove(text(&role["arn"])) {
                Some(needed) => differences.extend(self.differences_of(role, &needed)),
                None => {
                    let enforced =
                        ENFORCED.iter().any(|part| role["name"] == format!("cordon-{part}-us-east-1"));
                    assert!(enforced, "nobody holds {} to what it is for", role["name"]);
                }
            }
        }
        assert!(needed.is_empty(), "roles that the module does not make are used: {needed:?}");
        differences
    }

    fn differences_of(&self, role: &Value, needed: &Permissions) -> Vec<String> {
        let held = self.held(role);
        let name = text(&role["name"]);
        let say = |permission: &Permission| {
            let condition = permission.condition.as_ref().map(|it| format!(" when {it}")).unwrap_or_default();
            format!("{} on {}{condition}", permission.action, permission.resource)
        };
        let lacking = needed.0.difference(&held.0).map(|it| format!("{name} lacks {}", say(it)));
        let excess =
            held.0.difference(&needed.0).map(|it| format!("{name} holds {}, which nothing needs", say(it)));
        lacking.chain(excess).collect()
    }

    /// What the role was given.
    fn held(&self, role: &Value) -> Permissions {
        let attached = self.of_kind("aws_iam_role_policy_attachment").any(|it| it["role"] == role["name"]);
        assert!(!attached, "{} has an attached policy, which this test does not read", role["name"]);
        let mut held = Permissions::default();
        for policy in self.of_kind("aws_iam_role_policy").filter(|policy| policy["role"] == role["id"]) {
            self.collect_document(text(&policy["policy"]), &mut held);
        }
        held
    }

    fn collect_document(&self, rendered: &str, held: &mut Permissions) {
        let named: Value = serde_json::from_str(rendered).expect("the mock renders a document as its name");
        let name = named["Id"].as_str().unwrap_or_else(|| panic!("the mock names no document in {rendered}"));
        let document = self.document(name);
        assert!(document["override_policy_documents"].is_null(), "{name} overrides documents");
        for source in array(&document["source_policy_documents"]) {
            self.collect_document(text(source), held);
        }
        for statement in array(&document["statement"]) {
            let allows = statement["effect"].is_null() || statement["effect"] == "Allow";
            let plain =
                array(&statement["not_actions"]).is_empty() && array(&statement["not_resources"]).is_empty();
            assert!(allows && plain, "{name} has a statement that this test cannot read: {statement}");
            let conditions = conditions(&statement["condition"]);
            for action in array(&statement["actions"]) {
                for resource in array(&statement["resources"]) {
                    for condition in &conditions {
                        held.allow(text(action), text(resource), condition.clone());
                    }
                }
            }
        }
    }
}

/// One entry for each value of a statement's condition; several conditions at once are one entry, which matches
/// nothing that a state needs.
fn conditions(conditions: &Value) -> Vec<Option<String>> {
    match array(conditions) {
        [] => vec![None],
        [one] => {
            let values = array(&one["values"]).iter().map(text);
            values
                .map(|value| Some(format!("{} {} {value}", text(&one["test"]), text(&one["variable"]))))
                .collect()
        }
        several => vec![Some(Value::from(several.to_vec()).to_string())],
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}
