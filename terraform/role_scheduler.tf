data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_scheduler_schedule_group.this.arn]
    }
  }
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "StartCycles"
    actions   = ["states:StartExecution"]
    resources = [local.state_machine_arns["exposure_cycle"]]
  }

  # The Scheduler opens the schedule's input as this role
  # (docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html).
  statement {
    sid       = "OpenTheSchedule"
    actions   = ["kms:Decrypt"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:scheduler:schedule:arn"
      values   = [local.schedule_arn]
    }
  }

  statement {
    sid       = "EncryptWhatItCouldNotDeliver"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["sqs"]]
    }
  }

  statement {
    sid       = "LeaveWhatItCouldNotDeliver"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }
}

resource "aws_iam_role" "scheduler" {
  name                 = "${var.name_prefix}-scheduler${local.in_region}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "The schedule that starts exposure cycles."
  assume_role_policy   = data.aws_iam_policy_document.scheduler_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "start-cycles"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}
