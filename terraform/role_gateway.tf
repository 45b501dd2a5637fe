data "aws_iam_policy_document" "gateway" {
  statement {
    sid       = "ReadCases"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:GetItem"]
    resources = [aws_dynamodb_table.cases.arn]
  }

  # How cases stand, and which page a digest shows. What a case is about is in items of its own, out of reach from here.
  statement {
    sid       = "RecordVotes"
    actions   = ["dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.cases.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["approval#*", "digest#*"]
    }
  }

  statement {
    sid       = "ReadSlackSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.slack.arn]
  }

  statement {
    sid       = "ReadPolicy"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.this["state"].arn}/${local.policy_key}"]
  }

  # While the newest policy cannot be used, the last good one is in force.
  statement {
    sid       = "ReadEarlierPolicies"
    actions   = ["s3:GetObjectVersion"]
    resources = ["${aws_s3_bucket.this["state"].arn}/${local.policy_key}"]
  }

  statement {
    sid       = "ListPolicyVersions"
    actions   = ["s3:ListBucketVersions"]
    resources = [aws_s3_bucket.this["state"].arn]

    condition {
      test     = "StringEquals"
      variable = "s3:prefix"
      values   = [local.policy_key]
    }
  }

  statement {
    sid       = "OpenEncryptedRecordsAndPolicy"
    actions   = ["kms:Decrypt"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["dynamodb", "s3", "secretsmanager"] : local.kms_via_service[service]]
    }
  }

  statement {
    # Unseen: the emulator encrypts no queues (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html).
    sid       = "EncryptRequests"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["sqs"]]
    }
  }

  # As Slack has signed them: the worker believes nothing else that comes from here.
  statement {
    sid       = "PassOnRestores"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.requests["restores"].arn]
  }

  statement {
    sid       = "WakeRuns"
    actions   = ["states:SendTaskSuccess"]
    resources = ["*"] # The call knows no resource: the task token is what it authorizes by.
  }
}

resource "aws_iam_role" "gateway" {
  name                 = "${var.name_prefix}-gateway${local.in_region}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Task role of Cordon's gateway, which faces the internet: it records votes, passes restore requests on, wakes runs, and can touch no object."
  assume_role_policy   = data.aws_iam_policy_document.task_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "gateway" {
  name   = "answer"
  role   = aws_iam_role.gateway.id
  policy = data.aws_iam_policy_document.gateway.json
}
