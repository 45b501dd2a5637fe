locals {
  shared_environment = {
    CORDON_ACCOUNT_ID         = local.account
    CORDON_CASES_TABLE        = aws_dynamodb_table.cases.name
    CORDON_FALLBACK_APPROVERS = join(",", var.fallback_approvers)
    CORDON_POLICY_KEY         = aws_s3_object.policy.key
    CORDON_SLACK_CHANNEL      = var.slack_channel
    CORDON_SLACK_TEAM_ID      = var.slack_team_id
    CORDON_STATE_BUCKET       = aws_s3_bucket.this["state"].bucket
  }
}

output "worker_environment" {
  description = "Settings of `cordon worker`, as environment variables."
  value = tomap(merge(local.shared_environment, {
    CORDON_ACTIVITY_ARN_PREFIX        = "${local.states_arn}:activity:${var.name_prefix}-"
    CORDON_ACTIVITY_HEARTBEAT_SECONDS = tostring(var.activity_heartbeat_seconds)
    CORDON_ANALYZER_ARN               = var.analyzer_arn
    CORDON_COMPANY_NAME               = var.security_hub_company_name
    CORDON_EXCLUSION_TAG              = local.exclusion_tag
    CORDON_EXPOSURES_TABLE            = aws_dynamodb_table.exposures.name
    CORDON_FINDING_RESPONSE_ARN       = aws_sfn_state_machine.this["finding_response"].arn
    CORDON_MOVER_ROLE_ARN             = aws_iam_role.mover.arn
    CORDON_OBJECT_RESTORE_ARN         = aws_sfn_state_machine.this["object_restore"].arn
    CORDON_QUARANTINE_BUCKET          = aws_s3_bucket.this["quarantine"].bucket
    CORDON_RESCAN_INTERVAL_SECONDS    = tostring(var.rescan_interval_seconds)
    CORDON_RESTORER_ROLE_ARN          = aws_iam_role.restorer.arn
    CORDON_ROUND_SECONDS              = tostring(var.round_seconds)
    CORDON_SCAN_TIMEOUT_SECONDS       = tostring(var.scan_timeout_seconds)
  }))
}

output "gateway_environment" {
  description = "Settings of `cordon gateway`, as environment variables."
  value = tomap(merge(local.shared_environment, {
    CORDON_OBJECT_RESTORE_ARN = aws_sfn_state_machine.this["object_restore"].arn
  }))
}

output "operator_environment" {
  description = "Settings of `cordon approvals`, `restore`, `pause`, `resume`, `quarantine` and `policy` on a person's machine, as environment variables. The two roles are there when somebody may assume them."
  value = tomap(merge(
    {
      CORDON_ACCOUNT_ID         = local.account
      CORDON_CASES_TABLE        = aws_dynamodb_table.cases.name
      CORDON_EXPOSURES_TABLE    = aws_dynamodb_table.exposures.name
      CORDON_FALLBACK_APPROVERS = join(",", var.fallback_approvers)
      CORDON_OBJECT_RESTORE_ARN = aws_sfn_state_machine.this["object_restore"].arn
      CORDON_POLICY_KEY         = aws_s3_object.policy.key
      CORDON_QUARANTINE_BUCKET  = aws_s3_bucket.this["quarantine"].bucket
      CORDON_SLACK_CHANNEL      = var.slack_channel
      CORDON_STATE_BUCKET       = aws_s3_bucket.this["state"].bucket
    },
    { for role in aws_iam_role.investigator : "CORDON_INVESTIGATOR_ROLE_ARN" => role.arn },
    { for role in aws_iam_role.purger : "CORDON_PURGER_ROLE_ARN" => role.arn },
  ))
}

output "worker_secrets" {
  description = "Secrets of `cordon worker`: environment variable to ECS valueFrom."
  value = tomap({
    CORDON_SLACK_BOT_TOKEN = "${aws_secretsmanager_secret.slack.arn}:bot_token::"
  })
}

output "gateway_secrets" {
  description = "Secrets of `cordon gateway`: environment variable to ECS valueFrom."
  value = tomap(merge(
    {
      CORDON_SLACK_BOT_TOKEN      = "${aws_secretsmanager_secret.slack.arn}:bot_token::"
      CORDON_SLACK_SIGNING_SECRET = "${aws_secretsmanager_secret.slack.arn}:signing_secret::"
    },
    # ECS starts no task whose secret lacks a key.
    { for key in var.slack_signing_secret_rotation ? ["previous_signing_secret"] : [] : "CORDON_SLACK_SIGNING_SECRET_PREVIOUS" => "${aws_secretsmanager_secret.slack.arn}:${key}::" },
  ))
}

output "worker_role_name" {
  description = "Task role of the worker."
  value       = aws_iam_role.worker.name
}

output "gateway_role_name" {
  description = "Task role of the gateway."
  value       = aws_iam_role.gateway.name
}

output "mover_role_name" {
  description = "Role under which objects are moved into quarantine."
  value       = aws_iam_role.mover.name
}

output "restorer_role_name" {
  description = "Role under which objects are put back."
  value       = aws_iam_role.restorer.name
}

output "operator_policy_arn" {
  description = "Policy to attach to the people who may decide cases, restore, pause, resume and ask what a policy would do."
  value       = aws_iam_policy.operator.arn
}

output "slack_secret_arn" {
  description = "Where the operator puts the Slack app's bot_token and signing_secret."
  value       = aws_secretsmanager_secret.slack.arn
}

output "state_machine_arns" {
  description = "State machines by stem."
  value       = { for stem, machine in aws_sfn_state_machine.this : stem => machine.arn }
}

output "activity_arns" {
  description = "Activities by stem."
  value       = { for stem, activity in aws_sfn_activity.this : stem => activity.id }
}

output "operators_topic_arn" {
  description = "Topic that tells operators of failed runs; subscribe pagers and chats here."
  value       = aws_sns_topic.operators.arn
}

output "dead_letter_queue_url" {
  description = "Queue of events that could not be delivered."
  value       = aws_sqs_queue.dead_letters.id
}

output "quarantine_bucket" {
  description = "Bucket that holds quarantined objects and their manifests."
  value       = aws_s3_bucket.this["quarantine"].bucket
}

output "state_bucket" {
  description = "Bucket that holds the policy, and the plan, reports and summary of each cycle."
  value       = aws_s3_bucket.this["state"].bucket
}

output "cases_table" {
  description = "Table of cases."
  value       = aws_dynamodb_table.cases.name
}

output "exposures_table" {
  description = "Table of access findings, scans and reports by bucket."
  value       = aws_dynamodb_table.exposures.name
}
