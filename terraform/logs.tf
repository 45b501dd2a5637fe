locals {
  # Under this prefix one resource policy of CloudWatch Logs serves all vended logs and cannot outgrow its limit.
  state_machine_log_groups = { for stem in local.state_machines : stem => "/aws/vendedlogs/states/${var.name_prefix}-${stem}" }
  access_log_group         = "/aws/vendedlogs/apis/${var.name_prefix}"
  service_log_groups       = { for part in ["gateway", "worker"] : part => "/${var.name_prefix}/${part}" }
}

resource "aws_cloudwatch_log_group" "state_machine" {
  # checkov:skip=CKV_AWS_338: a variable: 90 days, because what has to last is in the records and in the manifests

  for_each = local.state_machine_log_groups

  name              = each.value
  retention_in_days = var.log_retention_days
  kms_key_id        = local.data_key_arn

  tags = var.tags
}

resource "aws_cloudwatch_log_group" "access" {
  # checkov:skip=CKV_AWS_338: a variable: 90 days, because what has to last is in the records and in the manifests
  name              = local.access_log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = local.data_key_arn

  tags = var.tags
}

resource "aws_cloudwatch_log_group" "service" {
  # checkov:skip=CKV_AWS_338: a variable: 90 days, because what has to last is in the records and in the manifests
  for_each = local.service_log_groups

  name              = each.value
  retention_in_days = var.log_retention_days
  kms_key_id        = local.data_key_arn

  tags = var.tags
}
