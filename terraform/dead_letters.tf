# One queue for all that EventBridge and Scheduler could not deliver. A message in it names its rule and its target.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name_prefix}-dead-letters"
  message_retention_seconds = 1209600
  kms_master_key_id         = local.data_key_arn

  tags = var.tags
}

data "aws_iam_policy_document" "dead_letters" {
  # Scheduler needs no statement here: it sends with its own role.
  statement {
    sid       = "RulesLeaveWhatTheyCouldNotDeliver"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = values(local.event_rule_arns)
    }
  }

  statement {
    sid       = "OnlyOverTls"
    effect    = "Deny"
    actions   = ["sqs:*"] # Whatever the call: a request in clear text is refused.
    resources = [aws_sqs_queue.dead_letters.arn]

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

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy    = data.aws_iam_policy_document.dead_letters.json
}
