# What people at the command line ask of the worker, a queue for each kind: SQS attests who has sent a message, and whoever
# may send to a queue may ask. It works while gateway, API Gateway and Slack are down.

locals {
  requests = toset(["approvals", "restores", "purges"])
}

# Encrypted by SQS: a key of ours would take every sender two more permissions.
resource "aws_sqs_queue" "requests" {
  for_each = local.requests

  name                       = "${var.name_prefix}-${each.key}"
  message_retention_seconds  = 86400 # What was asked for a day ago surprises whoever has forgotten it.
  visibility_timeout_seconds = 30
  sqs_managed_sse_enabled    = true

  # What fails for an hour is for operators to look at.
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 120
  })
}

data "aws_iam_policy_document" "requests" {
  for_each = local.requests

  statement {
    sid       = "OnlyOverTls"
    effect    = "Deny"
    actions   = ["sqs:*"] # Whatever the call: a request in clear text is refused.
    resources = [aws_sqs_queue.requests[each.key].arn]

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

  # Those who may delete copies, and nobody whom an IAM policy lets besides, say so before and after.
  dynamic "statement" {
    for_each = each.key == "purges" && length(var.purgers) > 0 ? [var.purgers] : []

    content {
      sid       = "PurgersAsk"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.requests[each.key].arn]

      principals {
        type        = "AWS"
        identifiers = statement.value
      }
    }
  }
}

resource "aws_sqs_queue_policy" "requests" {
  for_each = local.requests

  queue_url = aws_sqs_queue.requests[each.key].id
  policy    = data.aws_iam_policy_document.requests[each.key].json
}
