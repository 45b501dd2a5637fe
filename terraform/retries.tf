# How the states of the state machines are tried again: a few shapes, which the ASL names as `${retry_…}`.
#
# A service may be away for five minutes, and that must end no run. Step Functions draws each pause between nothing and its
# length (JitterStrategy FULL), so that runs which failed together do not come back together; the mean is half. The pauses
# double from the first to the longest, and the number of attempts follows from how long a state is to go on in all.
#
# The first retrier that names an error decides; when its attempts are used up, the state's Catch does.

locals {
  # 49 minutes on average: ten times the disturbance, and an operator hears of a longer one within the hour.
  retry_patiently = { first = 1, longest = 300, attempts = 27 }

  # What every activity has besides its own pauses for errors that pass.
  retry_tasks = [
    # The task took longer than its time. With services that do not answer at all this outlasts five minutes too, since each
    # attempt lasts as long as the task may, which is hours for a move: so fewer.
    { errors = ["States.Timeout"], first = 1, longest = 300, attempts = 10 },
    # A panic is no worse than a kill, after which every activity can be repeated. But it is a fault in Cordon, which will
    # most likely panic again, and people are to hear of it soon.
    { errors = ["WorkerPanicked"], first = 5, longest = 60, attempts = 2 },
  ]

  # What a worker calls transient, a worker that stops, and one that died with the task in hand.
  retry_transient = ["Retryable", "WorkerShutdown", "States.HeartbeatTimeout"]

  retry_shapes = {
    activity = concat([merge({ errors = local.retry_transient }, local.retry_patiently)], local.retry_tasks)

    # Macie creates one job in ten seconds: even the first pause is longer. 49 minutes on average.
    macie_job = concat([{ errors = local.retry_transient, first = 15, longest = 300, attempts = 23 }], local.retry_tasks)

    # A wait for a person, a pause or a job. A condition that failed is an answer and no failure: what is waited for has come
    # already. Everything else is repeated, by its most general name: DynamoDB has errors without a class of their own, and
    # whoever holds a token may fail it with any. A repetition stores a new token over the old one. `States.TaskFailed` leaves
    # out `States.Timeout`, so a wait that was long enough is not repeated.
    token_wait = [
      { errors = ["DynamoDB.ConditionalCheckFailedException", "DynamoDb.ConditionalCheckFailedException"], first = null, longest = null, attempts = 0 },
      merge({ errors = ["States.TaskFailed"] }, local.retry_patiently),
    ]

    # What Step Functions itself reads.
    service_call = [merge({ errors = ["States.TaskFailed", "States.Timeout"] }, local.retry_patiently)]
    item_reader  = [merge({ errors = ["States.ItemReaderFailed"] }, local.retry_patiently)]

    # A message to operators: 15 minutes on average. It outlasts the disturbance and no more, because people wait for what
    # comes after it.
    notice = [{ errors = ["States.TaskFailed", "States.Timeout"], first = 2, longest = 60, attempts = 34 }]
  }

  # As the ASL spells them. Seconds are whole and at least one.
  retries = { for name, retriers in local.retry_shapes : "retry_${name}" => jsonencode([for retrier in retriers :
    { for field, value in {
      ErrorEquals     = retrier.errors
      MaxAttempts     = retrier.attempts
      IntervalSeconds = try(ceil(retrier.first * var.retry_interval_scale), null)
      MaxDelaySeconds = try(ceil(retrier.longest * var.retry_interval_scale), null)
      BackoffRate     = retrier.attempts > 0 ? 2 : null
      JitterStrategy  = retrier.attempts > 0 ? "FULL" : null
    } : field => value if value != null }
  ]) }
}
