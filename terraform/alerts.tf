resource "aws_sns_topic" "operators" {
  name              = "${var.name_prefix}-operators"
  kms_master_key_id = aws_kms_key.data.arn
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

resource "aws_cloudwatch_metric_alarm" "runs" {
  for_each = local.run_alarms

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = "At least one run of ${var.name_prefix}-${each.value.stem} counted in ${each.value.metric} within five minutes."
  namespace           = "AWS/States"
  metric_name         = each.value.metric
  dimensions          = { StateMachineArn = aws_sfn_state_machine.this[each.value.stem].arn }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.operators.arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name_prefix}-dead-letters"
  alarm_description   = "Events that could not be delivered wait in ${aws_sqs_queue.dead_letters.name}."
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
}
