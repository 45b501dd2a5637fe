locals {
  buckets = merge(var.log_quarantine_access ? { audit = "${var.name_prefix}-audit-${local.account}${local.in_region}" } : {}, {
    quarantine = "${var.name_prefix}-quarantine-${local.account}${local.in_region}"
    state      = "${var.name_prefix}-state-${local.account}${local.in_region}"
  })

  bucket_keys = {
    audit      = local.data_key_arn
    quarantine = local.quarantine_key_arn
    state      = local.data_key_arn
  }
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18: the trail of audit.tf logs each access to the quarantine with who it was, which access logs do not say of a role; the state bucket holds plans and policy versions, no data
  # checkov:skip=CKV_AWS_144: a second copy of sensitive data in another Region is what Cordon is there to prevent
  # checkov:skip=CKV2_AWS_62: nothing acts on an object that appears here

  for_each = local.buckets

  bucket        = each.value
  force_destroy = !var.deletion_protection

  tags = var.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.bucket_keys[each.key]
    }
    bucket_key_enabled = true
  }
}

# What is in quarantine never expires: it is evidence, old versions and all, and only the purger ends it.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    id     = "abort-incomplete-uploads"
    status = "Enabled"

    filter {}

    # Longer than the longest copy of one object, whose parts a worker resumes.
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = each.key == "audit" ? [var.log_retention_days] : []

    content {
      id     = "expire-logs"
      status = "Enabled"

      filter {}

      expiration {
        days = rule.value
      }

      noncurrent_version_expiration {
        noncurrent_days = 1
      }
    }
  }

  # Nobody asks for the plan and the reports of a cycle that long ago; there may be a hundred cycles a day. Policies stay.
  dynamic "rule" {
    for_each = each.key == "state" ? [local.cycles_prefix] : []

    content {
      id     = "expire-cycles"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        days = 90
      }

      noncurrent_version_expiration {
        noncurrent_days = 1
      }
    }
  }
}

data "aws_iam_policy_document" "state_bucket" {
  statement {
    sid     = "OnlyOverTls"
    effect  = "Deny"
    actions = ["s3:*"] # Whatever the call: a request in clear text is refused.

    resources = [
      aws_s3_bucket.this["state"].arn,
      "${aws_s3_bucket.this["state"].arn}/*", # Every object of this bucket.
    ]

    principals {
      type        = "*" # Refused to everybody.
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # What decides about objects is changed by those who are named, and by nobody else who may write to buckets.
  statement {
    sid       = "OnlyPolicyWritersWriteThePolicy"
    effect    = "Deny"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject", "s3:ReplicateDelete", "s3:ReplicateObject"]
    resources = ["${aws_s3_bucket.this["state"].arn}/${local.policy_key}"]

    principals {
      type        = "*" # Refused to everybody but those named in the condition.
      identifiers = ["*"]
    }

    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = local.who_applies
    }
  }
}

# Who applies this: the role behind a session, the user otherwise.
data "aws_iam_session_context" "current" {
  arn = data.aws_caller_identity.current.arn
}

locals {
  who_applies = sort(distinct(concat(var.policy_writers, [data.aws_iam_session_context.current.issuer_arn])))
}

data "aws_iam_policy_document" "quarantine_bucket" {
  statement {
    sid     = "OnlyOverTls"
    effect  = "Deny"
    actions = ["s3:*"] # Whatever the call: a request in clear text is refused.

    resources = [
      aws_s3_bucket.this["quarantine"].arn,
      "${aws_s3_bucket.this["quarantine"].arn}/*", # Every object of this bucket.
    ]

    principals {
      type        = "*" # Refused to everybody.
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # Administrators included: what is in quarantine was taken out of everybody's reach, and what is found there is evidence.
  statement {
    sid       = "OnlyMoverRestorerAndInvestigatorRead"
    effect    = "Deny"
    actions   = ["s3:GetObject*"]                             # Every way of reading an object: versions, attributes, tags, annotations, torrents.
    resources = ["${aws_s3_bucket.this["quarantine"].arn}/*"] # Every object of this bucket.

    principals {
      type        = "*" # Refused to everybody but those named in the condition.
      identifiers = ["*"]
    }

    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = concat([aws_iam_role.mover.arn, aws_iam_role.restorer.arn], aws_iam_role.investigator[*].arn)
    }
  }

  statement {
    sid    = "OnlyTheMoverWrites"
    effect = "Deny"

    actions = [
      "s3:AbortMultipartUpload",
      "s3:PutObject*", # Every way of writing an object: contents, tags, annotations, ACLs, retention.
      "s3:ReplicateObject",
    ]

    resources = ["${aws_s3_bucket.this["quarantine"].arn}/*"] # Every object of this bucket.

    principals {
      type        = "*" # Refused to everybody but the one named in the condition.
      identifiers = ["*"]
    }

    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = [aws_iam_role.mover.arn]
    }
  }

  # What S3 itself removes by a rule, it asks nobody about.
  statement {
    sid       = "OnlyWhoAppliesSetsLifecycles"
    effect    = "Deny"
    actions   = ["s3:PutLifecycleConfiguration"]
    resources = [aws_s3_bucket.this["quarantine"].arn]

    principals {
      type        = "*" # Refused to everybody but those named in the condition.
      identifiers = ["*"]
    }

    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = local.who_applies
    }
  }

  # They tell what was there, and stay when it is gone.
  statement {
    sid       = "NobodyDeletesManifests"
    effect    = "Deny"
    actions   = ["s3:DeleteObject*"]                                        # Every way of removing: objects, versions, their tags and annotations.
    resources = ["${aws_s3_bucket.this["quarantine"].arn}/*/manifest.json"] # Every manifest.

    principals {
      type        = "*" # Refused to everybody.
      identifiers = ["*"]
    }
  }

  statement {
    sid       = "OnlyThePurgerDeletes"
    effect    = "Deny"
    actions   = ["s3:DeleteObject*"]                          # Every way of removing: objects, versions, their tags and annotations.
    resources = ["${aws_s3_bucket.this["quarantine"].arn}/*"] # Every object of this bucket.

    principals {
      type        = "*" # Refused to everybody but the one named in the condition; without purgers, to everybody.
      identifiers = ["*"]
    }

    dynamic "condition" {
      for_each = aws_iam_role.purger

      content {
        test     = "ArnNotEquals"
        variable = "aws:PrincipalArn"
        values   = [condition.value.arn]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "quarantine" {
  bucket = aws_s3_bucket.this["quarantine"].id
  policy = data.aws_iam_policy_document.quarantine_bucket.json

  # S3 refuses two changes of one bucket's access at once.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.this["state"].id
  policy = data.aws_iam_policy_document.state_bucket.json

  # S3 refuses two changes of one bucket's access at once.
  depends_on = [aws_s3_bucket_public_access_block.this]
}
