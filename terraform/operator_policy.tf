# What a person needs for `cordon restore`, `pause`, `resume` and `quarantine list|show`. Attach it to those who may; it
# is no role, so that CloudTrail and the records name the person.
data "aws_iam_policy_document" "operator" {
  statement {
    sid     = "ReadCases"
    actions = ["dynamodb:GetItem", "dynamodb:Query"]

    resources = [
      aws_dynamodb_table.cases.arn,
      "${aws_dynamodb_table.cases.arn}/index/by_status",
    ]
  }

  statement {
    sid       = "RecordRequests"
    actions   = ["dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.cases.arn]
  }

  # Only this item: a case is never written as a whole, and never removed.
  statement {
    sid       = "PauseAndResume"
    actions   = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
    resources = [aws_dynamodb_table.cases.arn]

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      values   = ["brake#pause"]
    }
  }

  statement {
    sid       = "OpenEncryptedRecords"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.data.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["dynamodb"]]
    }
  }

  statement {
    sid       = "StartRestores"
    actions   = ["states:StartExecution"]
    resources = [aws_sfn_state_machine.this["object_restore"].arn]
  }

  statement {
    sid       = "FollowRestores"
    actions   = ["states:DescribeExecution"]
    resources = ["${local.states_arn}:execution:${var.name_prefix}-object_restore:*"] # Every run of this one machine.
  }
}

resource "aws_iam_policy" "operator" {
  name        = "${var.name_prefix}-operator"
  description = "Lets a person restore from quarantine, pause and resume Cordon, and list cases; attach it to those who may."
  policy      = data.aws_iam_policy_document.operator.json
}
