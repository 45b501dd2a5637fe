# The real module in the sandbox: only the endpoint and the credentials differ from AWS.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The one that README of the module says is run, here and on every other machine.
      version = "5.100.0"
    }
  }
}

provider "aws" {
  region = var.region
  # The emulator takes an access key of twelve digits for the root of that account.
  access_key                  = var.account
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  # Bucket names are no hosts on loopback.
  s3_use_path_style = true

  endpoints {
    accessanalyzer   = var.endpoint
    apigatewayv2     = var.endpoint
    cloudtrail       = var.endpoint
    cloudwatch       = var.endpoint
    dynamodb         = var.endpoint
    ec2              = var.endpoint
    ecs              = var.endpoint
    events           = var.endpoint
    iam              = var.endpoint
    kms              = var.endpoint
    logs             = var.endpoint
    macie2           = var.endpoint
    s3               = var.endpoint
    scheduler        = var.endpoint
    secretsmanager   = var.endpoint
    securityhub      = var.endpoint
    servicediscovery = var.endpoint
    sfn              = var.endpoint
    sns              = var.endpoint
    sqs              = var.endpoint
    sts              = var.endpoint
  }
}

module "activation" {
  source = "../../terraform/modules/activation"

  switch_off_on_destroy = !var.deletion_protection
}

module "cordon" {
  source = "../../terraform"

  name_prefix                = var.name_prefix
  policy                     = var.policy
  slack_app_id               = var.slack_app_id
  slack_team_id              = var.slack_team_id
  slack_channel              = var.slack_channel
  fallback_approvers         = var.fallback_approvers
  investigators              = var.investigators
  policy_writers             = var.policy_writers
  purgers                    = var.purgers
  analyzer_arn               = module.activation.analyzer_arn
  exposure_cycle_enabled     = var.exposure_cycle_enabled
  schedule_expression        = var.schedule_expression
  rescan_interval_seconds    = var.rescan_interval_seconds
  round_seconds              = var.round_seconds
  activity_heartbeat_seconds = var.activity_heartbeat_seconds
  retry_interval_scale       = var.retry_interval_scale
  scan_timeout_seconds       = var.scan_timeout_seconds
  state_machine_log_level    = "ALL"
  image                      = var.image
  network                    = var.network
  worker_count               = var.worker_count
  gateway_count              = var.gateway_count
  wait_for_steady_state      = var.wait_for_steady_state
  deletion_protection        = var.deletion_protection
}
