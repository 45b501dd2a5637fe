# The least that Cordon needs: one account, a network of its own, and no policy, so that the fallback approvers review every
# finding in Slack and nothing is moved without them. For a trial; docs/DEPLOY.md goes through a whole deployment.

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

variable "slack" {
  description = "As of the module: app (A…), workspace (T…), channel (C…), and who decides (U…)."

  type = object({
    app_id             = string
    team_id            = string
    channel            = string
    fallback_approvers = list(string)
  })
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
  network            = { kind = "small_public" }
  worker_count       = 1
  gateway_count      = 1
  analyzer_arn       = coalesce(var.already_on.analyzer_arn, module.activation.analyzer_arn)
  slack_app_id       = var.slack.app_id
  slack_team_id      = var.slack.team_id
  slack_channel      = var.slack.channel
  fallback_approvers = var.slack.fallback_approvers
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
