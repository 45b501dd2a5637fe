# One account, everything turned on but exposure cycles, in shadow mode: Cordon says what it would do. Once enforced, credentials
# leave at once, financial data after a click, and the fallback approvers review the rest. docs/DEPLOY.md goes through it.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }
}

variable "image" {
  description = "As of the module: what `make image` has made, by its digest."
  type        = string
}

variable "network" {
  description = "As of the module."
  type        = any
}

variable "slack_team_id" {
  description = "As of the module."
  type        = string
}

variable "slack_channel" {
  description = "As of the module."
  type        = string
}

variable "fallback_approvers" {
  description = "As of the module."
  type        = list(string)
}

variable "operators_email" {
  description = "As of the module."
  type        = string
  default     = null
}

provider "aws" {
  region = "us-east-1"
}

module "activation" {
  source = "../../modules/activation"
}

module "cordon" {
  source = "../.."

  image              = var.image
  network            = var.network
  analyzer_arn       = module.activation.analyzer_arn
  slack_team_id      = var.slack_team_id
  slack_channel      = var.slack_channel
  fallback_approvers = var.fallback_approvers
  operators_email    = var.operators_email

  # True has Macie scan every bucket that is shared, in full, at first and every 30 days after that: read "What a cycle can
  # cost" in the README, and add up the sizes of these buckets first.
  exposure_cycle_enabled = false

  policy = {
    mode = "shadow" # Until you choose to enforce.

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
        approvers     = { users = var.fallback_approvers }
        rounds        = 2
      },
    ]
  }
}

output "slack_secret_arn" {
  description = "Put the Slack app's bot_token and signing_secret here."
  value       = module.cordon.slack_secret_arn
}

output "interactions_url" {
  description = "Enter this in the Slack app as its request URL."
  value       = module.cordon.interactions_url
}

output "operator_environment" {
  description = "Settings of the command line on a person's machine."
  value       = module.cordon.operator_environment
}
