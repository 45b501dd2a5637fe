# Who has read, written or removed what in quarantine. A trail of its own, because only trails see single objects; it has no management
# events, which an account's own trail has.

locals {
  trail_arn = "arn:${local.partition}:cloudtrail:${local.region}:${local.account}:trail/${var.name_prefix}-quarantine"
}

data "aws_iam_policy_document" "audit_bucket" {
  count = var.log_quarantine_access ? 1 : 0

  statement {
    sid       = "OnlyOverTls"
    effect    = "Deny"
    actions   = ["s3:*"]                                                                  # Whatever the call: a request in clear text is refused.
    resources = [aws_s3_bucket.this["audit"].arn, "${aws_s3_bucket.this["audit"].arn}/*"] # Every object of this bucket.

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

  statement {
    sid       = "TrailLooks"
    actions   = ["s3:GetBucketAcl"]
    resources = [aws_s3_bucket.this["audit"].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = [local.trail_arn]
    }
  }

  statement {
    sid       = "TrailWrites"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.this["audit"].arn}/AWSLogs/${local.account}/*"] # CloudTrail names its files itself.

    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = [local.trail_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "s3:x-amz-acl"
      values   = ["bucket-owner-full-control"]
    }
  }
}

resource "aws_s3_bucket_policy" "audit" {
  count = var.log_quarantine_access ? 1 : 0

  bucket = aws_s3_bucket.this["audit"].id
  policy = data.aws_iam_policy_document.audit_bucket[0].json

  # S3 refuses two changes of one bucket's access at once.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_cloudtrail" "quarantine" {
  # checkov:skip=CKV_AWS_67: it logs one bucket, which is in one Region
  # checkov:skip=CKV_AWS_252: what is logged here is for an inquiry; nothing waits for it
  # checkov:skip=CKV2_AWS_10: the same: the audit bucket keeps it, and a second copy in CloudWatch Logs is charged by the byte

  count = var.log_quarantine_access ? 1 : 0

  name                          = "${var.name_prefix}-quarantine"
  s3_bucket_name                = aws_s3_bucket.this["audit"].id
  kms_key_id                    = local.data_key_arn
  enable_log_file_validation    = true
  include_global_service_events = false
  is_multi_region_trail         = false

  advanced_event_selector {
    name = "Every access to what is in quarantine"

    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }

    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }

    field_selector {
      field       = "resources.ARN"
      starts_with = ["${aws_s3_bucket.this["quarantine"].arn}/"]
    }
  }

  tags = var.tags

  depends_on = [aws_s3_bucket_policy.audit]
}
