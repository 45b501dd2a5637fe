resource "aws_cloudwatch_log_group" "state_machine" {
  for_each = local.state_machines

  # Under this prefix one resource policy of CloudWatch Logs serves all vended logs and cannot outgrow its limit.
  name              = "${local.log_group_prefix}${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.data.arn
}
