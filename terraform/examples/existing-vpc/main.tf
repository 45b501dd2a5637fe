# A company's account: its VPC, analyzer, KMS keys and tags, roles within its boundary, named people, and buckets of its own that
# nothing is moved from. Macie, the analyzer and Security Hub are on already.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }
}

variable "region" {
  description = "Where Cordon runs."
  type        = string
}

variable "image" {
  description = "As of the module: what `make image` has made, by its digest."
  type        = string
}

variable "vpc_id" {
  description = "Your VPC."
  type        = string
}

variable "private_subnet_ids" {
  description = "Private subnets in two zones, with a way to the internet."
  type        = list(string)
}

variable "analyzer_arn" {
  description = "As of the module."
  type        = string
}

variable "data_key_arn" {
  description = "As of the module; null makes a key."
  type        = string
  default     = null
}

variable "quarantine_key_arn" {
  description = "As of the module; null makes a key."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "As of the module."
  type        = string
  default     = null
}

variable "slack" {
  description = "As of the module: app (A…), workspace (T…), channel (C…), and who decides (U…)."

  type = object({
    app_id             = string
    team_id            = string
    channel            = string
    fallback_approvers = list(string)
  })
}

variable "people" {
  description = "As of the module: roles or users who may read in quarantine, delete from it, and change the policy."

  type = object({
    investigators  = optional(list(string), [])
    purgers        = optional(list(string), [])
    policy_writers = optional(list(string), [])
  })

  default  = {}
  nullable = false
}

variable "operators_email" {
  description = "As of the module."
  type        = string
  default     = null
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { service = "cordon", owner = "security" }
  }
}

module "cordon" {
  source = "../.."

  image                    = var.image
  network                  = { kind = "existing", vpc_id = var.vpc_id, subnet_ids = var.private_subnet_ids }
  analyzer_arn             = var.analyzer_arn
  data_key_arn             = var.data_key_arn
  quarantine_key_arn       = var.quarantine_key_arn
  permissions_boundary_arn = var.permissions_boundary_arn
  role_path                = "/security/"
  investigators            = var.people.investigators
  purgers                  = var.people.purgers
  policy_writers           = var.people.policy_writers
  protected_buckets        = ["audit-*", "billing-exports"]
  slack_app_id             = var.slack.app_id
  slack_team_id            = var.slack.team_id
  slack_channel            = var.slack.channel
  fallback_approvers       = var.slack.fallback_approvers
  operators_email          = var.operators_email

  policy = {
    mode                              = "shadow" # Until you choose to enforce.
    max_automatic_per_hour            = 50
    max_automatic_per_bucket_per_hour = 10

    rules = [
      {
        name          = "credentials-are-reviewed"
        finding_types = ["SensitiveData:S3Object/Credentials"]
        disposition   = "review"
        approvers     = { users = var.slack.fallback_approvers }
        rounds        = 3
        on_expiry     = "ask_again"
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
  description = "Settings of the command line on a person's machine; `cordon doctor` says whether all is well."
  value       = module.cordon.operator_environment
}

output "mover_role_arn" {
  description = "Allow it kms:Decrypt in the policies of your keys, so that objects under them can be moved."
  value       = module.cordon.mover_role_arn
}

output "restorer_role_arn" {
  description = "Allow it kms:Decrypt and kms:GenerateDataKey there, so that they can be put back."
  value       = module.cordon.restorer_role_arn
}
