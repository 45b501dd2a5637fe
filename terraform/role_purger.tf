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
    # Unseen: s3:DeleteObjectVersion: S3 asks for it where a version is named, the emulator for s3:DeleteObject (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
    sid       = "RemoveVersions"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = ["${aws_s3_bucket.this["quarantine"].arn}/*"] # Every case has its own key.
  }

  statement {
    sid       = "ListVersions"
    actions   = ["s3:ListBucketVersions"]
    resources = [aws_s3_bucket.this["quarantine"].arn]
  }
}

resource "aws_iam_role" "purger" {
  count = length(var.purgers) == 0 ? 0 : 1

  name                 = "${var.name_prefix}-purger${local.in_region}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Removes quarantined objects for good, and reads none of them."
  assume_role_policy   = data.aws_iam_policy_document.purger_trust[0].json

  tags = var.tags
}

resource "aws_iam_role_policy" "purger" {
  count = length(var.purgers) == 0 ? 0 : 1

  name   = "purge"
  role   = aws_iam_role.purger[0].id
  policy = data.aws_iam_policy_document.purger.json
}
