# How long states go on trying. What the numbers have to be, tests/tests/state_machines/retries.rs says of the rendered ASL.

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

run "by_default" {
  assert {
    condition = alltrue([for name in ["activity", "macie_job", "service_call", "item_reader"] :
      sum([for n in range(local.retry_shapes[name][0].attempts) : min(local.retry_shapes[name][0].first * pow(2, n), local.retry_shapes[name][0].longest)]) / 2 > 45 * 60
      && sum([for n in range(local.retry_shapes[name][0].attempts) : min(local.retry_shapes[name][0].first * pow(2, n), local.retry_shapes[name][0].longest)]) / 2 < 60 * 60
    ])
    error_message = "A state does not go on for about 50 minutes."
  }

  assert {
    condition     = alltrue([for name, retriers in local.retry_shapes : [for retrier in jsondecode(local.retries["retry_${name}"]) : try(retrier.IntervalSeconds, null)] == [for retrier in retriers : retrier.first]])
    error_message = "The pauses are scaled, and nobody asked for that."
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this["finding_response"].definition).States.QuarantineObject.Retry == jsondecode(local.retries["retry_activity"])
    error_message = "A state machine does not hold the shape that its state names."
  }
}

run "scaled_down" {
  variables {
    retry_interval_scale = 0.01
  }

  assert {
    condition = alltrue([for shape in values(local.retries) : alltrue([for retrier in jsondecode(shape) :
      retrier.MaxAttempts == 0 || try(retrier.IntervalSeconds == 1 && contains([1, 3], retrier.MaxDelaySeconds), false)
    ])])
    error_message = "The pauses are not a hundredth, in whole seconds."
  }
}

# Whole seconds, one at least.
run "as_short_as_they_can_be" {
  variables {
    retry_interval_scale = 0.003
  }

  assert {
    condition = alltrue([for shape in values(local.retries) : alltrue([for retrier in jsondecode(shape) :
      retrier.MaxAttempts == 0 || try(retrier.IntervalSeconds == 1 && retrier.MaxDelaySeconds == 1, false)
    ])])
    error_message = "A pause is not a second."
  }
}

# The last, so that what was made for these tests can be taken down.
run "is_taken_down" {
  variables {
    deletion_protection = false
  }
}
