# A group of our own, because the scheduler's role can be bound to a group and not to one schedule.
resource "aws_scheduler_schedule_group" "this" {
  name = var.name_prefix
}

resource "aws_scheduler_schedule" "exposure_cycle" {
  name                = "exposure-cycle"
  description         = "Starts an exposure cycle. Cycles may overlap: each claims its own buckets."
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = var.schedule_expression

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
