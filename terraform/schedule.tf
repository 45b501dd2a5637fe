# A group of our own, because the scheduler's role can be bound to a group and not to one schedule.
resource "aws_scheduler_schedule_group" "this" {
  name = var.name_prefix

  tags = var.tags
}

resource "aws_scheduler_schedule" "exposure_cycle" {
  name                = local.schedule_name
  description         = "Starts an exposure cycle. Cycles may overlap: each claims its own buckets."
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = var.schedule_expression
  kms_key_arn         = local.data_key_arn

  # Off, it stays visible and starts nothing. Whoever switches it on by hand is undone by the next apply.
  state = var.enabled && var.exposure_cycle_enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.this["exposure_cycle"].arn
    role_arn = aws_iam_role.scheduler.arn
    input    = "{}"

    # Not for long: the next cycle does the same work.
    retry_policy {
      maximum_event_age_in_seconds = 600
      maximum_retry_attempts       = 5
    }

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}

# A warning, because whoever starts cycles by other means may know better.
check "exposure_is_known" {
  assert {
    condition     = var.exposure_cycle_enabled || alltrue([for rule in var.policy.rules : rule.exposed == null])
    error_message = "The policy asks whether a bucket is exposed, and exposure_cycle_enabled is false: without cycles that is unknown, and the stricter answer is taken for every bucket. Set exposure_cycle_enabled, or leave exposed out of the rules."
  }
}
