# What the module makes, against a mock of AWS.

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

run "installs" {
  variables {
    investigators = ["arn:aws:iam::111122223333:role/security"]
    purgers       = ["arn:aws:iam::111122223333:role/security"]
  }

  # One stem names an activity everywhere.

  assert {
    condition     = alltrue([for table in [aws_dynamodb_table.cases, aws_dynamodb_table.exposures] : one(table.ttl).enabled && one(table.ttl).attribute_name == "expires_at"])
    error_message = "A table grows for ever."
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this["audit"].rule : [one(rule.expiration).days, one(rule.noncurrent_version_expiration).noncurrent_days] if length(rule.expiration) > 0] == [[var.log_retention_days, 1]]
    error_message = "The trail grows for ever."
  }

  assert {
    condition     = alltrue([for stem, activity in aws_sfn_activity.this : activity.name == "cordon-${stem}"])
    error_message = "An activity is not named after its stem."
  }

  assert {
    condition     = alltrue([for stem in local.activities : anytrue([for machine in aws_sfn_state_machine.this : strcontains(machine.definition, ":activity:cordon-${stem}\"")])])
    error_message = "An activity is used by no state machine."
  }

  assert {
    condition     = toset(keys(output.state_machine_arns)) == toset(["access_finding_intake", "exposure_cycle", "finding_response", "object_restore"])
    error_message = "The state machines are not the four of the design."
  }

  # Nothing is kept in clear text, in public, or destroyed in passing.

  assert {
    condition     = alltrue([for block in aws_s3_bucket_public_access_block.this : block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets])
    error_message = "A bucket can be made public."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this["quarantine"].rule).apply_server_side_encryption_by_default).kms_master_key_id == local.quarantine_key_arn
    error_message = "The quarantine does not have its own key."
  }

  assert {
    condition     = alltrue([for machine in aws_sfn_state_machine.this : !machine.logging_configuration[0].include_execution_data])
    error_message = "A state machine logs execution data."
  }

  assert {
    condition     = aws_dynamodb_table.cases.deletion_protection_enabled && aws_dynamodb_table.exposures.deletion_protection_enabled && !anytrue([for bucket in aws_s3_bucket.this : bucket.force_destroy])
    error_message = "By default records can be destroyed in passing."
  }

  # No star is granted without its reason, which stands beside it in the role's file: a new one must be added here too.

  assert {
    condition     = [for statement in data.aws_iam_policy_document.worker.statement : statement.sid if contains(statement.resources, "*")] == ["AnswerTasks", "ReadMacieFindings", "ReadInspectionTemplate"]
    error_message = "The worker may act on all resources in more than the known cases."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.gateway.statement : statement.sid if contains(statement.resources, "*")] == ["WakeRuns"]
    error_message = "The gateway may act on all resources in more than the known cases."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.operator.statement : statement.sid if contains(statement.resources, "*")] == ["ReadMacieFindings", "SeeWhetherServicesAreOn", "SeeServices"]
    error_message = "An operator may act on all resources in more than the known cases."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.every_state_machine.statement : statement.sid if contains(statement.resources, "*")] == ["DeliverLogs"]
    error_message = "State machines may act on all resources in more than the known cases."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.execution.statement : statement.sid if contains(statement.resources, "*")] == ["LogInToRegistry"]
    error_message = "What starts tasks may act on all resources in more than the known cases."
  }

  assert {
    condition = alltrue([for statement in concat(
      data.aws_iam_policy_document.events.statement,
      data.aws_iam_policy_document.exposure_cycle.statement,
      data.aws_iam_policy_document.finding_response.statement,
      data.aws_iam_policy_document.mover.statement,
      data.aws_iam_policy_document.object_restore.statement,
      data.aws_iam_policy_document.restorer.statement,
      data.aws_iam_policy_document.scheduler.statement,
    ) : !contains(statement.resources, "*")])
    error_message = "A role may act on all resources."
  }

  assert {
    condition = alltrue(flatten([for statement in concat(
      data.aws_iam_policy_document.events.statement,
      data.aws_iam_policy_document.every_state_machine.statement,
      data.aws_iam_policy_document.execution.statement,
      data.aws_iam_policy_document.exposure_cycle.statement,
      data.aws_iam_policy_document.finding_response.statement,
      data.aws_iam_policy_document.gateway.statement,
      data.aws_iam_policy_document.mover.statement,
      data.aws_iam_policy_document.object_restore.statement,
      data.aws_iam_policy_document.operator.statement,
      data.aws_iam_policy_document.restorer.statement,
      data.aws_iam_policy_document.scheduler.statement,
      data.aws_iam_policy_document.worker.statement,
    ) : [for action in statement.actions : !strcontains(action, "*")]]))
    error_message = "A role may do more than the actions it names."
  }

  assert {
    condition = alltrue(flatten([for statement in concat(
      data.aws_iam_policy_document.mover.statement,
      data.aws_iam_policy_document.purger.statement,
      data.aws_iam_policy_document.restorer.statement,
    ) : [for action in statement.actions : action != "s3:BypassGovernanceRetention"]]))
    error_message = "A role may break a retention."
  }

  # Whatever the restorer may write at a source, it may not write to what is ours; and it deletes nothing.
  assert {
    condition = alltrue([for action in one([for statement in data.aws_iam_policy_document.restorer.statement : statement.actions if statement.sid == "WriteAndVerifyAtTheSource"]) :
      contains(one([for statement in data.aws_iam_policy_document.restorer.statement : statement.actions if statement.sid == "NeverWriteToWhatIsOurs"]), action)
      if startswith(action, "s3:Put") || startswith(action, "s3:Abort")
    ])
    error_message = "The restorer may write to the quarantine or to the state bucket."
  }

  # Only the expected deputies are trusted.

  assert {
    condition = alltrue(flatten([for statement in concat(
      data.aws_iam_policy_document.events_trust.statement,
      data.aws_iam_policy_document.scheduler_trust.statement,
      data.aws_iam_policy_document.task_trust.statement,
      data.aws_iam_policy_document.state_machine_trust["finding_response"].statement,
      data.aws_iam_policy_document.state_machine_trust["access_finding_intake"].statement,
      data.aws_iam_policy_document.state_machine_trust["exposure_cycle"].statement,
      data.aws_iam_policy_document.state_machine_trust["object_restore"].statement,
    ) : toset([for condition in statement.condition : condition.variable]) == toset(["aws:SourceAccount", "aws:SourceArn"])]))
    error_message = "A service may act for somebody else's resources."
  }

  assert {
    condition = alltrue([for trust in [data.aws_iam_policy_document.mover_trust, data.aws_iam_policy_document.restorer_trust] :
      one(one(trust.statement).principals).identifiers == toset([aws_iam_role.worker.arn])
    ])
    error_message = "Somebody but the worker may become the mover or the restorer."
  }

  # IAM narrows their sessions, and not whoever opens them.

  assert {
    condition = alltrue([for trust in [data.aws_iam_policy_document.mover_trust, data.aws_iam_policy_document.restorer_trust] :
      one(trust.statement).actions == toset(["sts:AssumeRole", "sts:TagSession"])
      && { for condition in one(trust.statement).condition : condition.variable => one(condition.values) if condition.test == "StringLike" } == { "aws:RequestTag/CordonBucket" = "?*", "aws:RequestTag/CordonCase" = "?*" }
    ])
    error_message = "The mover or the restorer can be taken without the tags that narrow it."
  }

  # The provider does not check it, and EC2 refuses anything else.
  assert {
    condition     = alltrue([for group in aws_security_group.service : can(regex("^[a-zA-Z0-9. _:/()#,@\\[\\]+=&;{}!$*-]{1,255}$", group.description))])
    error_message = "EC2 does not take the description of a security group."
  }

  assert {
    condition     = contains(flatten([for condition in one(data.aws_iam_policy_document.mover_trust.statement).condition : condition.values if condition.test == "StringNotLike"]), "*terraform-state*")
    error_message = "The mover can be taken for a bucket of Terraform's state."
  }

  # Who may write to buckets does not thereby write the policy.

  assert {
    condition     = one([for statement in data.aws_iam_policy_document.state_bucket.statement : one(statement.condition).values if statement.sid == "OnlyPolicyWritersWriteThePolicy"]) == tolist(["arn:aws:iam::111122223333:role/deployer"])
    error_message = "Somebody besides whoever applies may write the policy."
  }

  assert {
    condition     = aws_s3_object.policy.metadata == tomap({ sha256 = sha256(aws_s3_object.policy.content) })
    error_message = "A policy that was written by hand looks like Terraform's."
  }

  # What is kept is under the installation's key.

  assert {
    condition = (
      alltrue([for one in concat(values(aws_sfn_activity.this), values(aws_sfn_state_machine.this)) : one(one.encryption_configuration).kms_key_id == local.data_key_arn])
      && alltrue([for queue in concat(values(aws_sqs_queue.requests), [aws_sqs_queue.dead_letters]) : queue.kms_master_key_id == local.data_key_arn])
      && aws_scheduler_schedule.exposure_cycle.kms_key_arn == local.data_key_arn
      && alltrue([for group in concat(values(aws_cloudwatch_log_group.service), values(aws_cloudwatch_log_group.state_machine), [aws_cloudwatch_log_group.access]) : group.kms_key_id == local.data_key_arn])
    )
    error_message = "An activity, a state machine, a queue, the schedule or a log is not under the installation's key."
  }

  assert {
    condition = alltrue(flatten([for statement in concat(
      data.aws_iam_policy_document.mover.statement,
      data.aws_iam_policy_document.restorer.statement,
      ) : [for resource in statement.resources :
      contains(["arn:aws:s3:::$${aws:PrincipalTag/CordonBucket}", "arn:aws:s3:::$${aws:PrincipalTag/CordonBucket}/*", "arn:aws:s3:::cordon-quarantine-111122223333-us-east-1/111122223333/$${aws:PrincipalTag/CordonBucket}/$${aws:PrincipalTag/CordonCase}/*"], resource)
      || alltrue([for action in statement.actions : startswith(action, "s3:ListBucket")])
      if statement.effect != "Deny" && startswith(resource, "arn:aws:s3:")
    ]]))
    error_message = "The mover or the restorer reaches objects that its session is not for."
  }

  # Nothing that Macie charges for starts before somebody has asked for it.

  assert {
    condition     = aws_scheduler_schedule.exposure_cycle.state == "DISABLED"
    error_message = "By default exposure cycles start by themselves."
  }

  # Operators hear of every end.

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.runs) == 12 && alltrue([for alarm in aws_cloudwatch_metric_alarm.runs : length(coalesce(alarm.alarm_actions, [])) == 0])
    error_message = "A state machine can end badly without an alarm, or its end is told twice."
  }

  # What the worker measures is looked at under the names by which it writes it.
  assert {
    condition = { for name, alarm in aws_cloudwatch_metric_alarm.measured : name => [alarm.namespace, alarm.metric_name, alarm.statistic, alarm.threshold, alarm.treat_missing_data, alarm.dimensions] } == {
      nobody-polls = ["Cordon", "PollAgeSeconds", "Minimum", 300, "breaching", tomap({ Installation = "cordon" })]
      not-measured = ["Cordon", "MeasuredAgeSeconds", "Minimum", 300, "notBreaching", tomap({ Installation = "cordon" })]
      oldest-case  = ["Cordon", "OldestCaseSeconds", "Maximum", 86400, "notBreaching", tomap({ Installation = "cordon", Status = "open" })]
      not-shown    = ["Cordon", "OldestUnshownSeconds", "Maximum", 900, "notBreaching", tomap({ Installation = "cordon" })]
    }
    error_message = "An alarm looks at what nobody measures."
  }

  assert {
    condition = alltrue([for alarm in concat(
      values(aws_cloudwatch_metric_alarm.measured), values(aws_cloudwatch_metric_alarm.requests), values(aws_cloudwatch_metric_alarm.tasks_not_taken),
      [aws_cloudwatch_metric_alarm.dead_letters, aws_cloudwatch_metric_alarm.gateway_errors, aws_cloudwatch_metric_alarm.gateway_silent],
    ) : alarm.alarm_actions == toset([aws_sns_topic.operators.arn]) && can(regex("(See |see |`cordon )", alarm.alarm_description))])
    error_message = "An alarm reaches nobody, or does not say where to look or what to do."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.runs) : strcontains(alarm.alarm_description, "start it again") && length(coalesce(alarm.alarm_actions, [])) == 0])
    error_message = "An alarm about executions does not say what to do, or tells what was told already."
  }

  # Of AWS's own metrics, by the names and dimensions that AWS gives them.
  assert {
    condition = jsonencode(merge(
      { for name, alarm in aws_cloudwatch_metric_alarm.runs : name => [alarm.namespace, alarm.metric_name, keys(alarm.dimensions)] if startswith(name, "finding_response") },
      { for name, alarm in aws_cloudwatch_metric_alarm.requests : name => [alarm.namespace, alarm.metric_name, alarm.dimensions] },
      { for name, alarm in { dead_letters = aws_cloudwatch_metric_alarm.dead_letters, errors = aws_cloudwatch_metric_alarm.gateway_errors, silent = aws_cloudwatch_metric_alarm.gateway_silent } : name => [alarm.namespace, alarm.metric_name, alarm.dimensions] },
      )) == jsonencode({
      finding_response-failed    = ["AWS/States", "ExecutionsFailed", ["StateMachineArn"]]
      finding_response-timed-out = ["AWS/States", "ExecutionsTimedOut", ["StateMachineArn"]]
      finding_response-aborted   = ["AWS/States", "ExecutionsAborted", ["StateMachineArn"]]
      approvals                  = ["AWS/SQS", "ApproximateAgeOfOldestMessage", tomap({ QueueName = "cordon-approvals" })]
      purges                     = ["AWS/SQS", "ApproximateAgeOfOldestMessage", tomap({ QueueName = "cordon-purges" })]
      restores                   = ["AWS/SQS", "ApproximateAgeOfOldestMessage", tomap({ QueueName = "cordon-restores" })]
      dead_letters               = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", tomap({ QueueName = aws_sqs_queue.dead_letters.name })]
      errors                     = ["AWS/ApiGateway", "5xx", tomap({ ApiId = aws_apigatewayv2_api.slack.id })]
      silent                     = ["AWS/ApiGateway", "Count", tomap({ ApiId = aws_apigatewayv2_api.slack.id, Stage = "$default", Method = "GET", Resource = "/healthz" })]
    })
    error_message = "An alarm looks at what AWS does not measure."
  }

  assert {
    condition = toset([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.title]) == toset([
      "Alarms", "Cases", "Age of the oldest case (s)", "Outcomes", "Rounds of asking begun", "Time to a person's decision (s)", "Not yet shown in Slack (s)",
      "Workers: how many measure, and the youngest poll (s)", "Failed tasks by code", "Executions started",
      "Executions that ended badly", "Exposure cycle: how long it takes (ms)", "Gateway: requests and errors",
      "Queues: oldest request (s), dead letters",
    ])
    error_message = "The dashboard lacks something."
  }

  # What it shows of AWS's own metrics; PROOF metrics holds those of the worker.
  assert {
    condition = toset(flatten([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [
      for metric in try(widget.properties.metrics, []) : join(" ", slice(metric, 0, 3)) if length(metric) > 2 && try(metric[0] != "Cordon", false)
      ]])) == toset([
      "AWS/ApiGateway 4xx ApiId", "AWS/ApiGateway 5xx ApiId", "AWS/ApiGateway Count ApiId",
      "AWS/SQS ApproximateAgeOfOldestMessage QueueName", "AWS/SQS ApproximateNumberOfMessagesVisible QueueName",
      "AWS/States ExecutionTime StateMachineArn", "AWS/States ExecutionsAborted StateMachineArn", "AWS/States ExecutionsFailed StateMachineArn",
      "AWS/States ExecutionsStarted StateMachineArn", "AWS/States ExecutionsTimedOut StateMachineArn",
    ])
    error_message = "The dashboard looks at what AWS does not measure."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.measured) : alarm.actions_enabled])
    error_message = "Nobody is told of what workers measure."
  }

  # Whether their expression tells a silent worker from a busy one, tests/tests/state_machines/alarms.rs evaluates.
  assert {
    condition = (
      toset(keys(aws_cloudwatch_metric_alarm.tasks_not_taken)) == toset(["record_access_finding", "sync_access_findings", "triage_finding"])
      && alltrue([for alarm in aws_cloudwatch_metric_alarm.tasks_not_taken : alarm.alarm_actions == toset([aws_sns_topic.operators.arn])])
    )
    error_message = "Tasks can wait for a worker that is away without an alarm."
  }

  assert {
    condition     = toset(jsondecode(aws_cloudwatch_event_rule.ended_runs.event_pattern).detail.stateMachineArn) == toset(values(output.state_machine_arns))
    error_message = "The rule of ended runs leaves out a state machine."
  }

  # What the state machine has told with its reason is not told again, and what it cannot catch is.
  assert {
    condition = (
      jsondecode(aws_cloudwatch_event_rule.ended_runs.event_pattern).detail.status == ["ABORTED", "TIMED_OUT"]
      && jsondecode(aws_cloudwatch_event_rule.failed_runs.event_pattern).detail-type == ["Cordon Execution Failed"]
    )
    error_message = "The rule of ended runs tells what is told already, or leaves out what nobody else tells."
  }

  assert {
    condition     = alltrue([for target in concat(values(aws_cloudwatch_event_target.state_machine), values(aws_cloudwatch_event_target.notices), [aws_cloudwatch_event_target.ended_runs, aws_cloudwatch_event_target.failed_deployments]) : one(target.dead_letter_config).arn == aws_sqs_queue.dead_letters.arn])
    error_message = "A target loses what cannot be delivered."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.operators_email) == 0
    error_message = "Without an address somebody is subscribed."
  }
}

run "starts_nothing_where_it_is_not_enabled" {
  variables {
    enabled                = false
    exposure_cycle_enabled = true
  }

  assert {
    condition     = aws_cloudwatch_event_rule.finding_response.state == "DISABLED" && aws_cloudwatch_event_rule.access_finding_intake.state == "DISABLED"
    error_message = "A rule takes findings up."
  }

  # What still ends is told.
  assert {
    condition     = alltrue([for rule in [aws_cloudwatch_event_rule.ended_runs, aws_cloudwatch_event_rule.failed_runs, aws_cloudwatch_event_rule.failed_deployments, aws_cloudwatch_event_rule.slack_refuses, aws_cloudwatch_event_rule.unusable_policy] : rule.state != "DISABLED"])
    error_message = "Operators are not told."
  }

  assert {
    condition     = aws_scheduler_schedule.exposure_cycle.state == "DISABLED"
    error_message = "A cycle begins."
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.this : service.desired_count == 0])
    error_message = "A worker or a gateway runs, and the worker sweeps findings up."
  }

  assert {
    condition     = !anytrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.measured), [aws_cloudwatch_metric_alarm.gateway_silent]) : alarm.actions_enabled])
    error_message = "Somebody is told that nothing runs, which was asked for."
  }
}

run "keeps_its_roles_within_a_boundary" {
  variables {
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
    role_path                = "/security/cordon/"
    investigators            = ["arn:aws:iam::111122223333:user/carol"]
    purgers                  = ["arn:aws:iam::111122223333:user/carol"]
  }

  assert {
    condition = alltrue([for role in concat(
      [aws_iam_role.events, aws_iam_role.execution, aws_iam_role.gateway, aws_iam_role.mover, aws_iam_role.restorer, aws_iam_role.scheduler, aws_iam_role.worker],
      aws_iam_role.investigator, aws_iam_role.purger, values(aws_iam_role.state_machine),
    ) : role.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary" && role.path == "/security/cordon/"])
    error_message = "A role is out of the boundary, or elsewhere."
  }
}

run "tags_everything_but_the_policy_object" {
  variables {
    tags = { team = "security" }
  }

  assert {
    condition = alltrue([for tagged in concat(
      [aws_apigatewayv2_api.slack, aws_dynamodb_table.cases, aws_ecs_cluster.this, aws_iam_role.worker, aws_secretsmanager_secret.slack, aws_sns_topic.operators],
      values(aws_ecs_service.this), values(aws_s3_bucket.this), values(aws_sfn_activity.this), values(aws_sfn_state_machine.this), values(aws_sqs_queue.requests), aws_kms_key.data,
    ) : tagged.tags == tomap({ team = "security" })])
    error_message = "Something does not carry the tags."
  }

  assert {
    condition     = aws_s3_object.policy.tags == null && try(length(one(one(aws_s3_object.policy.override_provider).default_tags).tags), 0) == 0 && length(one(aws_s3_object.policy.override_provider).default_tags) == 1
    error_message = "The policy object has tags, of which S3 takes ten at most."
  }
}

run "refuses_a_boundary_that_is_none" {
  command = plan

  variables {
    permissions_boundary_arn = "boundary"
    role_path                = "security"
  }

  expect_failures = [var.permissions_boundary_arn, var.role_path]
}

run "takes_null_for_the_default" {
  variables {
    name_prefix                = null
    worker_count               = null
    architecture               = null
    round_seconds              = null
    log_retention_days         = null
    deletion_protection        = null
    exposure_cycle_enabled     = null
    activity_heartbeat_seconds = null
    investigators              = null
    policy                     = null
  }

  assert {
    condition     = aws_ecs_cluster.this.name == "cordon" && aws_ecs_service.this["worker"].desired_count == 2 && length(aws_iam_role.investigator) == 0
    error_message = "Null is something else than the default."
  }
}

# The last, so that what was made for these tests can be taken down.
run "is_taken_down" {
  variables {
    deletion_protection = false
  }
}
