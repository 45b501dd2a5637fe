# Three keys: operators work with records, nobody works with what is in quarantine, and the worker alone vouches for plans. The
# first two may be your own; docs/DEPLOY.md says what their policies have to allow.

locals {
  data_key_arn       = coalesce(var.data_key_arn, one(aws_kms_key.data[*].arn))
  quarantine_key_arn = coalesce(var.quarantine_key_arn, one(aws_kms_key.quarantine[*].arn))
}

moved {
  from = aws_kms_key.data
  to   = aws_kms_key.data[0]
}

moved {
  from = aws_kms_key.quarantine
  to   = aws_kms_key.quarantine[0]
}

moved {
  from = aws_kms_alias.data
  to   = aws_kms_alias.data[0]
}

moved {
  from = aws_kms_alias.quarantine
  to   = aws_kms_alias.quarantine[0]
}

data "aws_iam_policy_document" "data_key" {
  # checkov:skip=CKV_AWS_109: a key policy: the star is this key, and the account has to be able to administer it
  # checkov:skip=CKV_AWS_111: the same
  # checkov:skip=CKV_AWS_356: the same
  # parliament:skip=RESOURCE_STAR: a key policy: the star is this key
  # parliament:skip=UNKNOWN_CONDITION_FOR_ACTION kms:DescribeKey: CloudWatch Logs asks with the context of its log group for each of these calls
  # parliament:skip=MISMATCHED_TYPE ArnEquals: the context holds an ARN, which parliament takes for any text

  statement {
    sid       = "AccountDecidesByIam"
    actions   = ["kms:*"] # Without it the key could be locked out of its own account, and no IAM policy could grant its use.
    resources = ["*"]     # In a key policy the star is the key itself.

    principals {
      type        = "AWS"
      identifiers = [local.account_root]
    }
  }

  statement {
    sid       = "LogsAreEncrypted"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
    resources = ["*"] # In a key policy the star is the key itself.

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = [for name in concat(values(local.state_machine_log_groups), [local.access_log_group], values(local.service_log_groups)) : "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${name}"]
    }
  }

  # The logs of executions pass through here on their way to their log group.
  statement {
    sid       = "DeliveredLogsAreDecrypted"
    actions   = ["kms:Decrypt"]
    resources = ["*"] # In a key policy the star is the key itself.

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:SourceArn"
      values   = [local.all_logs_arn]
    }
  }

  statement {
    sid       = "TrailIsEncrypted"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"] # Decrypt, because the bucket has a bucket key.
    resources = ["*"]                                                     # In a key policy the star is the key itself.

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
    sid       = "AlarmsReachOperators"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"] # In a key policy the star is the key itself.

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }

  # No condition on the source: EventBridge sends none to KMS when it publishes to an encrypted topic, or leaves what it could not
  # deliver in an encrypted queue.
  statement {
    sid       = "EventsReachOperators"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"] # In a key policy the star is the key itself.

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }
}

resource "aws_kms_key" "data" {
  count = var.data_key_arn == null ? 1 : 0

  description             = "Cordon (${var.name_prefix}): records, plans, the Slack secret, logs and messages to operators"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_protection ? 30 : 7
  policy                  = data.aws_iam_policy_document.data_key.json

  tags = var.tags
}

resource "aws_kms_alias" "data" {
  count = var.data_key_arn == null ? 1 : 0

  name          = "alias/${var.name_prefix}-data"
  target_key_id = aws_kms_key.data[0].key_id
}

# No IAM policy alone opens the quarantine: the account may administer the key and not use it.
data "aws_iam_policy_document" "quarantine_key" {
  # checkov:skip=CKV_AWS_109: a key policy: the star is this key, and the account has to be able to administer it
  # checkov:skip=CKV_AWS_111: the same
  # checkov:skip=CKV_AWS_356: the same
  # parliament:skip=RESOURCE_STAR: a key policy: the star is this key

  statement {
    sid = "AccountAdministersAndDoesNotUse"

    actions = [
      "kms:CancelKeyDeletion",
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:DescribeKey",
      "kms:DisableKey",
      "kms:DisableKeyRotation",
      "kms:EnableKey",
      "kms:EnableKeyRotation",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListGrants",
      "kms:ListKeyPolicies",
      "kms:ListResourceTags",
      "kms:ListRetirableGrants",
      "kms:PutKeyPolicy",
      "kms:RevokeGrant",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]

    resources = ["*"] # In a key policy the star is the key itself.

    principals {
      type        = "AWS"
      identifiers = [local.account_root]
    }
  }

  statement {
    sid       = "MoverReadsAndWrites"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"] # In a key policy the star is the key itself.

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.mover.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["s3"]]
    }
  }

  statement {
    sid       = "RestorerAndInvestigatorRead"
    actions   = ["kms:Decrypt"]
    resources = ["*"] # In a key policy the star is the key itself.

    principals {
      type        = "AWS"
      identifiers = concat([aws_iam_role.restorer.arn], aws_iam_role.investigator[*].arn)
    }

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.kms_via_service["s3"]]
    }
  }
}

resource "aws_kms_key" "quarantine" {
  count = var.quarantine_key_arn == null ? 1 : 0

  description             = "Cordon (${var.name_prefix}): quarantined objects and their manifests"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_protection ? 30 : 7
  policy                  = data.aws_iam_policy_document.quarantine_key.json

  tags = var.tags
}

resource "aws_kms_alias" "quarantine" {
  count = var.quarantine_key_arn == null ? 1 : 0

  name          = "alias/${var.name_prefix}-quarantine"
  target_key_id = aws_kms_key.quarantine[0].key_id
}

# With it the worker vouches for what people vote on. Nobody else makes or checks its codes, whatever they may write to the tables.
data "aws_iam_policy_document" "mac_key" {
  # checkov:skip=CKV_AWS_109: a key policy: the star is this key, and the account has to be able to administer it
  # checkov:skip=CKV_AWS_111: the same
  # checkov:skip=CKV_AWS_356: the same
  # parliament:skip=RESOURCE_STAR: a key policy: the star is this key

  statement {
    sid = "AccountAdministersAndDoesNotUse"

    actions = [
      "kms:CancelKeyDeletion",
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:DescribeKey",
      "kms:DisableKey",
      "kms:EnableKey",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListKeyPolicies",
      "kms:ListResourceTags",
      "kms:PutKeyPolicy",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]

    resources = ["*"] # In a key policy the star is the key itself.

    principals {
      type        = "AWS"
      identifiers = [local.account_root]
    }
  }

  statement {
    sid       = "WorkerMakesAndChecks"
    actions   = ["kms:GenerateMac", "kms:VerifyMac"]
    resources = ["*"] # In a key policy the star is the key itself.

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.worker.arn]
    }
  }
}

resource "aws_kms_key" "mac" {
  description              = "Cordon (${var.name_prefix}): codes by which the worker knows what it has written"
  customer_master_key_spec = "HMAC_256"
  key_usage                = "GENERATE_VERIFY_MAC"
  deletion_window_in_days  = var.deletion_protection ? 30 : 7
  policy                   = data.aws_iam_policy_document.mac_key.json

  tags = var.tags
}

resource "aws_kms_alias" "mac" {
  name          = "alias/${var.name_prefix}-mac"
  target_key_id = aws_kms_key.mac.key_id
}
