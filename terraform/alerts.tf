resource "aws_sns_topic" "operators" {
  name              = "${var.name_prefix}-operators"
  kms_master_key_id = local.data_key_arn

  tags = var.tags
}

data "aws_iam_policy_document" "operators" {
  statement {
    sid       = "AlarmsTellOperators"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.operators.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }

  # No condition on the source: EventBridge is not documented to send one to SNS, and an alarm that is refused is worse
  # than a message too many.
  statement {
    sid       = "RulesTellOperators"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.operators.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }

  statement {
    sid       = "OnlyOverTls"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.operators.arn]

    principals {
      type        = "*" # Refused to everybody.
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sns_topic_policy" "operators" {
  arn    = aws_sns_topic.operators.arn
  policy = data.aws_iam_policy_document.operators.json
}

resource "aws_sns_topic_subscription" "operators_email" {
  count = var.operators_email == null ? 0 : 1

  topic_arn = aws_sns_topic.operators.arn
  protocol  = "email"
  endpoint  = var.operators_email
}

locals {
  run_alarms = merge([for stem in local.state_machines : {
    for end, metric in { failed = "ExecutionsFailed", timed-out = "ExecutionsTimedOut", aborted = "ExecutionsAborted" } :
    "${stem}-${end}" => { stem = stem, metric = metric }
  }]...)
}

# To be seen, on the dashboard and in the console. They send nothing: each such end is told once already, by the state machine with
# its reason, by the rule of ended runs, or by the worker.
resource "aws_cloudwatch_metric_alarm" "runs" {
  for_each = local.run_alarms

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = "At least one run of ${var.name_prefix}-${each.value.stem} counted in ${each.value.metric} within five minutes. What ended was told to operators, with its reason; read its history in Step Functions, mend that, and start it again with the same input."
  namespace           = "AWS/States"
  metric_name         = each.value.metric
  dimensions          = { StateMachineArn = aws_sfn_state_machine.this[each.value.stem].arn }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name_prefix}-dead-letters"
  alarm_description   = "Events that could not be delivered wait in ${aws_sqs_queue.dead_letters.name}. See the role of the rule or of the schedule, mend it, and start the executions with the messages' bodies as input, or wait for the sweep; then delete the messages."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.operators.arn]

  tags = var.tags
}

# Workers take what people ask for within seconds.
resource "aws_cloudwatch_metric_alarm" "requests" {
  for_each = local.requests

  alarm_name          = "${var.name_prefix}-${each.key}-waiting"
  alarm_description   = "A request in ${aws_sqs_queue.requests[each.key].name} has waited for ten minutes; after a day it is dropped. See that `cordon worker` runs, and what its log says with \"request put off\"."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.requests[each.key].name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 600
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.operators.arn]

  tags = var.tags
}

# An activity's timeouts begin when a worker takes the task. With none that polls nothing ever times out but the execution,
# after 30 days, and ActivityScheduleTime has no data either: it is reported when a task is taken.
locals {
  # With what each flow that an event or the schedule begins starts. A worker polls all activities, so one that is away shows
  # here in the next exposure cycle at the latest. Not with what a restore starts: its tasks last up to two hours, so one may
  # rightly wait for a free slot, and whoever asked for it looks on.
  first_activities = toset(["record_access_finding", "sync_access_findings", "triage_finding"])
}

resource "aws_cloudwatch_metric_alarm" "tasks_not_taken" {
  for_each = local.first_activities

  alarm_name          = "${var.name_prefix}-${each.key}-not-taken"
  alarm_description   = "For ten minutes nobody has taken a task of ${var.name_prefix}-${each.key}. Tasks wait, and nothing is lost. See that `cordon worker` runs, that its log says \"worker ready\", and that its role may call states:GetActivityTask. The alarm ends when a task is taken."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  alarm_actions       = [aws_sns_topic.operators.arn]

  # The period of the task and two whole ones after it: between 10 and 15 minutes. A task of the last second of a period, a
  # start that is reported late, and a worker that is replaced are all over within the second of the three.
  evaluation_periods  = 3
  datapoints_to_alarm = 3

  # When what came last is too long ago to be looked at, the alarm stays as it is.
  treat_missing_data = "ignore"

  metric_query {
    id = "scheduled"

    metric {
      namespace   = "AWS/States"
      metric_name = "ActivitiesScheduled"
      dimensions  = { ActivityArn = aws_sfn_activity.this[each.key].id }
      stat        = "Sum"
      period      = 300
    }
  }

  metric_query {
    id = "started"

    metric {
      namespace   = "AWS/States"
      metric_name = "ActivitiesStarted"
      dimensions  = { ActivityArn = aws_sfn_activity.this[each.key].id }
      stat        = "Sum"
      period      = 300
    }
  }

  metric_query {
    id         = "both"
    expression = "FILL(scheduled, 0) + FILL(started, 0)"
    label      = "Tasks scheduled or started"
  }

  # 1 where tasks came and none was taken, 0 where one was, and where neither happened whatever held before. No RUNNING_SUM,
  # MAX or the like: over how many periods an alarm takes them is not documented.
  metric_query {
    id          = "not_taken"
    expression  = "FILL(IF(both > 0, FILL(scheduled, 0) == both), REPEAT)"
    label       = "Tasks scheduled, none taken"
    return_data = true
  }

  tags = var.tags
}

# The worker asks for the gateway's health once an hour by the name that Slack calls, so that a silent way is noticed: a VPC
# link without traffic for sixty days is taken down, and a place for approvals can be that quiet.
resource "aws_cloudwatch_metric_alarm" "gateway_errors" {
  alarm_name          = "${var.name_prefix}-gateway-errors"
  alarm_description   = "API Gateway answered at least one request with 5xx within five minutes: the gateway, its stores or the way to it failed. See the log groups ${local.access_log_group} (integrationError) and ${local.service_log_groups["gateway"]}. Clicks can be repeated; `cordon approvals` works without the gateway."
  namespace           = "AWS/ApiGateway"
  metric_name         = "5xx"
  dimensions          = { ApiId = aws_apigatewayv2_api.slack.id }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.operators.arn]

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "gateway_silent" {
  alarm_name          = "${var.name_prefix}-gateway-silent"
  alarm_description   = "No probe has reached API Gateway for two hours, although the worker sends one an hour. See that `cordon worker` runs and reaches the internet, and that the API is there; until then decide by `cordon approvals`."
  namespace           = "AWS/ApiGateway"
  metric_name         = "Count"
  dimensions          = { ApiId = aws_apigatewayv2_api.slack.id, Stage = "$default", Method = "GET", Resource = "/healthz" }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  actions_enabled     = var.enabled && var.worker_count > 0 && var.gateway_count > 0
  alarm_actions       = [aws_sns_topic.operators.arn]

  tags = var.tags
}

# Of what the worker measures once a minute and writes into its log.
locals {
  measured_alarms = {
    nobody-polls = {
      metric      = "PollAgeSeconds"
      labels      = {}
      statistic   = "Minimum" # The worker that is best off.
      threshold   = 300
      periods     = 2
      missing     = "breaching"
      description = "For ten to twenty minutes no worker has polled, or none has said so. Everything waits, and nothing is lost. See `cordon doctor`, the ECS service worker of ${var.name_prefix}, and its log for \"poll failed\"."
    }

    not-measured = {
      metric      = "MeasuredAgeSeconds"
      labels      = {}
      statistic   = "Minimum" # The worker that is best off.
      threshold   = 300
      periods     = 2
      missing     = "notBreaching" # That is what nobody-polls tells.
      description = "For a quarter of an hour no worker could read how many cases wait and how old they are, so the alarms about that say nothing. See the log of the worker of ${var.name_prefix} for \"pass failed\" with loop \"metrics\"; `cordon approvals list` shows what waits."
    }

    oldest-case = {
      metric      = "OldestCaseSeconds"
      labels      = { Status = "open" }
      statistic   = "Maximum"
      threshold   = var.case_age_alarm_seconds
      periods     = 1
      missing     = "notBreaching"
      description = "A case is open for more than ${var.case_age_alarm_seconds} seconds. `cordon approvals list` shows it; decide it there or in Slack, or see why its execution waits."
    }

    not-shown = {
      metric      = "OldestUnshownSeconds"
      labels      = {}
      statistic   = "Maximum"
      threshold   = 900
      periods     = 2
      missing     = "notBreaching"
      description = "For 15 minutes Slack has not shown something as it is. `cordon doctor` looks at token, scopes and channels; until then `cordon approvals list` shows what waits."
    }
  }

  alarm_arns = flatten([
    values(aws_cloudwatch_metric_alarm.measured)[*].arn,
    values(aws_cloudwatch_metric_alarm.requests)[*].arn,
    values(aws_cloudwatch_metric_alarm.runs)[*].arn,
    values(aws_cloudwatch_metric_alarm.tasks_not_taken)[*].arn,
    aws_cloudwatch_metric_alarm.dead_letters.arn,
    aws_cloudwatch_metric_alarm.gateway_errors.arn,
    aws_cloudwatch_metric_alarm.gateway_silent.arn,
  ])
}

resource "aws_cloudwatch_metric_alarm" "measured" {
  for_each = local.measured_alarms

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "Cordon"
  metric_name         = each.value.metric
  dimensions          = merge({ Installation = var.name_prefix }, each.value.labels)
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = each.value.periods
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = each.value.missing
  actions_enabled     = var.enabled && var.worker_count > 0
  alarm_actions       = [aws_sns_topic.operators.arn]

  tags = var.tags
}
