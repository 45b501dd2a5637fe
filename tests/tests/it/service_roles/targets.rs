//! What the roles of rules, of the schedule and of ECS are for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Installation, Permissions, array, text};

/// By the role's ARN.
pub(super) fn needed(installation: &Installation) -> BTreeMap<String, Permissions> {
    let mut needed: BTreeMap<String, Permissions> = BTreeMap::new();
    for target in installation.of_kind("aws_cloudwatch_event_target") {
        // Without a role it is a topic or a queue, whose own policy allows it.
        if let Some(role) = target["role_arn"].as_str() {
            start(needed.entry(role.into()).or_default(), installation, text(&target["arn"]));
        }
    }
    for schedule in installation.of_kind("aws_scheduler_schedule") {
        let target = &schedule["target"][0];
        let permissions = needed.entry(text(&target["role_arn"]).into()).or_default();
        start(permissions, installation, text(&target["arn"]));
        open_schedule(permissions, schedule);
        for letters in array(&target["dead_letter_config"]) {
            let queue = installation.one("aws_sqs_queue", "arn", text(&letters["arn"]));
            permissions.allow("sqs:SendMessage", text(&queue["arn"]), None);
            let both = ["kms:Decrypt", "kms:GenerateDataKey"];
            permissions.allow_key(&both, text(&queue["kms_master_key_id"]), "sqs");
        }
    }
    for task in installation.of_kind("aws_ecs_task_definition") {
        let permissions = needed.entry(text(&task["execution_role_arn"]).into()).or_default();
        let containers: Value =
            serde_json::from_str(text(&task["container_definitions"])).expect("containers are JSON");
        for container in array(&containers) {
            start_container(permissions, installation, container);
        }
    }
    needed
}

/// An execution; the key that it is under is for the machine's own role.
fn start(permissions: &mut Permissions, installation: &Installation, target: &str) {
    let machine = installation.one("aws_sfn_state_machine", "arn", target);
    permissions.allow("states:StartExecution", text(&machine["arn"]), None);
}

/// Scheduler opens what it has encrypted as the target's role
/// (docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html).
fn open_schedule(permissions: &mut Permissions, schedule: &Value) {
    let Some(key) = schedule["kms_key_arn"].as_str() else { return };
    let account = key.split(':').skip(3).take(2).collect::<Vec<_>>().join(":");
    let (group, name) = (text(&schedule["group_name"]), text(&schedule["name"]));
    let arn = format!("arn:aws:scheduler:{account}:schedule/{group}/{name}");
    permissions.allow_in_context(&["kms:Decrypt"], key, "aws:scheduler:schedule:arn", &arn);
}

fn start_container(permissions: &mut Permissions, installation: &Installation, container: &Value) {
    let log = &container["logConfiguration"];
    assert_eq!(log["logDriver"], "awslogs", "what another driver needs is not known here");
    let group = installation.one("aws_cloudwatch_log_group", "name", text(&log["options"]["awslogs-group"]));
    for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
        permissions.allow(action, &format!("{}:*", text(&group["arn"])), None);
    }
    assert!(container["secrets"].is_null(), "{container} is given secrets, which is not read here");

    let (registry, image) = text(&container["image"]).split_once('/').expect("an image has its registry");
    if let [account, "dkr", "ecr", region, "amazonaws", "com"] = registry.split('.').collect::<Vec<_>>()[..] {
        let repository = image.split(['@', ':']).next().expect("a repository");
        let arn = format!("arn:aws:ecr:{region}:{account}:repository/{repository}");
        for action in ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"] {
            permissions.allow(action, &arn, None);
        }
        permissions.allow("ecr:GetAuthorizationToken", "*", None);
    }
}
