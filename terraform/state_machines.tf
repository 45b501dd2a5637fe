resource "aws_sfn_state_machine" "this" {
  # checkov:skip=CKV_AWS_284: traces would show the names of objects, and the execution itself shows each step
  # checkov:skip=CKV_AWS_285: inputs and outputs carry object keys and task tokens, and the level is a variable

  for_each = local.state_machines

  name     = "${var.name_prefix}-${each.key}"
  type     = "STANDARD"
  role_arn = aws_iam_role.state_machine[each.key].arn

  definition = templatefile("${path.module}/../statemachines/${each.key}.asl.json", merge(
    { for stem, activity in aws_sfn_activity.this : "${stem}_arn" => activity.id },
    local.retries,
    {
      cases_table          = aws_dynamodb_table.cases.name
      exposures_table      = aws_dynamodb_table.exposures.name
      operators_topic_arn  = aws_sns_topic.operators.arn
      heartbeat_seconds    = var.activity_heartbeat_seconds
      round_seconds        = var.round_seconds
      scan_timeout_seconds = var.scan_timeout_seconds
    },
  ))

  logging_configuration {
    log_destination = "${aws_cloudwatch_log_group.state_machine[each.key].arn}:*"
    level           = var.state_machine_log_level
    # Inputs and outputs carry object keys and task tokens.
    include_execution_data = false
  }

  tags = var.tags

  # Inputs, outputs and histories have object keys and task tokens in them.
  encryption_configuration {
    type                              = "CUSTOMER_MANAGED_KMS_KEY"
    kms_key_id                        = local.data_key_arn
    kms_data_key_reuse_period_seconds = 300
  }

  # Step Functions checks at creation that the role may deliver logs.
  depends_on = [aws_iam_role_policy.state_machine]
}
