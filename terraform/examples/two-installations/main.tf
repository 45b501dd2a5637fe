# Two installations in one Region, for parts of a company that decide for themselves: each answers for its own buckets, with its
# own Slack app, policy, records and quarantine. They share the VPC, Macie, the analyzer and Security Hub, which are on already.

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

variable "slack_team_id" {
  description = "As of the module."
  type        = string
}

variable "installations" {
  description = "By name_prefix: the buckets of each, and its Slack app (A…), channel (C…) and fallback approvers (U…). No bucket may be of two."

  type = map(object({
    buckets            = list(string)
    slack_app_id       = string
    slack_channel      = string
    fallback_approvers = list(string)
  }))

  validation {
    condition     = length(distinct([for one in values(var.installations) : one.slack_app_id])) == length(var.installations)
    error_message = "Each installation needs a Slack app of its own: Slack sends an app's clicks to one address."
  }
}

provider "aws" {
  region = var.region
}

module "cordon" {
  source   = "../.."
  for_each = var.installations

  name_prefix        = each.key
  buckets            = each.value.buckets
  image              = var.image
  network            = { kind = "existing", vpc_id = var.vpc_id, subnet_ids = var.private_subnet_ids }
  analyzer_arn       = var.analyzer_arn
  slack_app_id       = each.value.slack_app_id
  slack_team_id      = var.slack_team_id
  slack_channel      = each.value.slack_channel
  fallback_approvers = each.value.fallback_approvers

  policy = {
    mode  = "shadow" # Until you choose to enforce.
    rules = [{ name = "credentials", finding_types = ["SensitiveData:S3Object/Credentials"], disposition = "quarantine" }]
  }
}

output "slack_secret_arns" {
  description = "By installation: put the Slack app's bot_token and signing_secret here."
  value       = { for name, one in module.cordon : name => one.slack_secret_arn }
}

output "interactions_urls" {
  description = "By installation: enter this in its Slack app as the request URL."
  value       = { for name, one in module.cordon : name => one.interactions_url }
}

output "operators_topic_arns" {
  description = "By installation: subscribe pagers and chats here."
  value       = { for name, one in module.cordon : name => one.operators_topic_arn }
}

output "cases_tables" {
  description = "By installation: the table of its cases."
  value       = { for name, one in module.cordon : name => one.cases_table }
}

output "state_buckets" {
  description = "By installation: the bucket that holds its policy."
  value       = { for name, one in module.cordon : name => one.state_bucket }
}

output "operator_environments" {
  description = "By installation: settings of the command line on a person's machine."
  value       = { for name, one in module.cordon : name => one.operator_environment }
}
