# Other names, and installations side by side.

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

  # Otherwise nothing is made anew under other names.
  deletion_protection = false
}

run "names_an_installation_of_before_as_it_was_named" {
  variables {
    names_carry_region = false
  }

  assert {
    condition     = aws_s3_bucket.this["quarantine"].bucket == "cordon-quarantine-111122223333" && aws_iam_role.mover.name == "cordon-mover" && aws_iam_policy.operator.name == "cordon-operator"
    error_message = "An installation that was made before gets other buckets or roles."
  }
}

run "answers_for_some_buckets_and_spares_others" {
  variables {
    name_prefix       = "team-a"
    buckets           = ["a-*"]
    protected_buckets = ["a-ledger"]
    unprotected       = ["access_logs", "cloudtrail", "config", "control_tower", "cordon", "terraform_state"]
  }

  assert {
    condition     = { for one in local.environments["worker"] : one.name => one.value }["CORDON_BUCKETS"] == "a-*" && { for one in local.environments["worker"] : one.name => one.value }["CORDON_PROTECTED_BUCKETS"] == "a-ledger"
    error_message = "The worker does not know what it answers for, or what is protected."
  }

  assert {
    condition     = flatten([for condition in one(data.aws_iam_policy_document.mover_trust.statement).condition : condition.values if condition.test == "StringNotLike"]) == concat(["a-ledger"], sort(values(local.buckets)), ["*/*"])
    error_message = "IAM gives the mover a bucket that is protected."
  }

  assert {
    condition     = alltrue([for rule in [aws_cloudwatch_event_rule.failed_runs, aws_cloudwatch_event_rule.slack_refuses, aws_cloudwatch_event_rule.unusable_policy] : jsondecode(rule.event_pattern).detail.installation == ["team-a"]])
    error_message = "A rule takes up what another installation says."
  }
}

run "leaves_unprotected_what_is_named_and_nothing_else" {
  command = plan

  variables {
    unprotected = ["config", "control_tower"]
  }

  assert {
    condition     = { for one in local.environments["worker"] : one.name => one.value }["CORDON_PROTECTED_BUCKETS"] == "*-audit-111122223333*,*-quarantine-111122223333*,*-state-111122223333*,*access-log*,*accesslog*,*cloudtrail*,*terraform-state*,*tf-state*,*tfstate*,aws-cloudtrail-logs-*"
    error_message = "Another kind of bucket is protected than those that are left."
  }
}

# In another Region of the account everything that is the account's, and not the Region's, has another name.
run "stands_beside_itself_in_another_region" {
  command = plan

  variables {
    image        = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/cordon@sha256:0f1d2c3b4a5968778695a4b3c2d1e0ff0f1d2c3b4a5968778695a4b3c2d1e0ff"
    analyzer_arn = "arn:aws:access-analyzer:eu-west-1:111122223333:analyzer/cordon"
  }

  override_data {
    target = data.aws_region.current
    values = { id = "eu-west-1" }
  }

  assert {
    condition = alltrue([for name in concat(
      [aws_cloudwatch_dashboard.this.dashboard_name, aws_iam_policy.operator.name],
      [for bucket in aws_s3_bucket.this : bucket.bucket],
      [for role in concat(
        [aws_iam_role.events, aws_iam_role.execution, aws_iam_role.gateway, aws_iam_role.mover, aws_iam_role.restorer, aws_iam_role.scheduler, aws_iam_role.worker],
        values(aws_iam_role.state_machine),
      ) : role.name],
    ) : endswith(name, "-eu-west-1")])
    error_message = "A name of the account's would be given twice."
  }
}
