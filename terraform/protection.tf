# Terraform destroys what depends on others first. This depends on everything, so that a destroy which is refused here has not
# taken anything away: half a destroy would leave a quarantine without its policy and with a key that is about to go.
resource "terraform_data" "deletion_protection" {
  input = var.deletion_protection

  provisioner "local-exec" {
    when    = destroy
    command = self.input ? "echo 'deletion_protection is true, so nothing was destroyed. Purge or restore what is in quarantine, set deletion_protection to false, apply, and destroy again.' && exit 1" : "exit 0"
  }

  depends_on = [
    aws_apigatewayv2_api.slack,
    aws_apigatewayv2_integration.gateway,
    aws_apigatewayv2_route.gateway,
    aws_apigatewayv2_stage.default,
    aws_apigatewayv2_vpc_link.gateway,
    aws_cloudtrail.quarantine,
    aws_cloudwatch_dashboard.this,
    aws_cloudwatch_event_rule.access_finding_intake,
    aws_cloudwatch_event_rule.ended_runs,
    aws_cloudwatch_event_rule.failed_deployments,
    aws_cloudwatch_event_rule.failed_runs,
    aws_cloudwatch_event_rule.finding_response,
    aws_cloudwatch_event_rule.slack_refuses,
    aws_cloudwatch_event_rule.unusable_policy,
    aws_cloudwatch_event_target.ended_runs,
    aws_cloudwatch_event_target.failed_deployments,
    aws_cloudwatch_event_target.notices,
    aws_cloudwatch_event_target.state_machine,
    aws_cloudwatch_log_group.access,
    aws_cloudwatch_log_group.service,
    aws_cloudwatch_log_group.state_machine,
    aws_cloudwatch_metric_alarm.dead_letters,
    aws_cloudwatch_metric_alarm.gateway_errors,
    aws_cloudwatch_metric_alarm.gateway_silent,
    aws_cloudwatch_metric_alarm.measured,
    aws_cloudwatch_metric_alarm.requests,
    aws_cloudwatch_metric_alarm.runs,
    aws_cloudwatch_metric_alarm.tasks_not_taken,
    aws_dynamodb_table.cases,
    aws_dynamodb_table.exposures,
    aws_ecs_cluster.this,
    aws_ecs_service.this,
    aws_ecs_task_definition.this,
    aws_iam_policy.operator,
    aws_iam_role.events,
    aws_iam_role.execution,
    aws_iam_role.gateway,
    aws_iam_role.investigator,
    aws_iam_role.mover,
    aws_iam_role.purger,
    aws_iam_role.restorer,
    aws_iam_role.scheduler,
    aws_iam_role.state_machine,
    aws_iam_role.worker,
    aws_iam_role_policy.events,
    aws_iam_role_policy.execution,
    aws_iam_role_policy.gateway,
    aws_iam_role_policy.investigator,
    aws_iam_role_policy.mover,
    aws_iam_role_policy.purger,
    aws_iam_role_policy.restorer,
    aws_iam_role_policy.scheduler,
    aws_iam_role_policy.state_machine,
    aws_iam_role_policy.worker,
    aws_kms_alias.data,
    aws_kms_alias.mac,
    aws_kms_alias.quarantine,
    aws_kms_key.data,
    aws_kms_key.mac,
    aws_kms_key.quarantine,
    aws_s3_bucket.this,
    aws_s3_bucket_lifecycle_configuration.this,
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.audit,
    aws_s3_bucket_policy.quarantine,
    aws_s3_bucket_policy.state,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
    aws_s3_object.policy,
    aws_scheduler_schedule.exposure_cycle,
    aws_scheduler_schedule_group.this,
    aws_secretsmanager_secret.slack,
    aws_security_group.service,
    aws_service_discovery_private_dns_namespace.this,
    aws_service_discovery_service.gateway,
    aws_sfn_activity.this,
    aws_sfn_state_machine.this,
    aws_sns_topic.operators,
    aws_sns_topic_policy.operators,
    aws_sns_topic_subscription.operators_email,
    aws_sqs_queue.dead_letters,
    aws_sqs_queue.requests,
    aws_sqs_queue_policy.dead_letters,
    aws_sqs_queue_policy.requests,
    aws_vpc_security_group_egress_rule.https,
    aws_vpc_security_group_egress_rule.link,
    aws_vpc_security_group_egress_rule.proxy,
    aws_vpc_security_group_ingress_rule.gateway,
    module.network,
    terraform_data.key_is_kept,
    terraform_data.stores_are_kept,
  ]
}

# Other names would make everything anew beside a quarantine that is left without its policy and encryption. Terraform destroys this
# before all that the protection depends on.
resource "terraform_data" "names_are_kept" {
  input            = var.deletion_protection
  triggers_replace = [var.name_prefix, local.in_region]

  provisioner "local-exec" {
    when    = destroy
    command = self.input ? "echo 'deletion_protection is true, so nothing was destroyed. Under other names (name_prefix, names_carry_region) everything would be made anew: give the names of before, and apply, which takes back what else was changed. To destroy, purge or restore what is in quarantine, set deletion_protection to false, apply, and destroy again.' && exit 1" : "exit 0"
  }

  depends_on = [terraform_data.deletion_protection]
}

# The protection is made last. Where the first apply does not come to its end, this protects what holds data, and tasks start only when
# it is there.
resource "terraform_data" "stores_are_kept" {
  input = var.deletion_protection

  provisioner "local-exec" {
    when    = destroy
    command = self.input ? "echo 'deletion_protection is true, so no store, key or policy was destroyed. Set it to false, apply, and destroy again.' && exit 1" : "exit 0"
  }

  depends_on = [
    aws_cloudtrail.quarantine,
    aws_dynamodb_table.cases,
    aws_dynamodb_table.exposures,
    aws_kms_alias.data,
    aws_kms_alias.mac,
    aws_kms_alias.quarantine,
    aws_kms_key.data,
    aws_kms_key.mac,
    aws_kms_key.quarantine,
    aws_s3_bucket.this,
    aws_s3_bucket_lifecycle_configuration.this,
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.audit,
    aws_s3_bucket_policy.quarantine,
    aws_s3_bucket_policy.state,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
    aws_s3_object.policy,
    aws_secretsmanager_secret.slack,
  ]
}

# A key of your own takes the place of one that was made, which then is scheduled for deletion, with all that is encrypted under it.
# Terraform destroys this before the key, and so the key stays; what else the apply changes it may have changed by then.
locals {
  lost_with_key = {
    data       = "records, logs and the trail of before could not be read any more"
    quarantine = "what is in quarantine could not be read any more"
  }
}

resource "terraform_data" "key_is_kept" {
  for_each = toset([for name, arn in { data = var.data_key_arn, quarantine = var.quarantine_key_arn } : name if arn == null])

  input = var.deletion_protection ? "echo 'deletion_protection is true, so the ${each.key} key was not scheduled for deletion: ${local.lost_with_key[each.key]}. Take ${each.key}_key_arn out again, and apply: that takes back what else was changed. To change keys for good: docs/DEPLOY.md, Your own keys.' && exit 1" : "exit 0"

  provisioner "local-exec" {
    when    = destroy
    command = self.input
  }

  depends_on = [
    aws_kms_alias.data,
    aws_kms_alias.quarantine,
    aws_kms_key.data,
    aws_kms_key.quarantine,
  ]
}
