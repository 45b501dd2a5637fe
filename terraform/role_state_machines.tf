# What each state machine's role may do follows from its ASL, and a test holds the two together. Activities need nothing.

data "aws_iam_policy_document" "state_machine_trust" {
  for_each = local.state_machines

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      # The machine itself and what is qualified by it: its versions, and the label of its distributed map.
      values = [local.state_machine_arns[each.key], "${local.state_machine_arns[each.key]}:*", "${local.state_machine_arns[each.key]}/*"]
    }
  }
}

resource "aws_iam_role" "state_machine" {
  for_each = local.state_machines

  name                 = "${var.name_prefix}-${each.key}${local.in_region}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "What the state machine ${var.name_prefix}-${each.key} itself does; its activities run under the worker's role."
  assume_role_policy   = data.aws_iam_policy_document.state_machine_trust[each.key].json

  tags = var.tags
}

resource "aws_iam_role_policy" "state_machine" {
  for_each = {
    access_finding_intake = data.aws_iam_policy_document.access_finding_intake.json
    exposure_cycle        = data.aws_iam_policy_document.exposure_cycle.json
    finding_response      = data.aws_iam_policy_document.finding_response.json
    object_restore        = data.aws_iam_policy_document.object_restore.json
  }

  name   = "run"
  role   = aws_iam_role.state_machine[each.key].id
  policy = each.value
}

# Shared by all machines: a message to operators, the delivery of logs, and the key that executions are under. Step Functions
# itself uses that key for a machine, so the request carries what is encrypted and no kms:ViaService
# (docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html).
data "aws_iam_policy_document" "every_state_machine" {
  statement {
    sid       = "TellOperators"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.operators.arn]
  }

  statement {
    sid       = "EncryptMessagesToOperators"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["sns"]]
    }
  }

  statement {
    sid       = "EncryptExecutions"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringLike"
      variable = "kms:EncryptionContext:aws:states:stateMachineArn"
      # The machine itself, and what its distributed map names its runs by.
      values = flatten([for arn in values(local.state_machine_arns) : [arn, "${arn}/*"]])
    }
  }

  statement {
    sid       = "EncryptTasks"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:states:activityArn"
      values   = values(aws_sfn_activity.this)[*].id
    }
  }

  statement {
    sid       = "EncryptDeliveredLogs"
    actions   = ["kms:GenerateDataKey"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:SourceArn"
      values   = [local.all_logs_arn]
    }
  }

  statement {
    sid = "DeliverLogs"

    actions = [
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
    ]

    resources = ["*"] # CloudWatch Logs knows no resource for any of these calls.
  }
}

data "aws_iam_policy_document" "access_finding_intake" {
  source_policy_documents = [data.aws_iam_policy_document.every_state_machine.json]
}

data "aws_iam_policy_document" "finding_response" {
  source_policy_documents = [data.aws_iam_policy_document.every_state_machine.json]

  statement {
    sid       = "AwaitAndReadDecisionAndAwaitResume"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.cases.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["approval#*"]
    }
  }

  statement {
    sid       = "OpenEncryptedRecords"
    actions   = ["kms:Decrypt"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["dynamodb"]]
    }
  }
}

data "aws_iam_policy_document" "object_restore" {
  source_policy_documents = [data.aws_iam_policy_document.every_state_machine.json]

  statement {
    sid       = "AwaitResume"
    actions   = ["dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.cases.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["approval#*"]
    }
  }

  statement {
    sid       = "OpenEncryptedRecords"
    actions   = ["kms:Decrypt"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["dynamodb"]]
    }
  }
}

data "aws_iam_policy_document" "exposure_cycle" {
  # parliament:skip=RESOURCE_MISMATCH express: our executions are of standard workflows

  source_policy_documents = [data.aws_iam_policy_document.every_state_machine.json]

  statement {
    sid       = "AwaitScan"
    actions   = ["dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.exposures.arn]
  }

  statement {
    sid       = "ReadPlan"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.this["state"].arn}/${local.cycles_prefix}*/plan.json"] # Every cycle has its own.
  }

  statement {
    sid       = "OpenEncryptedRecordsAndPlans"
    actions   = ["kms:Decrypt"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["dynamodb"], local.kms_via_service["s3"]]
    }
  }

  statement {
    sid       = "StartBatches"
    actions   = ["states:StartExecution"]
    resources = [local.state_machine_arns["exposure_cycle"]]
  }

  statement {
    sid     = "FollowBatches"
    actions = ["states:DescribeExecution", "states:RedriveExecution", "states:StopExecution"]

    # Step Functions names the runs of a batch itself, below the machine and the label of the map.
    resources = [
      "${local.states_arn}:execution:${var.name_prefix}-exposure_cycle:*",
      "${local.states_arn}:execution:${var.name_prefix}-exposure_cycle/ScanBatches:*",
    ]
  }
}
