# The role that takes objects into quarantine: it reads and removes at the source, and writes there never. The worker
# assumes it for one object at a time. The session's tags leave of all this one bucket and one case's prefix in quarantine,
# whatever the caller asks for; the caller's session policy leaves one key.
data "aws_iam_policy_document" "mover_trust" {
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

    # Nor one for a bucket that nothing is to be moved from, or for what only begins with such a bucket's name.
    condition {
      test     = "StringNotLike"
      variable = "aws:RequestTag/CordonBucket"
      values   = concat(local.protected_buckets, sort(values(local.buckets)), ["*/*"])
    }
  }
}

data "aws_iam_policy_document" "mover" {
  # parliament:skip=UNKNOWN_ACTION Annotation: annotations of objects are newer than its list of actions

  statement {
    # Unseen: s3:ListObjectVersionAnnotations: of an annotated object in a bucket with versions, which only the larger runs of the tests have (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
    sid = "ReadAndRemoveAtTheSource"

    actions = [
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:GetObject",
      "s3:GetObjectAnnotation",
      "s3:GetObjectLegalHold",
      "s3:GetObjectRetention",
      "s3:GetObjectTagging",
      "s3:GetObjectVersion",
      "s3:GetObjectVersionAnnotation",
      "s3:GetObjectVersionTagging",
      "s3:ListObjectAnnotations",
      "s3:ListObjectVersionAnnotations",
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
    sid       = "DecryptAtTheSource"
    actions   = ["kms:Decrypt"]
    resources = local.source_kms_key_arns

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["s3"]]
    }
  }

  statement {
    # Unseen: s3:GetObjectAnnotation, s3:GetObjectVersionAnnotation, s3:GetObjectVersionTagging, s3:ListObjectAnnotations, s3:ListObjectVersionAnnotations: where a copy of an annotated object is met again, which only the larger runs of the tests have (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
    sid = "WriteAndVerifyInQuarantine"

    # Creating, filling and completing a multipart upload is s3:PutObject too. S3 shows how many tags a copy has to those who
    # may read them.
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

    resources = [local.session_case_arn]
  }

  # The first tells missing copies from forbidden ones, the second finds the upload of a worker that was killed.
  statement {
    sid       = "FindCopiesAndUploads"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.this["quarantine"].arn]

    # A session without tags reaches nothing, not even names.
    condition {
      test     = "StringLike"
      variable = "aws:PrincipalTag/CordonBucket"
      values   = ["?*"]
    }
  }

  statement {
    # Unseen: kms:Decrypt: S3 asks for it where an upload in parts is completed, the emulator does not (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions).
    sid       = "EncryptInQuarantine"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.quarantine_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["s3"]]
    }
  }

  # Cordon's own buckets are no source: nothing leaves quarantine this way, and the policy is not an object to move.
  statement {
    sid     = "NeverRemoveWhatIsOurs"
    effect  = "Deny"
    actions = ["s3:DeleteObject", "s3:DeleteObjectVersion"]

    resources = [for bucket in aws_s3_bucket.this : "${bucket.arn}/*"] # Every object of each.
  }
}

resource "aws_iam_role" "mover" {
  name                 = "${var.name_prefix}-mover${local.in_region}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Moves one object into quarantine; assumed by the worker with a session policy for that object."
  assume_role_policy   = data.aws_iam_policy_document.mover_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "mover" {
  name   = "move"
  role   = aws_iam_role.mover.id
  policy = data.aws_iam_policy_document.mover.json
}
