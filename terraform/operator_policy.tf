# What a person needs for `cordon approvals`, `restore`, `pause`, `resume`, `quarantine list|show` and
# `policy explain|replay`. Attach it to those who may; it is no role, so that CloudTrail and the records name the person.
data "aws_iam_policy_document" "operator" {
  # checkov:skip=CKV_AWS_356: the stars are beside the calls that know no resource
  # parliament:skip=RESOURCE_STAR ecs:ListTasks: tasks come and go; a condition keeps to our cluster

  statement {
    sid     = "ReadCases"
    actions = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]

    resources = concat(
      [aws_dynamodb_table.cases.arn],
      [for index in ["by_bucket", "by_short_id", "open", "quarantined"] : "${aws_dynamodb_table.cases.arn}/index/${index}"],
    )
  }

  # The whole of what lets a person decide and restore: the worker records who has sent what, and judges it.
  statement {
    sid       = "AskTheWorker"
    actions   = ["sqs:SendMessage"]
    resources = [for kind in ["approvals", "restores"] : aws_sqs_queue.requests[kind].arn]
  }

  statement {
    # Unseen: the emulator does not encrypt queues (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html).
    sid       = "EncryptRequests"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["sqs"]]
    }
  }

  # The one write: what stops every move depends on no worker. Only this item: no case is written or removed.
  statement {
    sid       = "PauseAndResume"
    actions   = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
    resources = [aws_dynamodb_table.cases.arn]

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      values   = ["pause"]
    }
  }

  statement {
    sid       = "OpenEncryptedRecordsAndPolicy"
    actions   = ["kms:Decrypt"]
    resources = [local.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["dynamodb"], local.kms_via_service["s3"]]
    }
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

  # What policies are asked about: past findings, and whether their buckets are exposed.
  statement {
    sid       = "ReadMacieFindings"
    actions   = ["macie2:GetFindings", "macie2:ListFindings"]
    resources = ["*"] # Macie knows no resource for these calls.
  }

  # What `cordon doctor` looks at. Slack's secret and the settings of buckets are for those who deploy.
  statement {
    sid       = "SeeWhetherServicesAreOn"
    actions   = ["access-analyzer:ListAnalyzers", "events:ListRules", "macie2:GetMacieSession", "securityhub:DescribeHub"]
    resources = ["*"] # Macie and EventBridge know no resource for these calls, and the others are asked for whatever there is.
  }

  statement {
    sid       = "SeeRules"
    actions   = ["events:DescribeRule"]
    resources = values(local.event_rule_arns)
  }

  statement {
    sid       = "SeeServices"
    actions   = ["ecs:DescribeServices", "ecs:DescribeTasks", "ecs:ListTasks"]
    resources = ["*"] # Tasks come and go; the condition keeps to our cluster.

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.this.arn]
    }
  }

  statement {
    # Unseen: dynamodb:GetItem, dynamodb:Query: `cordon policy replay` asks only where a rule says `exposed` (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/using-identity-based-policies.html).
    sid       = "ReadExposures"
    actions   = ["dynamodb:GetItem", "dynamodb:Query"]
    resources = [aws_dynamodb_table.exposures.arn]
  }
}

resource "aws_iam_policy" "operator" {
  name        = "${var.name_prefix}-operator${local.in_region}"
  description = "Lets a person decide cases, restore from quarantine, pause and resume Cordon, list cases, and ask what a policy would do; attach it to those who may."
  policy      = data.aws_iam_policy_document.operator.json

  tags = var.tags
}
