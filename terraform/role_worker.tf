# Shared by worker and gateway: both are ECS tasks of this account.
data "aws_iam_policy_document" "task_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:ecs:${local.region}:${local.account}:*"] # ECS names the task, which is new each time.
    }
  }
}

data "aws_iam_policy_document" "worker" {
  # parliament:skip=RESOURCE_MISMATCH express: our executions are of standard workflows
  # parliament:skip=RESOURCE_MISMATCH mapRun: nobody lists the executions of a map run

  statement {
    sid       = "TakeTasks"
    actions   = ["states:GetActivityTask"]
    resources = [for activity in aws_sfn_activity.this : activity.id]
  }

  statement {
    sid       = "ReadSlackSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.slack.arn]
  }

  statement {
    sid       = "AnswerTasks"
    actions   = ["states:SendTaskFailure", "states:SendTaskHeartbeat", "states:SendTaskSuccess"]
    resources = ["*"] # These calls know no resource: the task token is what they authorize by.
  }

  statement {
    sid       = "StartResponsesAndRestores"
    actions   = ["states:StartExecution"]
    resources = [aws_sfn_state_machine.this["finding_response"].arn, aws_sfn_state_machine.this["object_restore"].arn]
  }

  statement {
    sid       = "SeeHowRunsStand"
    actions   = ["states:DescribeExecution"]
    resources = local.run_arns # Every run of our machines.
  }

  statement {
    sid       = "SeeWhichRunsAreAtWorkOrFailed"
    actions   = ["states:ListExecutions"]
    resources = [for machine in aws_sfn_state_machine.this : machine.arn]
  }

  statement {
    sid     = "KeepRecords"
    actions = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]

    resources = concat(
      [aws_dynamodb_table.cases.arn, aws_dynamodb_table.exposures.arn, "${aws_dynamodb_table.exposures.arn}/index/due"],
      [for index in ["open", "slack_due", "waiting"] : "${aws_dynamodb_table.cases.arn}/index/${index}"],
    )
  }

  statement {
    sid     = "ReadPolicyAndCycles"
    actions = ["s3:GetObject"]

    resources = [
      "${aws_s3_bucket.this["state"].arn}/${local.policy_key}",
      "${aws_s3_bucket.this["state"].arn}/${local.cycles_prefix}*", # Plan, reports and summary of every cycle.
    ]
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

  # Never the policy: what decides about objects is not written by what acts on them.
  statement {
    sid       = "WriteCycles"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.this["state"].arn}/${local.cycles_prefix}*"] # Plan, reports and summary of every cycle.
  }

  # Also because without it S3 answers 403 for an object that is not there.
  statement {
    sid       = "ListCycles"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this["state"].arn]
  }

  statement {
    sid       = "OpenEncryptedRecordsAndState"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["dynamodb", "s3", "secretsmanager", "sqs", "states"] : local.kms_via_service[service]]
    }
  }

  statement {
    sid       = "ReadExclusionTags"
    actions   = ["s3:GetBucketTagging"]
    resources = ["arn:${local.partition}:s3:::*"] # Any bucket may turn out to be exposed; the condition keeps to our own.

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid       = "ReadMacieFindings"
    actions   = ["macie2:GetFindings", "macie2:ListFindings"]
    resources = ["*"] # Macie knows no resource for these calls.
  }

  # What automated discovery looks for, a rescan looks for too.
  statement {
    sid       = "ReadInspectionTemplate"
    actions   = ["macie2:GetSensitivityInspectionTemplate", "macie2:ListSensitivityInspectionTemplates"]
    resources = ["*"] # Macie knows no resource for these calls.
  }

  statement {
    sid       = "ScanBuckets"
    actions   = ["macie2:CreateClassificationJob", "macie2:DescribeClassificationJob"]
    resources = ["arn:${local.partition}:macie2:${local.region}:${local.account}:classification-job/*"] # Macie gives a job its id.
  }

  statement {
    sid       = "ReadAccessFindings"
    actions   = ["access-analyzer:ListFindings"]
    resources = [var.analyzer_arn]
  }

  statement {
    sid       = "ImportExposures"
    actions   = ["securityhub:BatchImportFindings"]
    resources = ["${local.security_hub_arn}:product/${local.account}/default"]
  }

  # One call carries several events, each with its source: all of them must be ours.
  statement {
    sid       = "AnnounceOutcomes"
    actions   = ["events:PutEvents"]
    resources = [local.default_event_bus]

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "events:source"
      values   = ["cordon"]
    }
  }

  statement {
    sid       = "TakeRequests"
    actions   = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
    resources = [for queue in aws_sqs_queue.requests : queue.arn]
  }

  statement {
    sid       = "VouchForRecords"
    actions   = ["kms:GenerateMac", "kms:VerifyMac"]
    resources = [aws_kms_key.mac.arn]
  }

  statement {
    # Unseen: sts:TagSession: STS asks for it where a session has tags, the emulator does not (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html).
    sid       = "ActAsMoverOrRestorer"
    actions   = ["sts:AssumeRole", "sts:TagSession"]
    resources = [aws_iam_role.mover.arn, aws_iam_role.restorer.arn]
  }
}

resource "aws_iam_role" "worker" {
  name                 = "${var.name_prefix}-worker${local.in_region}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Task role of Cordon's worker. It touches no object of any bucket but Cordon's own: for that it becomes the mover or the restorer."
  assume_role_policy   = data.aws_iam_policy_document.task_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "worker" {
  name   = "work"
  role   = aws_iam_role.worker.id
  policy = data.aws_iam_policy_document.worker.json
}
