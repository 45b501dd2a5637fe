# Three keys: operators work with records, nobody works with what is in quarantine, and the worker alone vouches for plans.

data "aws_iam_policy_document" "data_key" {
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

  # No condition on the source: EventBridge sends none to KMS when it publishes to an encrypted topic.
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
  description             = "Cordon (${var.name_prefix}): records, plans, the Slack secret, logs and messages to operators"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_protection ? 30 : 7
  policy                  = data.aws_iam_policy_document.data_key.json
}

resource "aws_kms_alias" "data" {
  name          = "alias/${var.name_prefix}-data"
  target_key_id = aws_kms_key.data.key_id
}

# No IAM policy alone opens the quarantine: the account may administer the key and not use it.
data "aws_iam_policy_document" "quarantine_key" {
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
  description             = "Cordon (${var.name_prefix}): quarantined objects and their manifests"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_protection ? 30 : 7
  policy                  = data.aws_iam_policy_document.quarantine_key.json
}

resource "aws_kms_alias" "quarantine" {
  name          = "alias/${var.name_prefix}-quarantine"
  target_key_id = aws_kms_key.quarantine.key_id
}

# With it the worker vouches for what people vote on. Nobody else makes or checks its codes, whatever they may write to the tables.
data "aws_iam_policy_document" "mac_key" {
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
}

resource "aws_kms_alias" "mac" {
  name          = "alias/${var.name_prefix}-mac"
  target_key_id = aws_kms_key.mac.key_id
}
