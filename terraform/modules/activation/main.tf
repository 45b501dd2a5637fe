resource "aws_macie2_account" "this" {
  count = var.enable_macie ? 1 : 0

  status                       = "ENABLED"
  finding_publishing_frequency = "FIFTEEN_MINUTES"
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
}

# Others may use what this has switched on, and with it go its findings.
resource "terraform_data" "kept" {
  input = var.switch_off_on_destroy

  provisioner "local-exec" {
    when    = destroy
    command = self.input ? "exit 0" : "echo 'Macie, the analyzer and Security Hub stay on, for the whole account. Take them out of the state first: terraform state rm module.activation (or the name that you gave it). To switch them off with their findings, set switch_off_on_destroy to true, apply, and destroy again.' && exit 1"
  }

  depends_on = [aws_macie2_account.this, aws_accessanalyzer_analyzer.this, aws_securityhub_account.this]
}
