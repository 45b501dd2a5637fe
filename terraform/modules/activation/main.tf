resource "aws_macie2_account" "this" {
  count = var.enable_macie ? 1 : 0

  status                       = "ENABLED"
  finding_publishing_frequency = "FIFTEEN_MINUTES"
}

resource "aws_accessanalyzer_analyzer" "this" {
  count = var.enable_access_analyzer ? 1 : 0

  analyzer_name = var.analyzer_name
  type          = "ACCOUNT"
}

resource "aws_securityhub_account" "this" {
  count = var.enable_security_hub ? 1 : 0

  # Cordon imports its own findings and needs no checks; standards are the account owner's choice, and cost.
  enable_default_standards = false
}
