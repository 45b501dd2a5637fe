data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # `id` names the region in every major version of the provider; `name` is deprecated in the newest.
  region = data.aws_region.current.id

  # For names that hold for all Regions of the account: those of roles, policies and buckets.
  in_region = var.names_carry_region ? "-${local.region}" : ""

  # One stem names an activity in every layer: the Rust file, the ASL state, the placeholder, the AWS name.
  activities = toset([
    "triage_finding",
    "post_approval",
    "advance_round",
    "quarantine_object",
    "rescan_object",
    "restore_object",
    "report_outcome",
    "record_access_finding",
    "sync_access_findings",
    "sweep_findings",
    "plan_scans",
    "start_scan",
    "report_exposures",
    "close_cycle",
  ])

  state_machines = toset(["finding_response", "access_finding_intake", "exposure_cycle", "object_restore"])

  # Written out instead of read from the resources where a reference would close a circle:
  # a role trusts its state machine by ARN, and the state machine names its role.
  states_arn         = "arn:${local.partition}:states:${local.region}:${local.account}"
  state_machine_arns = { for stem in local.state_machines : stem => "${local.states_arn}:stateMachine:${var.name_prefix}-${stem}" }
  event_rules        = { finding_response = "macie-findings", access_finding_intake = "access-findings", ended_runs = "ended-runs", unusable_policy = "unusable-policy", slack_refuses = "slack-refuses", failed_runs = "failed-runs", failed_deployments = "failed-deployments" }
  rule_names         = [for name in sort(values(local.event_rules)) : "${var.name_prefix}-${name}"]
  event_rule_arns    = { for key, name in local.event_rules : key => "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name_prefix}-${name}" }
  run_arns           = [for stem in sort(local.state_machines) : "${local.states_arn}:execution:${var.name_prefix}-${stem}:*"]
  security_hub_arn   = "arn:${local.partition}:securityhub:${local.region}:${local.account}"
  schedule_name      = "exposure-cycle"
  schedule_arn       = "arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule/${var.name_prefix}/${local.schedule_name}"
  all_logs_arn       = "arn:${local.partition}:logs:${local.region}:${local.account}:*"
  default_event_bus  = "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/default"
  policy_key         = "policy.json"
  cycles_prefix      = "cycles/"
  account_root       = "arn:${local.partition}:iam::${local.account}:root"
  exclusion_tag      = "${var.exclusion_tag.key}=${var.exclusion_tag.value}"
  # By the names that AWS and others give them by default.
  usual_protected_buckets = {
    access_logs     = ["*access-log*", "*accesslog*"]
    cloudtrail      = ["aws-cloudtrail-logs-*", "*cloudtrail*"]
    config          = ["config-bucket-*", "*aws-config*"]
    control_tower   = ["aws-controltower-*"]
    cordon          = ["*-audit-${local.account}*", "*-quarantine-${local.account}*", "*-state-${local.account}*"]
    terraform_state = ["*terraform-state*", "*tf-state*", "*tfstate*"]
  }
  protected_buckets = sort(distinct(concat(
    var.protected_buckets,
    flatten([for name, globs in local.usual_protected_buckets : globs if !contains(var.unprotected, name)]),
  )))
  # What a session of the mover or the restorer is for: IAM puts the session's tags in.
  session_tags       = ["CordonBucket", "CordonCase"]
  session_bucket_arn = "arn:${local.partition}:s3:::$${aws:PrincipalTag/CordonBucket}"
  session_case_arn   = "${aws_s3_bucket.this["quarantine"].arn}/${local.account}/$${aws:PrincipalTag/CordonBucket}/$${aws:PrincipalTag/CordonCase}/*"
  # A bucket may use any key of ours, and those that are named; whether one opens is for its key policy.
  source_kms_key_arns = concat(["arn:${local.partition}:kms:${local.region}:${local.account}:key/*"], var.source_kms_key_arns)
  kms_via_service     = { for service in ["dynamodb", "s3", "secretsmanager", "sns", "sqs", "states"] : service => "${service}.${local.region}.amazonaws.com" }
}
