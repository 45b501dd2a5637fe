//! Holds each state machine's role to its ASL: every permission that its states need, and no other.
//!
//! Step Functions checks a role only when a state uses it, and the sandbox does not check it at all, so a missing
//! permission would show on AWS alone. Here Terraform renders the module against a mock of AWS
//! (`terraform/tests/installation.tftest.hcl`), and both sides are read from the state it prints: the definitions as
//! Step Functions would get them, and the policies that their roles were given. In the mock a rendered policy names
//! its document, so the link from role to statements is followed and not assumed.

use std::{collections::BTreeSet, sync::OnceLock};

use cordon_tests::Module;
use serde_json::{Value, json};

/// Where `plan_scans` puts the plans that the distributed map reads: the ASL has only paths to them.
const PLANS: (&str, &str) = ("$.plan.bucket", "cycles/*/plan.json");

/// The context under which the logs of executions are encrypted on their way.
const ALL_LOGS: &str = "arn:aws:logs:us-east-1:111122223333:*";

const LOG_DELIVERY: [&str; 8] = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
];

/// One action on one resource, under at most one condition (`test variable value`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Permission {
    action: String,
    resource: String,
    condition: Option<String>,
}

type Permissions = BTreeSet<Permission>;

#[test]
fn every_state_machine_may_do_what_its_states_need_and_nothing_else() {
    let installation = Installation::rendered();
    assert!(installation.machines().count() > 0, "Terraform renders no state machine");
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
        [format!("cordon-exposure_cycle lacks dynamodb:UpdateItem on {exposures}")]
    );

    let mut excessive = rendered.clone();
    let cases = "arn:aws:dynamodb:us-east-1:111122223333:table/cordon-cases";
    let excess = json!({"actions": ["dynamodb:DeleteItem"], "resources": [cases], "condition": []});
    excessive.statements("finding_response").push(excess);
    assert_eq!(
        excessive.differences(),
        [format!("cordon-finding_response holds dynamodb:DeleteItem on {cases}, which no state needs")]
    );

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

    /// What roles lack and what they hold in excess, one sentence each.
    fn differences(&self) -> Vec<String> {
        self.machines().flat_map(|machine| self.differences_of(machine)).collect()
    }

    fn differences_of(&self, machine: &Value) -> Vec<String> {
        let (needed, held) = (self.needed(machine), self.held(machine));
        let name = text(&machine["name"]);
        let say = |permission: &Permission| {
            let condition = permission.condition.as_ref().map(|it| format!(" when {it}")).unwrap_or_default();
            format!("{} on {}{condition}", permission.action, permission.resource)
        };
        let lacking = needed.difference(&held).map(|it| format!("{name} lacks {}", say(it)));
        let excess =
            held.difference(&needed).map(|it| format!("{name} holds {}, which no state needs", say(it)));
        lacking.chain(excess).collect()
    }

    /// What the machine's role was given.
    fn held(&self, machine: &Value) -> Permissions {
        let role = self.one("aws_iam_role", "arn", text(&machine["role_arn"]));
        let attached = self.of_kind("aws_iam_role_policy_attachment").any(|it| it["role"] == role["name"]);
        assert!(!attached, "{} has an attached policy, which this test does not read", role["name"]);
        let mut held = Permissions::new();
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
                        held.insert(Permission {
                            action: text(action).into(),
                            resource: text(resource).into(),
                            condition: condition.clone(),
                        });
                    }
                }
            }
        }
    }

    /// What the states of the machine need.
    fn needed(&self, machine: &Value) -> Permissions {
        let definition: Value = serde_json::from_str(text(&machine["definition"])).expect("the ASL is JSON");
        let mut needed = Needed { installation: self, machine, permissions: Permissions::new() };
        needed.states(&definition["States"]);
        let key = machine["encryption_configuration"][0]["kms_key_id"].as_str();
        if let Some(key) = key {
            needed.execution_key(key);
        }
        let level = &machine["logging_configuration"][0]["level"];
        if !level.is_null() && level != "OFF" {
            for action in LOG_DELIVERY {
                needed.allow(action, "*", None);
            }
            if let Some(key) = key {
                needed.allow_in_context(&["kms:GenerateDataKey"], key, "SourceArn", ALL_LOGS);
            }
        }
        needed.permissions
    }
}

struct Needed<'a> {
    installation: &'a Installation,
    machine: &'a Value,
    permissions: Permissions,
}

impl Needed<'_> {
    fn allow(&mut self, action: &str, resource: &str, condition: Option<String>) {
        self.permissions.insert(Permission { action: action.into(), resource: resource.into(), condition });
    }

    fn allow_key(&mut self, actions: &[&str], key: &str, service: &str) {
        let region = text(&self.machine["arn"]).split(':').nth(3).expect("an ARN names its Region");
        let condition = format!("StringEquals kms:ViaService {service}.{region}.amazonaws.com");
        for action in actions {
            self.allow(action, key, Some(condition.clone()));
        }
    }

    /// The key that executions are under. Step Functions uses it as the role and on no service's behalf: with
    /// `kms:ViaService` no execution starts, and what is asked for is the encryption context
    /// (docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html).
    fn execution_key(&mut self, key: &str) {
        let both = ["kms:Decrypt", "kms:GenerateDataKey"];
        for machine in self.installation.machines() {
            self.allow_in_context(&both, key, "aws:states:stateMachineArn", text(&machine["arn"]));
        }
        for activity in self.installation.of_kind("aws_sfn_activity") {
            self.allow_in_context(&both, key, "aws:states:activityArn", text(&activity["id"]));
        }
    }

    fn allow_in_context(&mut self, actions: &[&str], key: &str, context: &str, value: &str) {
        for action in actions {
            self.allow(action, key, Some(format!("StringEquals kms:EncryptionContext:{context} {value}")));
        }
    }

    fn states(&mut self, states: &Value) {
        for (name, state) in states.as_object().expect("States is an object") {
            match text(&state["Type"]) {
                "Task" => self.task(name, state),
                "Map" => self.map(name, state),
                "Choice" | "Fail" | "Pass" | "Succeed" | "Wait" => {}
                kind => panic!("this test does not know what {name}, a {kind} state, needs"),
            }
        }
    }

    fn task(&mut self, name: &str, state: &Value) {
        assert!(state["Credentials"].is_null(), "{name} assumes a role, which this test does not read");
        let resource = text(&state["Resource"]);
        if self.installation.of_kind("aws_sfn_activity").any(|activity| activity["id"] == resource) {
            return;
        }
        let call = resource.strip_prefix("arn:aws:states:::").unwrap_or_else(|| {
            panic!("{name} names {resource}, which is neither an integration nor an activity of the module")
        });
        let call = call.strip_prefix("aws-sdk:").unwrap_or(call);
        let call = call.strip_suffix(".waitForTaskToken").unwrap_or(call);
        match call {
            "sns:publish" => {
                let topic = text(&state["Parameters"]["TopicArn"]);
                let key = text(&self.installation.one("aws_sns_topic", "arn", topic)["kms_master_key_id"]);
                self.allow("sns:Publish", topic, None);
                self.allow_key(&["kms:Decrypt", "kms:GenerateDataKey"], key, "sns");
            }
            "dynamodb:getItem" => self.table("dynamodb:GetItem", state),
            "dynamodb:updateItem" => self.table("dynamodb:UpdateItem", state),
            _ => panic!("this test does not know what {name}, a call of {call}, needs"),
        }
    }

    fn table(&mut self, action: &str, state: &Value) {
        let name = text(&state["Parameters"]["TableName"]);
        let table = self.installation.one("aws_dynamodb_table", "name", name);
        // Of the cases only how they stand: there the tokens are.
        let path = state["Parameters"]["Key"]["id"]["S.$"].as_str();
        let condition = path.map(|path| {
            assert!(path.ends_with(".approval"), "{path} is another item");
            "ForAllValues:StringLike dynamodb:LeadingKeys approval#*".to_owned()
        });
        self.allow(action, text(&table["arn"]), condition);
        self.allow_key(
            &["kms:Decrypt"],
            text(&table["server_side_encryption"][0]["kms_key_arn"]),
            "dynamodb",
        );
    }

    fn map(&mut self, name: &str, state: &Value) {
        assert!(
            state["ResultWriter"].is_null(),
            "this test does not know what the ResultWriter of {name} needs"
        );
        if state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED" {
            let machine = text(&self.machine["arn"]).to_owned();
            let runs = machine.replace(":stateMachine:", ":execution:");
            self.allow("states:StartExecution", &machine, None);
            for action in ["states:DescribeExecution", "states:RedriveExecution", "states:StopExecution"] {
                self.allow(action, &format!("{runs}:*"), None);
                self.allow(action, &format!("{runs}/{}:*", text(&state["Label"])), None);
            }
        }
        if !state["ItemReader"].is_null() {
            let reader = &state["ItemReader"];
            assert_eq!(reader["Resource"], "arn:aws:states:::s3:getObject", "the ItemReader of {name}");
            assert_eq!(reader["Parameters"]["Bucket.$"], PLANS.0, "the ItemReader of {name} reads no plan");
            let encryption = self
                .installation
                .of_kind("aws_s3_bucket_server_side_encryption_configuration")
                .find(|it| text(&it["bucket"]).contains("-state-"))
                .expect("the state bucket is encrypted");
            let key =
                &encryption["rule"][0]["apply_server_side_encryption_by_default"][0]["kms_master_key_id"];
            let bucket = self.installation.one("aws_s3_bucket", "bucket", text(&encryption["bucket"]));
            self.allow("s3:GetObject", &format!("{}/{}", text(&bucket["arn"]), PLANS.1), None);
            self.allow_key(&["kms:Decrypt"], text(key), "s3");
        }
        self.states(&state["ItemProcessor"]["States"]);
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
