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
    condition     = alltrue([for rule in [aws_cloudwatch_event_rule.unusable_policy, aws_cloudwatch_event_rule.slack_refuses] : jsondecode(rule.event_pattern).detail.installation == ["team-a"]])
    error_message = "A rule takes up what another installation says."
  }
}
