# The role in which named people look at what is in quarantine. Without such people there is no such role.
data "aws_iam_policy_document" "investigator_trust" {
  count = length(var.investigators) == 0 ? 0 : 1

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.investigators
    }
  }
}

data "aws_iam_policy_document" "investigator" {
  # parliament:skip=UNKNOWN_ACTION Annotation: annotations of objects are newer than its list of actions

  statement {
    # Unseen: s3:GetObjectAnnotation, s3:GetObjectTagging, s3:GetObjectVersion, s3:GetObjectVersionAnnotation, s3:GetObjectVersionTagging, s3:ListObjectAnnotations, s3:ListObjectVersionAnnotations: likewise by hand (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
    sid = "ReadQuarantine"

    actions = [
      "s3:GetObject",
      "s3:GetObjectAnnotation",
      "s3:GetObjectTagging",
      "s3:GetObjectVersion",
      "s3:GetObjectVersionAnnotation",
      "s3:GetObjectVersionTagging",
      "s3:ListObjectAnnotations",
      "s3:ListObjectVersionAnnotations",
    ]

    resources = ["${aws_s3_bucket.this["quarantine"].arn}/*"] # Every case has its own key.
  }

  statement {
    # Unseen: people look around by hand; the command line reads what a manifest names (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
    sid       = "ListQuarantine"
    actions   = ["s3:ListBucket", "s3:ListBucketVersions"]
    resources = [aws_s3_bucket.this["quarantine"].arn]
  }

  statement {
    sid       = "DecryptQuarantine"
    actions   = ["kms:Decrypt"]
    resources = [local.quarantine_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["s3"]]
    }
  }
}

resource "aws_iam_role" "investigator" {
  count = length(var.investigators) == 0 ? 0 : 1

  name                 = "${var.name_prefix}-investigator${local.in_region}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Reads quarantined objects and their manifests, and changes nothing."
  assume_role_policy   = data.aws_iam_policy_document.investigator_trust[0].json

  tags = var.tags
}

resource "aws_iam_role_policy" "investigator" {
  count = length(var.investigators) == 0 ? 0 : 1

  name   = "investigate"
  role   = aws_iam_role.investigator[0].id
  policy = data.aws_iam_policy_document.investigator.json
}
