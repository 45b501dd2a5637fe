# The one role that ends what is in quarantine, for named people. Without such people there is no such role. It can read
# nothing of what it removes.
data "aws_iam_policy_document" "purger_trust" {
  count = length(var.purgers) == 0 ? 0 : 1

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.purgers
    }
  }
}

data "aws_iam_policy_document" "purger" {
  # S3 wants both for the removal of a version.
  statement {
    sid       = "RemoveVersions"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = ["${aws_s3_bucket.this["quarantine"].arn}/*"] # Every case has its own key.
  }

  statement {
    sid       = "ListVersions"
    actions   = ["s3:ListBucket", "s3:ListBucketVersions"]
    resources = [aws_s3_bucket.this["quarantine"].arn]
  }
}

resource "aws_iam_role" "purger" {
  count = length(var.purgers) == 0 ? 0 : 1

  name                 = "${var.name_prefix}-purger"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Removes quarantined objects for good, and reads none of them."
  assume_role_policy   = data.aws_iam_policy_document.purger_trust[0].json
}

resource "aws_iam_role_policy" "purger" {
  count = length(var.purgers) == 0 ? 0 : 1

  name   = "purge"
  role   = aws_iam_role.purger[0].id
  policy = data.aws_iam_policy_document.purger.json
}
