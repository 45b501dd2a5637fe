resource "aws_macie2_account" "this" {
  count = var.enable_macie ? 1 : 0

  status                       = "ENABLED"
  finding_publishing_frequency = "FIFTEEN_MINUTES"

  # How often findings that are known are published again is for those who turned it on.
  lifecycle {
    ignore_changes = [finding_publishing_frequency]
  }
}

resource "aws_accessanalyzer_analyzer" "this" {
  count = var.enable_access_analyzer ? 1 : 0

  analyzer_name = var.analyzer_name
  type          = "ACCOUNT"

  tags = var.tags
}

resource "aws_securityhub_account" "this" {
  count = var.enable_security_hub ? 1 : 0

  # Cordon imports its own findings and needs no checks; standards are the account owner's choice, and cost.
  enable_default_standards = false

  # What is taken over stays as it is: an import does not tell about standards, and to change them would replace it.
  lifecycle {
    ignore_changes = all
  }
}

# Others may use what this has switched on, and with it go its findings. Also where an input is what takes it away: with the input a
# part of this goes too, and before what it depends on; another name for the analyzer replaces it, and this before.
locals {
  stays_on = "echo 'Macie, the analyzer and Security Hub stay on, for the whole account. Take what is to go out of the state first: terraform state rm module.activation (or the name that you gave it). To switch it off with its findings, set switch_off_on_destroy to true, apply, and try again.' && exit 1"
}

resource "terraform_data" "macie_is_kept" {
  count = var.enable_macie ? 1 : 0

  input = var.switch_off_on_destroy ? "exit 0" : local.stays_on

  provisioner "local-exec" {
    when    = destroy
    command = self.input
  }

  depends_on = [aws_macie2_account.this]
}

resource "terraform_data" "analyzer_is_kept" {
  count = var.enable_access_analyzer ? 1 : 0

  input            = var.switch_off_on_destroy ? "exit 0" : local.stays_on
  triggers_replace = [var.analyzer_name]

  provisioner "local-exec" {
    when    = destroy
    command = self.input
  }

  depends_on = [aws_accessanalyzer_analyzer.this]
}

resource "terraform_data" "security_hub_is_kept" {
  count = var.enable_security_hub ? 1 : 0

  input = var.switch_off_on_destroy ? "exit 0" : local.stays_on

  provisioner "local-exec" {
    when    = destroy
    command = self.input
  }

  depends_on = [aws_securityhub_account.this]
}
