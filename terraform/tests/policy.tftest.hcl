# What a policy may say. A mistake in it must be told by plan, not by a finding in the night. Over 400 lines:
# each wrong value is a run of its own.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  image                  = "111122223333.dkr.ecr.us-east-1.amazonaws.com/cordon@sha256:0f1d2c3b4a5968778695a4b3c2d1e0ff0f1d2c3b4a5968778695a4b3c2d1e0ff"
  network                = { kind = "existing", vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"] }
  analyzer_arn           = "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/cordon"
  slack_app_id           = "A0CORDON01"
  slack_team_id          = "T0CORDON01"
  slack_channel          = "C0SECURITY"
  fallback_approvers     = ["U0ALICE001"]
  exposure_cycle_enabled = true # Some rules ask whether a bucket is exposed.
}

run "writes_every_member_that_is_set" {
  command = plan

  variables {
    policy = {
      rules = [
        { name = "leave", finding_types = ["SensitiveData:S3Object/Credentials"], minimum_severity = "High", disposition = "quarantine", versions = "all", verify = "full", after_restore = "ask" },
        { name = "ask", disposition = "review", buckets = ["finance"], approvers = { users = ["U0ALICE001"] }, channel = "C0SECURITY" },
        {
          name          = "ask-two", disposition = "review", approvers = { groups = ["S0SECURITY"] }, approvals = 2, on_expiry = "ask_again", snooze_seconds = 14400,
          keys          = ["exports/*.csv"], accounts = ["1111*"], categories = ["CREDENTIALS"], identifiers = ["AWS_*"],
          minimum_count = 10, exposed = true,
        },
      ]
      mode                              = "shadow"
      operators                         = { "AIDACKCEVSQ6C2EXAMPLE" = "U0OLIVIA01" }
      max_automatic_per_hour            = 20
      max_automatic_per_bucket_per_hour = 0
      restorers                         = { users = ["U0ALICE001"] }
    }
  }

  assert {
    condition = jsondecode(aws_s3_object.policy.content) == {
      version = 1
      rules = [
        {
          name             = "leave"
          finding_types    = ["SensitiveData:S3Object/Credentials"]
          minimum_severity = "High"
          buckets          = ["*"]
          disposition      = "quarantine"
          approvers        = { users = [] }
          rounds           = 1
          versions         = "all"
          verify           = "full"
          after_restore    = "ask"
        },
        {
          name             = "ask"
          finding_types    = ["*"]
          minimum_severity = "Low"
          buckets          = ["finance"]
          disposition      = "review"
          approvers        = { users = ["U0ALICE001"] }
          rounds           = 1
          channel          = "C0SECURITY"
        },
        {
          name             = "ask-two"
          finding_types    = ["*"]
          minimum_severity = "Low"
          buckets          = ["*"]
          keys             = ["exports/*.csv"]
          accounts         = ["1111*"]
          categories       = ["CREDENTIALS"]
          identifiers      = ["AWS_*"]
          minimum_count    = 10
          exposed          = true
          disposition      = "review"
          approvers        = { users = [], groups = ["S0SECURITY"] }
          approvals        = 2
          rounds           = 1
          on_expiry        = "ask_again"
          snooze_seconds   = 14400
        },
      ]
      mode                              = "shadow"
      operators                         = { "AIDACKCEVSQ6C2EXAMPLE" = "U0OLIVIA01" }
      max_automatic_per_hour            = 20
      max_automatic_per_bucket_per_hour = 0
      restorers                         = { users = ["U0ALICE001"] }
    }
    error_message = "The policy object differs from the policy."
  }
}

run "leaves_everything_to_review_by_default" {
  command = plan

  assert {
    condition     = jsondecode(aws_s3_object.policy.content) == { version = 1, rules = [] }
    error_message = "The default policy is not empty."
  }
}

run "refuses_another_version" {
  command = plan

  variables {
    policy = { version = 2 }
  }

  expect_failures = [var.policy]
}

run "refuses_two_rules_of_one_name" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine" }, { name = "a-rule", disposition = "quarantine" }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_rule_name_with_blanks" {
  command = plan

  variables {
    policy = { rules = [{ name = "a rule", disposition = "quarantine" }] }
  }

  expect_failures = [var.policy]
}

run "refuses_an_unknown_severity" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", minimum_severity = "HIGH" }] }
  }

  expect_failures = [var.policy]
}

run "refuses_an_unknown_disposition" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "delete" }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_finding_type_that_macie_does_not_know" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", finding_types = ["SensitiveData:S3Object/Credential"] }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_glob_that_matches_no_finding_type" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", finding_types = ["SensitiveData:S3Object/[CF]*"] }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_rule_that_matches_no_type" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", finding_types = [] }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_bucket_that_cannot_exist" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", buckets = ["My_Bucket"] }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_bucket_by_arn" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", buckets = ["arn:aws:s3:::finance"] }] }
  }

  expect_failures = [var.policy]
}

run "refuses_half_a_round" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", rounds = 1.5 }] }
  }

  expect_failures = [var.policy]
}

run "refuses_an_approver_by_name" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "review", approvers = { users = ["alice"] } }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_channel_by_name" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", channel = "#security" }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_review_by_nobody" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "review" }] }
  }

  expect_failures = [var.policy]
}

run "refuses_to_ask_about_what_is_ignored" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "ignore", approvers = { users = ["U0ALICE001"] } }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_rule_that_is_never_reached" {
  command = plan

  variables {
    policy = { rules = [{ name = "all", disposition = "quarantine" }, { name = "never", disposition = "ignore" }] }
  }

  expect_failures = [var.policy]
}

run "refuses_versions_that_do_not_exist" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", versions = "latest" }] }
  }

  expect_failures = [var.policy]
}

run "refuses_an_unknown_way_to_verify" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", verify = "" }] }
  }

  expect_failures = [var.policy]
}

run "refuses_an_unknown_way_after_a_restore" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", after_restore = "ignore" }] }
  }

  expect_failures = [var.policy]
}

run "refuses_half_a_move_per_hour" {
  command = plan

  variables {
    policy = { max_automatic_per_hour = 0.5 }
  }

  expect_failures = [var.policy]
}

run "refuses_fewer_moves_than_none_per_bucket" {
  command = plan

  variables {
    policy = { max_automatic_per_bucket_per_hour = -1 }
  }

  expect_failures = [var.policy]
}

run "refuses_a_restorer_by_name" {
  command = plan

  variables {
    policy = { restorers = { users = ["alice"] } }
  }

  expect_failures = [var.policy]
}

run "refuses_an_unknown_mode" {
  command = plan

  variables {
    policy = { mode = "audit" }
  }

  expect_failures = [var.policy]
}

run "refuses_an_empty_key" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", keys = [""] }] }
  }

  expect_failures = [var.policy]
}

run "refuses_an_account_that_cannot_exist" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", accounts = ["11112222333"] }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_category_that_macie_does_not_know" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", categories = ["SECRETS"] }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_rule_that_matches_no_identifier" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", identifiers = [] }] }
  }

  expect_failures = [var.policy]
}

run "refuses_to_count_less_than_one" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", minimum_count = 0 }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_group_by_its_handle" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "review", approvers = { groups = ["@security"] } }] }
  }

  expect_failures = [var.policy]
}

run "refuses_three_approvals" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", approvals = 3 }] }
  }

  expect_failures = [var.policy]
}

run "refuses_an_unknown_expiry" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", on_expiry = "delete" }] }
  }

  expect_failures = [var.policy]
}

run "refuses_a_snooze_of_more_than_a_week" {
  command = plan

  variables {
    policy = { rules = [{ name = "a-rule", disposition = "quarantine", snooze_seconds = 604801 }] }
  }

  expect_failures = [var.policy]
}

run "refuses_an_operator_by_name" {
  command = plan

  variables {
    policy = { operators = { "AIDACKCEVSQ6C2EXAMPLE" = "olivia" } }
  }

  expect_failures = [var.policy]
}

run "refuses_an_operator_by_role" {
  command = plan

  variables {
    policy = { operators = { "arn:aws:iam::111122223333:role/admin" = "U0OLIVIA01" } }
  }

  expect_failures = [var.policy]
}

run "refuses_rounds_that_last_longer_than_a_run" {
  command = plan

  variables {
    policy        = { rules = [{ name = "a-rule", disposition = "quarantine", rounds = 30 }] }
    round_seconds = 86400
  }

  expect_failures = [var.policy]
}

run "takes_rounds_and_a_snooze_that_a_run_outlasts" {
  command = plan

  variables {
    policy        = { rules = [{ name = "a-rule", disposition = "quarantine", rounds = 28, snooze_seconds = 169200 }] }
    round_seconds = 86400
  }
}

# The last, so that what was made for these tests can be taken down.
run "is_taken_down" {
  variables {
    deletion_protection = false
  }
}
