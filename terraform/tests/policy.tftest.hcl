# What a policy may say. A mistake in it must be told by plan, not by a finding in the night.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  analyzer_arn       = "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/cordon"
  slack_team_id      = "T0CORDON01"
  slack_channel      = "C0SECURITY"
  fallback_approvers = ["U0ALICE001"]
}

run "writes_every_member_of_a_rule" {
  command = plan

  variables {
    policy = {
      rules = [
        { name = "leave", finding_types = ["SensitiveData:S3Object/Credentials"], minimum_severity = "High", disposition = "quarantine" },
        { name = "ask", disposition = "review", approvers = { users = ["U0ALICE001"] }, channel = "C0SECURITY" },
      ]
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
          channel          = null
        },
        {
          name             = "ask"
          finding_types    = ["*"]
          minimum_severity = "Low"
          buckets          = ["*"]
          disposition      = "review"
          approvers        = { users = ["U0ALICE001"] }
          rounds           = 1
          channel          = "C0SECURITY"
        },
      ]
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
