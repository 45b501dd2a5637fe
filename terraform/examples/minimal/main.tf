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

provider "aws" {
  region = var.region
}

# Leave out what is on already: enable_macie, enable_access_analyzer, enable_security_hub.
module "activation" {
  source = "../../modules/activation"
}

module "cordon" {
  source = "../.."

  image              = var.image
  network            = { kind = "small_public" }
  worker_count       = 1
  gateway_count      = 1
  analyzer_arn       = module.activation.analyzer_arn
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
