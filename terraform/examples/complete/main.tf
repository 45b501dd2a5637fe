# One account, everything turned on but exposure cycles. Credentials leave at once, financial data after a click, the rest is reviewed by
# the fallback approvers.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}

module "activation" {
  source = "../../modules/activation"
}

module "cordon" {
  source = "../.."

  analyzer_arn       = module.activation.analyzer_arn
  slack_team_id      = "T0EXAMPLE1"
  slack_channel      = "C0EXAMPLE1"
  fallback_approvers = ["U0EXAMPLE1"]
  operators_email    = "security@example.com"

  # True has Macie scan every bucket that is shared, in full, at first and every 30 days after that: read "What a cycle can
  # cost" in the README, and add up the sizes of these buckets first.
  exposure_cycle_enabled = false

  policy = {
    rules = [
      {
        name             = "credentials-leave-at-once"
        finding_types    = ["SensitiveData:S3Object/Credentials"]
        minimum_severity = "High"
        disposition      = "quarantine"
      },
      {
        name          = "financial-data-is-reviewed"
        finding_types = ["SensitiveData:S3Object/Financial"]
        disposition   = "review"
        approvers     = { users = ["U0EXAMPLE1", "U0EXAMPLE2"] }
        rounds        = 2
      },
    ]
  }
}

output "slack_secret_arn" {
  description = "Put the Slack app's bot_token and signing_secret here."
  value       = module.cordon.slack_secret_arn
}
