//! What a state machine's role is for.

use serde_json::Value;

use super::{Installation, Permissions, text};

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

/// What the machine's states, its key and its logs need.
pub(super) fn needed(installation: &Installation, machine: &Value) -> Permissions {
    let definition: Value = serde_json::from_str(text(&machine["definition"])).expect("the ASL is JSON");
    let mut needed = Needed { installation, machine, permissions: Permissions::default() };
    needed.states(&definition["States"]);
    let key = machine["encryption_configuration"][0]["kms_key_id"].as_str();
    if let Some(key) = key {
        needed.execution_key(key);
    }
    let level = &machine["logging_configuration"][0]["level"];
    if !level.is_null() && level != "OFF" {
        for action in LOG_DELIVERY {
            needed.permissions.allow(action, "*", None);
        }
        if let Some(key) = key {
            needed.permissions.allow_in_context(&["kms:GenerateDataKey"], key, "SourceArn", ALL_LOGS);
        }
    }
    needed.permissions
}

struct Needed<'a> {
    installation: &'a Installation,
    machine: &'a Value,
    permissions: Permissions,
}

impl Needed<'_> {
    /// The key that executions are under. Step Functions uses it as the role and on no service's behalf: with
    /// `kms:ViaService` no execution starts, and what is asked for is the encryption context
    /// (docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html).
    fn execution_key(&mut self, key: &str) {
        let both = ["kms:Decrypt", "kms:GenerateDataKey"];
        // The machine itself, and what its distributed map names its runs by.
        for machine in self.installation.machines() {
            let machine = text(&machine["arn"]);
            for named in [machine.to_owned(), format!("{machine}/*")] {
                for action in both {
                    let condition =
                        format!("StringLike kms:EncryptionContext:aws:states:stateMachineArn {named}");
                    self.permissions.allow(action, key, Some(condition));
                }
            }
        }
        for activity in self.installation.of_kind("aws_sfn_activity") {
            self.permissions.allow_in_context(&both, key, "aws:states:activityArn", text(&activity["id"]));
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
                self.permissions.allow("sns:Publish", topic, None);
                self.permissions.allow_key(&["kms:Decrypt", "kms:GenerateDataKey"], key, "sns");
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
        self.permissions.allow(action, text(&table["arn"]), condition);
        self.permissions.allow_key(
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
            self.permissions.allow("states:StartExecution", &machine, None);
            for action in ["states:DescribeExecution", "states:RedriveExecution", "states:StopExecution"] {
                self.permissions.allow(action, &format!("{runs}:*"), None);
                self.permissions.allow(action, &format!("{runs}/{}:*", text(&state["Label"])), None);
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
            self.permissions.allow("s3:GetObject", &format!("{}/{}", text(&bucket["arn"]), PLANS.1), None);
            self.permissions.allow_key(&["kms:Decrypt"], text(key), "s3");
        }
        self.states(&state["ItemProcessor"]["States"]);
    }
}
