# The role that puts objects back: it reads in quarantine and writes at the source, and removes nothing anywhere. The
# worker assumes it for one object at a time. The session's tags leave of all this one bucket and one case's prefix in
# quarantine, whatever the caller asks for; the caller's session policy leaves one key.
data "aws_iam_policy_document" "restorer_trust" {
  # No session without the tags by which the policy below narrows it.
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.worker.arn]
    }

    dynamic "condition" {
      for_each = local.session_tags

      content {
        test     = "StringLike"
        variable = "aws:RequestTag/${condition.value}"
        values   = ["?*"]
      }
    }

    # Nor one for a prefix of a bucket.
    condition {
      test     = "StringNotLike"
      variable = "aws:RequestTag/CordonBucket"
      values   = ["*/*"]
    }
  }
}

data "aws_iam_policy_document" "restorer" {
  # parliament:skip=UNKNOWN_ACTION Annotation: annotations of objects are newer than its list of actions

  statement {
    # Unseen: s3:GetObjectTagging, s3:ListObjectAnnotations: S3 asks for them where a copy names no version, as in a quarantine of before there were versions (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
    sid = "ReadInQuarantine"

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

    resources = [local.session_case_arn]
  }

  statement {
    sid       = "TellMissingCopiesFromForbidden"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this["quarantine"].arn]

    # A session without tags reaches nothing, not even names.
    condition {
      test     = "StringLike"
      variable = "aws:PrincipalTag/CordonBucket"
      values   = ["?*"]
    }
  }

  statement {
    sid       = "DecryptInQuarantine"
    actions   = ["kms:Decrypt"]
    resources = [local.quarantine_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["s3"]]
    }
  }

  statement {
    # Unseen: s3:GetObjectVersion, s3:GetObjectVersionTagging, s3:PutObjectVersionTagging: of tags too long for a header, put back into a bucket with versions (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
    sid = "WriteAndVerifyAtTheSource"

    # Creating, filling and completing a multipart upload is s3:PutObject too.
    actions = [
      "s3:AbortMultipartUpload",
      "s3:GetObject",
      "s3:GetObjectAnnotation",
      "s3:GetObjectTagging",
      "s3:GetObjectVersion",
      "s3:GetObjectVersionAnnotation",
      "s3:GetObjectVersionTagging",
      "s3:ListMultipartUploadParts",
      "s3:ListObjectAnnotations",
      "s3:ListObjectVersionAnnotations",
      "s3:PutObject",
      "s3:PutObjectAnnotation",
      "s3:PutObjectTagging",
      "s3:PutObjectVersionAnnotation",
      "s3:PutObjectVersionTagging",
    ]

    resources = ["${local.session_bucket_arn}/*"] # Any object of the one bucket that the session is for.

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid = "ExamineTheSource"

    actions = [
      "s3:GetBucketVersioning",
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
      "s3:ListBucketVersions",
    ]

    resources = [local.session_bucket_arn]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }

  statement {
    # Unseen: of a bucket under a key; the tests put back into others (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html).
    sid       = "EncryptAtTheSource"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = local.source_kms_key_arns

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["s3"]]
    }
  }

  # Cordon's own buckets are no source: what is in quarantine stays as it was found, and the policy is not an object.
  statement {
    sid    = "NeverWriteToWhatIsOurs"
    effect = "Deny"

    actions = [
      "s3:AbortMultipartUpload",
      "s3:PutObject",
      "s3:PutObjectAnnotation",
      "s3:PutObjectTagging",
      "s3:PutObjectVersionAnnotation",
      "s3:PutObjectVersionTagging",
    ]

    resources = [for bucket in aws_s3_bucket.this : "${bucket.arn}/*"] # Every object of each.
  }

  # Also where a bucket's own policy would let it.
  statement {
    sid       = "NeverDelete"
    effect    = "Deny"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = ["arn:${local.partition}:s3:::*/*"] # No object of any bucket.
  }
}

resource "aws_iam_role" "restorer" {
  name                 = "${var.name_prefix}-restorer${local.in_region}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Puts one object back from quarantine; assumed by the worker with a session policy for that object."
  assume_role_policy   = data.aws_iam_policy_document.restorer_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "restorer" {
  name   = "restore"
  role   = aws_iam_role.restorer.id
  policy = data.aws_iam_policy_document.restorer.json
}
