data "aws_iam_policy_document" "events_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.event_rule_arns["finding_response"], local.event_rule_arns["access_finding_intake"]]
    }
  }
}

data "aws_iam_policy_document" "events" {
  statement {
    sid       = "StartRuns"
    actions   = ["states:StartExecution"]
    resources = [local.state_machine_arns["finding_response"], local.state_machine_arns["access_finding_intake"]]
  }
}

resource "aws_iam_role" "events" {
  name                 = "${var.name_prefix}-events${local.in_region}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "EventBridge rules that start the runs of Cordon."
  assume_role_policy   = data.aws_iam_policy_document.events_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "events" {
  name   = "start-runs"
  role   = aws_iam_role.events.id
  policy = data.aws_iam_policy_document.events.json
}
