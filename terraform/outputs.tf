output "interactions_url" {
  description = "Enter it in the Slack app as Interactivity & Shortcuts, Request URL."
  value       = "${aws_apigatewayv2_api.slack.api_endpoint}/slack/interactions"
}

output "cluster_name" {
  description = "ECS cluster of the services worker and gateway."
  value       = aws_ecs_cluster.this.name
}

output "operator_environment" {
  description = "Settings of `cordon doctor`, `approvals`, `restore`, `pause`, `resume`, `quarantine` and `policy` on a person's machine, as environment variables. The two roles are there when somebody may assume them."
  value = tomap(merge(
    {
      CORDON_ACCOUNT_ID          = local.account
      CORDON_ANALYZER_ARN        = var.analyzer_arn
      CORDON_APPROVALS_QUEUE_URL = aws_sqs_queue.requests["approvals"].id
      CORDON_BUCKETS             = join(",", var.buckets)
      CORDON_CASES_TABLE         = aws_dynamodb_table.cases.name
      CORDON_CLUSTER             = aws_ecs_cluster.this.name
      CORDON_EVENT_RULES         = join(",", local.rule_names)
      CORDON_EXPOSURES_TABLE     = aws_dynamodb_table.exposures.name
      CORDON_FALLBACK_APPROVERS  = join(",", var.fallback_approvers)
      CORDON_GATEWAY_URL         = var.gateway_count > 0 ? aws_apigatewayv2_api.slack.api_endpoint : ""
      CORDON_POLICY_KEY          = aws_s3_object.policy.key
      CORDON_PROTECTED_BUCKETS   = join(",", local.protected_buckets)
      CORDON_PURGES_QUEUE_URL    = aws_sqs_queue.requests["purges"].id
      CORDON_QUARANTINE_BUCKET   = aws_s3_bucket.this["quarantine"].bucket
      CORDON_RESTORES_QUEUE_URL  = aws_sqs_queue.requests["restores"].id
      CORDON_SLACK_APP_ID        = var.slack_app_id
      CORDON_SLACK_CHANNEL       = var.slack_channel
      CORDON_SLACK_SECRET_ARN    = aws_secretsmanager_secret.slack.arn
      CORDON_SLACK_TEAM_ID       = var.slack_team_id
      CORDON_STATE_BUCKET        = aws_s3_bucket.this["state"].bucket
      CORDON_STATE_MACHINE_ARNS  = join(",", sort([for machine in aws_sfn_state_machine.this : machine.arn]))
    },
    { for role in aws_iam_role.investigator : "CORDON_INVESTIGATOR_ROLE_ARN" => role.arn },
    { for role in aws_iam_role.purger : "CORDON_PURGER_ROLE_ARN" => role.arn },
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

output "mover_role_arn" {
  description = "What owners of other KMS keys allow kms:Decrypt, so that objects under their keys can be moved."
  value       = aws_iam_role.mover.arn
}

output "restorer_role_arn" {
  description = "What owners of other KMS keys allow kms:Decrypt and kms:GenerateDataKey, so that objects can be put back under their keys."
  value       = aws_iam_role.restorer.arn
}

output "investigator_role_arn" {
  description = "What the policy of your own quarantine key lets read, or null where nobody is named."
  value       = one(aws_iam_role.investigator[*].arn)
}

output "data_key_arn" {
  description = "KMS key of records, plans, queues, executions, the Slack secret, logs and messages."
  value       = local.data_key_arn
}

output "quarantine_key_arn" {
  description = "KMS key of the quarantine."
  value       = local.quarantine_key_arn
}
