resource "aws_cloudwatch_event_rule" "finding_response" {
  name        = "${var.name_prefix}-${local.event_rules["finding_response"]}"
  description = "Each Macie finding starts a response; which findings matter is decided there, by policy."
  state       = var.enabled ? "ENABLED" : "DISABLED"

  event_pattern = jsonencode({
    source      = ["aws.macie"]
    detail-type = ["Macie Finding"]
  })

  tags = var.tags
}

resource "aws_cloudwatch_event_rule" "access_finding_intake" {
  name        = "${var.name_prefix}-${local.event_rules["access_finding_intake"]}"
  description = "Each external-access finding of our analyzer is recorded."
  state       = var.enabled ? "ENABLED" : "DISABLED"

  event_pattern = jsonencode({
    source      = ["aws.access-analyzer"]
    detail-type = ["Access Analyzer Finding"]
    # The resource of such an event is the analyzer, and an account may have several.
    resources = [var.analyzer_arn]
  })

  tags = var.tags

  lifecycle {
    precondition {
      condition     = join(":", slice(split(":", var.analyzer_arn), 3, 5)) == "${local.region}:${local.account}"
      error_message = "analyzer_arn is of account ${split(":", var.analyzer_arn)[4]} in ${split(":", var.analyzer_arn)[3]}, and this is ${local.account} in ${local.region}: an analyzer finds only what is shared in its own Region, and its events come only to its own account."
    }
  }
}

resource "aws_cloudwatch_event_target" "state_machine" {
  for_each = {
    finding_response      = aws_cloudwatch_event_rule.finding_response.name
    access_finding_intake = aws_cloudwatch_event_rule.access_finding_intake.name
  }

  rule      = each.value
  target_id = "state-machine"
  arn       = aws_sfn_state_machine.this[each.key].arn
  role_arn  = aws_iam_role.events.arn

  # A day: longer than any outage of Step Functions. After that the sweep of the exposure cycle finds the finding.
  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }

  # An event that meets a role without its policy, or a queue without, is lost.
  depends_on = [aws_iam_role_policy.events, aws_sqs_queue_policy.dead_letters]
}

# The worker says these itself, once a day for each policy that it cannot use or that somebody has written by hand, and for each
# thing that Slack refuses for good, and of each execution that failed without a word. Another installation in this Region says its own.
resource "aws_cloudwatch_event_rule" "unusable_policy" {
  name        = "${var.name_prefix}-${local.event_rules["unusable_policy"]}"
  description = "The newest policy cannot be used, and the one before it stays in force; or it was not written by Terraform."

  event_pattern = jsonencode({
    source      = ["cordon"]
    detail-type = ["Cordon Policy Changed", "Cordon Policy Unusable"]
    detail      = { installation = [var.name_prefix] }
  })

  tags = var.tags
}

resource "aws_cloudwatch_event_rule" "slack_refuses" {
  name        = "${var.name_prefix}-${local.event_rules["slack_refuses"]}"
  description = "Slack refuses a channel, a message or the app, and will go on refusing it until somebody mends that."

  event_pattern = jsonencode({
    source      = ["cordon"]
    detail-type = ["Cordon Slack Refuses"]
    detail      = { installation = [var.name_prefix] }
  })

  tags = var.tags
}

resource "aws_cloudwatch_event_rule" "failed_runs" {
  name        = "${var.name_prefix}-${local.event_rules["failed_runs"]}"
  description = "An execution failed where its state machine could not catch it."

  event_pattern = jsonencode({
    source      = ["cordon"]
    detail-type = ["Cordon Execution Failed"]
    detail      = { installation = [var.name_prefix] }
  })

  tags = var.tags
}

resource "aws_cloudwatch_event_target" "notices" {
  for_each = {
    failed_runs     = aws_cloudwatch_event_rule.failed_runs.name
    unusable_policy = aws_cloudwatch_event_rule.unusable_policy.name
    slack_refuses   = aws_cloudwatch_event_rule.slack_refuses.name
  }

  rule       = each.value
  target_id  = "operators"
  arn        = aws_sns_topic.operators.arn
  input_path = "$.detail"

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }

  depends_on = [aws_sns_topic_policy.operators, aws_sqs_queue_policy.dead_letters]
}

resource "aws_cloudwatch_event_rule" "ended_runs" {
  name        = "${var.name_prefix}-${local.event_rules["ended_runs"]}"
  description = "Executions that were stopped or timed out, which their state machine cannot tell."

  event_pattern = jsonencode({
    source      = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
    detail = {
      stateMachineArn = [for stem in local.state_machines : aws_sfn_state_machine.this[stem].arn]
      # What failed the state machine has told by itself, with the reason, or else the worker does: under a KMS key no event
      # says which (docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html).
      status = ["ABORTED", "TIMED_OUT"]
    }
  })

  tags = var.tags
}

resource "aws_cloudwatch_event_target" "ended_runs" {
  rule      = aws_cloudwatch_event_rule.ended_runs.name
  target_id = "operators"
  arn       = aws_sns_topic.operators.arn

  input_transformer {
    input_paths = {
      machine = "$.detail.stateMachineArn"
      name    = "$.detail.name"
      run     = "$.detail.executionArn"
      status  = "$.detail.status"
      time    = "$.time"
    }
    input_template = "\"Cordon: the run <name> of <machine> ended as <status> (event of <time>). Look at https://${local.region}.console.aws.amazon.com/states/home?region=${local.region}#/v2/executions/details/<run>\""
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }

  depends_on = [aws_sns_topic_policy.operators, aws_sqs_queue_policy.dead_letters]
}

resource "aws_cloudwatch_event_rule" "failed_deployments" {
  name        = "${var.name_prefix}-${local.event_rules["failed_deployments"]}"
  description = "ECS cannot start the tasks of a service, or has rolled a deployment back."

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Deployment State Change", "ECS Service Action"]
    # By name: the rule is there before the services are.
    resources = [for part in keys(local.services) : "arn:${local.partition}:ecs:${local.region}:${local.account}:service/${var.name_prefix}/${part}"]
    detail    = { eventName = ["SERVICE_DEPLOYMENT_FAILED", "SERVICE_TASK_PLACEMENT_FAILURE", "SERVICE_TASK_START_IMPAIRED"] }
  })

  tags = var.tags
}

resource "aws_cloudwatch_event_target" "failed_deployments" {
  rule      = aws_cloudwatch_event_rule.failed_deployments.name
  target_id = "operators"
  arn       = aws_sns_topic.operators.arn

  input_transformer {
    input_paths = {
      service = "$.resources[0]"
      what    = "$.detail.eventName"
      time    = "$.time"
    }
    input_template = "\"Cordon: ECS tells <what> of <service> (event of <time>). Look at its events and at the reasons of its stopped tasks in the ECS console.\""
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }

  depends_on = [aws_sns_topic_policy.operators, aws_sqs_queue_policy.dead_letters]
}
