//! One state machine with activities, tables and topic of its own, in a sandbox that all tests share.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_sfn::{operation::describe_execution::DescribeExecutionOutput, types::ExecutionStatus};
use aws_sdk_sqs::types::QueueAttributeName;
use cordon::store::keys;
use cordon_sandbox::{Fault, FaultRule};
use cordon_tests::{Module, eventually, waiting};
pub(super) use cordon_tests::{bare_sandbox as sandbox, in_bare_sandbox};
use serde_json::{Value, json};

/// With pauses of a hundredth: five minutes are three seconds.
pub(super) const SCALED: &str = "scaled_down";
/// With pauses of at most a second: a state gives up soon.
pub(super) const HASTY: &str = "as_short_as_they_can_be";

/// A state machine as Terraform renders it with the inputs of a run of its own test.
fn rendered(inputs: &str, stem: &str) -> String {
    static RENDERED: OnceLock<BTreeMap<String, BTreeMap<String, Value>>> = OnceLock::new();
    let rendered = RENDERED.get_or_init(|| {
        let module = Module::copied().expect("the module can be copied");
        let machines = |inputs: &str| module.state_machines("retries", inputs).expect("the module renders");
        [SCALED, HASTY].map(|inputs| (inputs.to_owned(), machines(inputs))).into()
    });
    rendered[inputs][stem].to_string()
}

/// A state machine that can be run.
pub(super) struct Flow {
    sfn: aws_sdk_sfn::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    pub(super) s3: aws_sdk_s3::Client,
    /// What the names of everything it uses begin with.
    pub(super) name: String,
    machine: String,
    operators: String,
}

impl Flow {
    pub(super) async fn new(inputs: &'static str, stem: &'static str) -> Result<Flow> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let definition = tokio::task::spawn_blocking(move || rendered(inputs, stem));
        // Its role is called as the machine is, by which the proofs know whose calls these are.
        let name = format!("flow{}-{stem}", NEXT.fetch_add(1, Ordering::Relaxed));
        let definition = waiting(definition)
            .await?
            .replace(":activity:cordon-", &format!(":activity:{name}-"))
            .replace(":cordon-operators", &format!(":{name}-operators"))
            .replace("\"cordon-cases\"", &format!("\"{name}-cases\""))
            .replace("\"cordon-exposures\"", &format!("\"{name}-exposures\""));
        ensure!(!definition.contains("cordon-"), "the flow would meet others': {definition}");
        let root = sandbox().sdk_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&root).force_path_style(true).build();
        let mut flow = Flow {
            sfn: aws_sdk_sfn::Client::new(&root),
            dynamodb: aws_sdk_dynamodb::Client::new(&root),
            sqs: aws_sdk_sqs::Client::new(&root),
            s3: aws_sdk_s3::Client::from_conf(s3),
            machine: String::new(),
            operators: String::new(),
            name,
        };
        for activity in definition.split(&format!(":activity:{}-", flow.name)).skip(1) {
            let stem = activity.split('"').next().context("a stem")?;
            flow.sfn.create_activity().name(format!("{}-{stem}", flow.name)).send().await?;
        }
        flow.table("cases", &["id"]).await?;
        flow.table("exposures", &["bucket_arn", "item"]).await?;
        flow.operators = flow.listen(&aws_sdk_sns::Client::new(&root)).await?;
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": "states.amazonaws.com"}}]});
        let iam = aws_sdk_iam::Client::new(&root);
        let role =
            iam.create_role().role_name(&flow.name).assume_role_policy_document(trust.to_string()).send();
        let role = role.await?.role.context("a created role is described")?.arn;
        let machine = flow.sfn.create_state_machine().name(&flow.name).role_arn(role).definition(definition);
        flow.machine = machine.send().await?.state_machine_arn;
        Ok(flow)
    }

    async fn table(&self, stem: &str, keys: &[&str]) -> Result<()> {
        let mut table = self
            .dynamodb
            .create_table()
            .table_name(format!("{}-{stem}", self.name))
            .billing_mode(BillingMode::PayPerRequest);
        for (key, kind) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
            let attribute = AttributeDefinition::builder().attribute_name(*key);
            let attribute = attribute.attribute_type(ScalarAttributeType::S).build()?;
            let schema = KeySchemaElement::builder().attribute_name(*key).key_type(kind).build()?;
            table = table.attribute_definitions(attribute).key_schema(schema);
        }
        table.send().await?;
        Ok(())
    }

    /// Has a queue receive notices to operators; its URL.
    async fn listen(&self, sns: &aws_sdk_sns::Client) -> Result<String> {
        let name = format!("{}-operators", self.name);
        let topic = sns.create_topic().name(&name).send().await?.topic_arn.context("a topic has an ARN")?;
        let queue = self.sqs.create_queue().queue_name(&name).send().await?.queue_url.context("a URL")?;
        let arn = format!("arn:aws:sqs:{}:{}:{name}", sandbox().region(), sandbox().account());
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage",
            "Principal": {"Service": "sns.amazonaws.com"}, "Resource": arn}]});
        let attributes = self.sqs.set_queue_attributes().queue_url(&queue);
        attributes.attributes(QueueAttributeName::Policy, policy.to_string()).send().await?;
        sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(arn).send().await?;
        Ok(queue)
    }

    /// The next notice to operators.
    pub(super) async fn notice(&self) -> Result<Value> {
        let body = eventually("a message to operators", async || {
            let received = self.sqs.receive_message().queue_url(&self.operators).send().await?;
            let Some(message) = received.messages().first() else { return Ok(None) };
            let receipt = message.receipt_handle().context("a receipt handle")?;
            self.sqs.delete_message().queue_url(&self.operators).receipt_handle(receipt).send().await?;
            Ok(message.body().map(str::to_owned))
        });
        let envelope: Value = serde_json::from_str(&body.await?)?;
        Ok(serde_json::from_str(envelope["Message"].as_str().context("a message")?)?)
    }

    pub(super) async fn start(&self, input: Value) -> Result<String> {
        let start = self.sfn.start_execution().state_machine_arn(&self.machine).input(input.to_string());
        Ok(start.send().await?.execution_arn)
    }

    /// Takes the next task of an activity: its token and its input.
    pub(super) async fn take(&self, stem: &str) -> Result<(String, Value)> {
        let (region, account) = (sandbox().region(), sandbox().account());
        let arn = format!("arn:aws:states:{region}:{account}:activity:{}-{stem}", self.name);
        let task = self.sfn.get_activity_task().activity_arn(arn).send().await?;
        let token = task.task_token.with_context(|| format!("nobody wants {stem}"))?;
        Ok((token, serde_json::from_str(&task.input.unwrap_or_default())?))
    }

    /// Takes the next task of an activity and does it; its input.
    pub(super) async fn does(&self, stem: &str, output: Value) -> Result<Value> {
        let (token, input) = self.take(stem).await?;
        self.answer(&token, output).await?;
        Ok(input)
    }

    /// Takes the next task of an activity and fails it; its input.
    pub(super) async fn fails(&self, stem: &str, error: &str, cause: &str) -> Result<Value> {
        let (token, input) = self.take(stem).await?;
        self.refuse(&token, error, cause).await?;
        Ok(input)
    }

    pub(super) async fn answer(&self, token: &str, output: Value) -> Result<()> {
        self.sfn.send_task_success().task_token(token).output(output.to_string()).send().await?;
        Ok(())
    }

    pub(super) async fn refuse(&self, token: &str, error: &str, cause: &str) -> Result<()> {
        self.sfn.send_task_failure().task_token(token).error(error).cause(cause).send().await?;
        Ok(())
    }

    /// The end of a run.
    pub(super) async fn end(&self, run: &str) -> Result<DescribeExecutionOutput> {
        eventually(&format!("the end of {run}"), async || {
            let described = self.sfn.describe_execution().execution_arn(run).send().await?;
            Ok((described.status != ExecutionStatus::Running).then_some(described))
        })
        .await
    }

    /// The states that a run has entered, in order.
    pub(super) async fn states(&self, run: &str) -> Result<Vec<String>> {
        let mut pages = self.sfn.get_execution_history().execution_arn(run).into_paginator().items().send();
        let mut states = Vec::new();
        while let Some(event) = pages.next().await {
            states.extend(event?.state_entered_event_details.map(|details| details.name));
        }
        Ok(states)
    }

    /// Opens the record of a case that a run is about.
    pub(super) async fn open_case(&self, case_id: &str, run: &str) -> Result<()> {
        let text = |value: &str| AttributeValue::S(value.into());
        let put = self.dynamodb.put_item().table_name(format!("{}-cases", self.name));
        put.item("id", text(&keys::approval(case_id))).item("execution_arn", text(run)).send().await?;
        Ok(())
    }

    /// Records a decision without waking anybody.
    pub(super) async fn decide(&self, case_id: &str, decision: &str) -> Result<()> {
        let decided = HashMap::from([("what".to_owned(), AttributeValue::S(decision.into()))]);
        self.record(case_id, "decided", AttributeValue::M(decided)).await
    }

    /// Records a snooze without waking anybody.
    pub(super) async fn snooze(&self, case_id: &str) -> Result<()> {
        self.record(case_id, "snooze", AttributeValue::S("until later".into())).await
    }

    async fn record(&self, case_id: &str, member: &str, value: AttributeValue) -> Result<()> {
        let update = self.dynamodb.update_item().table_name(format!("{}-cases", self.name));
        let update = update.key("id", AttributeValue::S(keys::approval(case_id)));
        let update =
            update.update_expression("SET #member = :value").expression_attribute_names("#member", member);
        update.expression_attribute_values(":value", value).send().await?;
        Ok(())
    }

    /// The token that waits in a case, other than the former one.
    pub(super) async fn token(&self, case_id: &str, former: Option<&str>) -> Result<String> {
        eventually("the token of a wait", async || {
            let get = self.dynamodb.get_item().table_name(format!("{}-cases", self.name));
            let get = get.key("id", AttributeValue::S(keys::approval(case_id))).consistent_read(true);
            let item = get.send().await?.item.unwrap_or_default();
            let token = item.get("task_token").and_then(|value| value.as_s().ok()).cloned();
            Ok(token.filter(|token| Some(token.as_str()) != former))
        })
        .await
    }

    /// Lets calls of Step Functions itself meet a fault.
    pub(super) fn disturb(&self, service: &str, operation: &str, kind: Fault, times: u32) {
        sandbox().faults().inject(FaultRule {
            service: service.into(),
            operation: Some(operation.into()),
            principal: Some(format!("assumed-role/{}/", self.name)),
            kind,
            times,
        });
    }
}
