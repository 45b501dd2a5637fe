# Only the place: its value, {"bot_token":"…","signing_secret":"…"}, is put by the operator and never passes through
# Terraform, whose state would keep it in clear text.
resource "aws_secretsmanager_secret" "slack" {
  # checkov:skip=CKV2_AWS_57: Slack gives these out in its own pages only; docs/SLACK.md says how to change them

  name                    = "${var.name_prefix}/slack"
  description             = "Bot token and signing secret of Cordon's Slack app, as JSON keys bot_token and signing_secret."
  kms_key_id              = local.data_key_arn
  recovery_window_in_days = var.deletion_protection ? 30 : 0

  tags = var.tags
}
