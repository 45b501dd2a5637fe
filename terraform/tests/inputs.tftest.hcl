# What single inputs change.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  image              = "111122223333.dkr.ecr.us-east-1.amazonaws.com/cordon@sha256:0f1d2c3b4a5968778695a4b3c2d1e0ff0f1d2c3b4a5968778695a4b3c2d1e0ff"
  network            = { kind = "existing", vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"] }
  analyzer_arn       = "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/cordon"
  slack_app_id       = "A0CORDON01"
  slack_team_id      = "T0CORDON01"
  slack_channel      = "C0SECURITY"
  fallback_approvers = ["U0ALICE001", "U0BOB00002"]
}

run "an_address_is_subscribed" {
  command = plan

  variables {
    operators_email = "security@example.com"
  }

  assert {
    condition     = aws_sns_topic_subscription.operators_email[0].endpoint == "security@example.com"
    error_message = "The address is not subscribed."
  }
}

run "an_installation_to_throw_away_can_be_destroyed" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition     = !aws_dynamodb_table.cases.deletion_protection_enabled && alltrue([for bucket in aws_s3_bucket.this : bucket.force_destroy]) && aws_secretsmanager_secret.slack.recovery_window_in_days == 0
    error_message = "Something resists terraform destroy."
  }
}

run "exposure_cycles_start_by_themselves_where_that_is_asked_for" {
  command = plan

  variables {
    exposure_cycle_enabled = true
  }

  assert {
    condition     = aws_scheduler_schedule.exposure_cycle.state == "ENABLED" && aws_scheduler_schedule.exposure_cycle.schedule_expression == "rate(15 minutes)"
    error_message = "The schedule of the exposure cycle is not on."
  }
}

run "warns_of_rules_that_ask_what_no_cycle_finds_out" {
  command = plan

  variables {
    policy = { rules = [{ name = "shared", disposition = "quarantine", exposed = true }] }
  }

  expect_failures = [check.exposure_is_known]
}

run "refuses_to_rescan_later_than_findings_are_kept" {
  command = plan

  variables {
    rescan_interval_seconds = 5184001
  }

  expect_failures = [var.rescan_interval_seconds]
}

# Each of these alone would be refused; Terraform tells all of them at once.
run "refuses_inputs_out_of_their_domain" {
  command = plan

  variables {
    name_prefix                = "Cordon_1"
    slack_app_id               = "cordon"
    slack_team_id              = "acme"
    slack_channel              = "#security"
    fallback_approvers         = []
    investigators              = ["arn:aws:iam::111122223333:root"]
    purgers                    = ["*"]
    analyzer_arn               = "cordon"
    schedule_expression        = "every 15 minutes"
    exclusion_tag              = { key = "a=b", value = "c" }
    rescan_interval_seconds    = 3600
    round_seconds              = 0
    activity_heartbeat_seconds = 60
    retry_interval_scale       = 1.5
    scan_timeout_seconds       = 1
    operators_email            = "security"
    state_machine_log_level    = "INFO"
    log_retention_days         = 100
    security_hub_company_name  = " "
  }

  expect_failures = [
    var.name_prefix,
    var.slack_app_id,
    var.slack_team_id,
    var.slack_channel,
    var.fallback_approvers,
    var.investigators,
    var.purgers,
    var.analyzer_arn,
    var.schedule_expression,
    var.exclusion_tag,
    var.rescan_interval_seconds,
    var.round_seconds,
    var.activity_heartbeat_seconds,
    var.retry_interval_scale,
    var.scan_timeout_seconds,
    var.operators_email,
    var.state_machine_log_level,
    var.log_retention_days,
    var.security_hub_company_name,
  ]
}

run "refuses_an_analyzer_of_another_region" {
  command = plan

  variables {
    analyzer_arn = "arn:aws:access-analyzer:eu-west-1:111122223333:analyzer/cordon"
  }

  expect_failures = [aws_cloudwatch_event_rule.access_finding_intake]
}

run "refuses_an_analyzer_of_another_account" {
  command = plan

  variables {
    analyzer_arn = "arn:aws:access-analyzer:us-east-1:444455556666:analyzer/cordon"
  }

  expect_failures = [aws_cloudwatch_event_rule.access_finding_intake]
}

run "refuses_keys_by_alias_and_buckets_and_people_by_arn" {
  command = plan

  variables {
    case_age_alarm_seconds = 1
    data_key_arn           = "alias/data"
    quarantine_key_arn     = "arn:aws:kms:us-east-1:111122223333:alias/quarantine"
    protected_buckets      = ["arn:aws:s3:::logs"]
    unprotected            = ["everything"]
    buckets                = []
    policy_writers         = ["*"]
  }

  expect_failures = [
    var.case_age_alarm_seconds,
    var.data_key_arn,
    var.quarantine_key_arn,
    var.protected_buckets,
    var.unprotected,
    var.buckets,
    var.policy_writers,
  ]
}

run "refuses_names_tags_and_lists_that_aws_would_refuse_halfway" {
  command = plan

  variables {
    name_prefix         = "sthree-cordon"
    network             = { kind = "existing", vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-1"] }
    policy_writers      = [for number in range(300) : "arn:aws:iam::111122223333:role/deployers/number-${number}"]
    role_path           = "/${join("", [for number in range(500) : "p"])}/"
    protected_buckets   = [for number in range(55) : "payroll-${100 + number}"]
    schedule_expression = "cron(0 0 * * * *)"
    source_kms_key_arns = [for number in range(86) : "arn:aws:kms:us-east-1:444455556666:key/${number}"]
    tags                = { "AWS:owner" = "security", empty = "" }
  }

  expect_failures = [
    var.name_prefix,
    var.network,
    var.policy_writers,
    var.role_path,
    var.schedule_expression,
    var.source_kms_key_arns,
    var.tags,
  ]
}

run "refuses_more_people_than_a_trust_policy_holds" {
  command = plan

  variables {
    investigators = [for number in range(50) : "arn:aws:iam::111122223333:role/investigators/number-${number}"]
    purgers       = [for number in range(50) : "arn:aws:iam::111122223333:role/purgers/number-${number}"]
  }

  expect_failures = [var.investigators, var.purgers]
}

run "logs_no_access_where_another_trail_does" {
  command = plan

  variables {
    log_quarantine_access = false
  }

  assert {
    condition     = length(aws_cloudtrail.quarantine) == 0 && !contains(keys(aws_s3_bucket.this), "audit")
    error_message = "There is a trail of the quarantine, or its bucket."
  }
}

run "refuses_keys_of_tags_that_iam_takes_for_one" {
  command = plan

  variables {
    name_prefix         = "my--team"
    schedule_expression = "cron(0 0 * * ?)"
    tags                = { Owner = "security", owner = "platform" }
  }

  expect_failures = [var.name_prefix, var.schedule_expression, var.tags]
}

run "refuses_more_tags_than_a_resource_takes" {
  command = plan

  variables {
    schedule_expression = "cron(0 0 ? * ? *)"
    tags                = { for number in range(49) : "tag-${number}" => "value" }
  }

  expect_failures = [var.schedule_expression, var.tags]
}

run "takes_tags_in_any_script_and_a_cycle_by_the_hour_of_the_day" {
  command = plan

  variables {
    schedule_expression = "cron(0 */2 ? * MON-FRI *)"
    tags                = { "Kostenstelle für Prüfung" = "ja", "team/data+ml" = "a=b@example.com" }
  }

  assert {
    condition     = aws_scheduler_schedule.exposure_cycle.schedule_expression == "cron(0 */2 ? * MON-FRI *)"
    error_message = "The schedule is another one."
  }
}

run "refuses_more_protected_buckets_than_a_trust_policy_holds" {
  command = plan

  variables {
    protected_buckets = [for number in range(60) : "statements-of-customer-${number}"]
  }

  expect_failures = [var.protected_buckets]
}

run "refuses_the_id_of_a_slack_organization" {
  command = plan

  variables {
    slack_team_id = "E0ACME0001"
  }

  expect_failures = [var.slack_team_id]
}

# The last, so that what was made for these tests can be taken down.
run "is_taken_down" {
  variables {
    deletion_protection = false
  }
}

run "refuses_buckets_that_no_bucket_is_named_like" {
  command = plan

  variables {
    buckets = ["Finance_*"]
  }

  expect_failures = [var.buckets]
}

run "refuses_a_name_that_no_analyzer_has" {
  command = plan

  module {
    source = "./modules/activation"
  }

  variables {
    analyzer_name = "1 cordon"
  }

  expect_failures = [var.analyzer_name]
}

run "refuses_a_region_with_one_zone" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    name       = "cordon"
    cidr_block = "10.64.0.0/24"
  }

  override_data {
    target = data.aws_availability_zones.available
    values = { names = ["us-east-1a"] }
  }

  expect_failures = [data.aws_availability_zones.available]
}

run "switches_on_only_what_is_asked_for" {
  command = plan

  module {
    source = "./modules/activation"
  }

  variables {
    enable_macie        = false
    enable_security_hub = false
  }

  assert {
    condition     = length(aws_macie2_account.this) + length(aws_securityhub_account.this) + length(terraform_data.macie_is_kept) + length(terraform_data.security_hub_is_kept) == 0 && length(aws_accessanalyzer_analyzer.this) == 1
    error_message = "It switches on what is on already."
  }
}
