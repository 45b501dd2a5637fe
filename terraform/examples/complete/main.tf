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

variable "region" {
  description = "Where Cordon runs."
  type        = string
}

variable "image" {
  description = "As of the module: what `make image` has made, by its digest."
  type        = string
}

variable "network" {
  description = "As of the module."
  type        = any
}

variable "worker_count" {
  description = "As of the module: 1 for a trial, 2 in production."
  type        = number
  default     = 2
}

variable "gateway_count" {
  description = "As of the module, likewise."
  type        = number
  default     = 2
}

variable "slack_app_id" {
  description = "As of the module."
  type        = string
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

variable "already_on" {
  description = "What is on in this account and Region already: it is taken over with its settings, and nothing is switched off. `cordon doctor` says what is."

  type = object({
    macie        = optional(bool, false)
    security_hub = optional(bool, false)
    analyzer_arn = optional(string) # Of one with the account or the organization as its zone of trust.
  })

  default  = {}
  nullable = false
}

provider "aws" {
  region = var.region
}

module "activation" {
  source = "../../modules/activation"

  enable_access_analyzer = var.already_on.analyzer_arn == null
}

data "aws_caller_identity" "this" {}

import {
  for_each = toset(var.already_on.macie ? ["macie"] : [])
  to       = module.activation.aws_macie2_account.this[0]
  id       = data.aws_caller_identity.this.account_id
}

import {
  for_each = toset(var.already_on.security_hub ? ["security_hub"] : [])
  to       = module.activation.aws_securityhub_account.this[0]
  id       = data.aws_caller_identity.this.account_id
}

module "cordon" {
  source = "../.."

  image              = var.image
  network            = var.network
  worker_count       = var.worker_count
  gateway_count      = var.gateway_count
  analyzer_arn       = coalesce(var.already_on.analyzer_arn, module.activation.analyzer_arn)
  slack_app_id       = var.slack_app_id
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

output "operator_policy_arn" {
  description = "Attach this to those who use the command line."
  value       = module.cordon.operator_policy_arn
}

output "operators_topic_arn" {
  description = "Subscribe pagers and chats here."
  value       = module.cordon.operators_topic_arn
}

output "cluster_name" {
  description = "ECS cluster of worker and gateway."
  value       = module.cordon.cluster_name
}

output "state_bucket" {
  description = "Bucket that holds the policy."
  value       = module.cordon.state_bucket
}

output "operator_environment" {
  description = "Settings of the command line on a person's machine."
  value       = module.cordon.operator_environment
}
