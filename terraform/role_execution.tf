# What ECS itself needs to start a task; the task has a role of its own.

locals {
  # Where the image is in ECR; null where it is elsewhere, and public.
  ecr = try(regex("^(?P<account>[0-9]{12})\\.dkr[.-]ecr(?:-fips)?\\.(?P<region>[a-z0-9-]+)\\.(?:amazonaws\\.com(?:\\.cn)?|on\\.aws)/(?P<name>[^:@]+)", var.image), null)
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for group in aws_cloudwatch_log_group.service : "${group.arn}:*"] # ECS names a stream after its task.
  }

  dynamic "statement" {
    for_each = local.ecr[*]

    content {
      sid       = "PullImage"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = ["arn:${local.partition}:ecr:${statement.value.region}:${statement.value.account}:repository/${statement.value.name}"]
    }
  }

  dynamic "statement" {
    for_each = local.ecr[*]

    content {
      sid       = "LogInToRegistry"
      actions   = ["ecr:GetAuthorizationToken"]
      resources = ["*"] # ECR knows no resource for this call.
    }
  }
}

resource "aws_iam_role" "execution" {
  name                 = "${var.name_prefix}-execution${local.in_region}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "With it ECS starts Cordon's tasks: it pulls the image and writes the logs."
  assume_role_policy   = data.aws_iam_policy_document.task_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name   = "start-tasks"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}
