# What people at the command line ask of the worker, a queue for each kind: SQS attests who has sent a message, and to
# be allowed to send is to be allowed to ask. It works while gateway, API Gateway and Slack are down.

locals {
  requests = toset(["approvals", "restores", "purges"])
}

# Whoever sends needs the key too: the policy for operators has it, and so has to have what else lets a purger send.
resource "aws_sqs_queue" "requests" {
  for_each = local.requests

  name                       = "${var.name_prefix}-${each.key}"
  message_retention_seconds  = 86400 # What was asked for longer ago would come as a surprise.
  visibility_timeout_seconds = 30
  kms_master_key_id          = local.data_key_arn

  tags = var.tags
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

  # Those who may delete copies say so before and after, and nobody whom an IAM policy lets besides: what is on record as being
  # deleted cannot be put back.
  dynamic "statement" {
    for_each = each.key == "purges" ? [var.purgers] : []

    content {
      sid       = "OnlyPurgersAsk"
      effect    = "Deny"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.requests[each.key].arn]

      principals {
        type        = "*" # Refused to everybody but those who are named, or, without such people, to everybody.
        identifiers = ["*"]
      }

      dynamic "condition" {
        for_each = length(statement.value) > 0 ? [statement.value] : []

        content {
          test     = "ArnNotEquals"
          variable = "aws:PrincipalArn"
          values   = condition.value
        }
      }
    }
  }

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
