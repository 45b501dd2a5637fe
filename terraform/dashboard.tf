# What somebody on call looks at first. The namespace Cordon comes from the worker, which writes its metrics into its log; whether
# CloudWatch takes them from there, and what the searches find, only AWS can show.

locals {
  installation = ["Installation", var.name_prefix]

  # Label values that nobody knows beforehand are searched for.
  search = { for metric, label in { Outcomes = "Outcome", TaskFailures = "Code" } :
    metric => "SEARCH('{Cordon,Installation,${label}} MetricName=\"${metric}\" Installation=\"${var.name_prefix}\"', 'Sum', 300)"
  }

  widgets = [
    {
      title   = "Cases"
      stat    = "Maximum"
      metrics = [for status in ["open", "restoring"] : concat(["Cordon", "Cases"], local.installation, ["Status", status])]
    },
    {
      title   = "Age of the oldest case (s)"
      stat    = "Maximum"
      metrics = [for status in ["open", "restoring"] : concat(["Cordon", "OldestCaseSeconds"], local.installation, ["Status", status])]
    },
    {
      title   = "Outcomes"
      stat    = "Sum"
      metrics = [[{ expression = local.search["Outcomes"], id = "outcomes", label = "" }]]
    },
    {
      title   = "Rounds of asking begun"
      stat    = "Sum"
      metrics = [concat(["Cordon", "Rounds"], local.installation)]
    },
    {
      title   = "Time to a person's decision (s)"
      stat    = "p50"
      metrics = [for stat in ["p50", "p90"] : concat(["Cordon", "DecisionSeconds"], local.installation, [{ stat = stat, label = stat }])]
    },
    {
      title   = "Not yet shown in Slack (s)"
      stat    = "Maximum"
      metrics = [concat(["Cordon", "OldestUnshownSeconds"], local.installation)]
    },
    {
      title = "Workers: how many measure, and the youngest poll (s)"
      stat  = "Minimum"
      # Each worker measures once a minute.
      metrics = [
        concat(["Cordon", "PollAgeSeconds"], local.installation),
        concat(["Cordon", "PollAgeSeconds"], local.installation, [{ stat = "SampleCount", period = 60, label = "workers" }]),
      ]
    },
    {
      title   = "Failed tasks by code"
      stat    = "Sum"
      metrics = [[{ expression = local.search["TaskFailures"], id = "failures", label = "" }]]
    },
    {
      title   = "Executions started"
      stat    = "Sum"
      metrics = [for stem in local.state_machines : ["AWS/States", "ExecutionsStarted", "StateMachineArn", aws_sfn_state_machine.this[stem].arn, { label = stem }]]
    },
    {
      title = "Executions that ended badly"
      stat  = "Sum"
      metrics = concat([for stem in local.state_machines : [
        for metric in ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"] :
        ["AWS/States", metric, "StateMachineArn", aws_sfn_state_machine.this[stem].arn, { label = "${stem} ${metric}" }]
      ]]...)
    },
    {
      title   = "Exposure cycle: how long it takes (ms)"
      stat    = "Maximum"
      metrics = [["AWS/States", "ExecutionTime", "StateMachineArn", aws_sfn_state_machine.this["exposure_cycle"].arn]]
    },
    {
      title   = "Gateway: requests and errors"
      stat    = "Sum"
      metrics = [for metric in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", metric, "ApiId", aws_apigatewayv2_api.slack.id]]
    },
    {
      title = "Queues: oldest request (s), dead letters"
      stat  = "Maximum"
      metrics = concat(
        [for queue in aws_sqs_queue.requests : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue.name]],
        [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.dead_letters.name]],
      )
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.name_prefix}${local.in_region}" # Dashboards are the account's, not the Region's.

  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type   = "alarm"
        x      = 0
        y      = 0
        width  = 24
        height = 4
        properties = {
          title  = "Alarms"
          alarms = local.alarm_arns
        }
      }],
      [for number, widget in local.widgets : {
        type   = "metric"
        x      = 8 * (number % 3)
        y      = 4 + 6 * floor(number / 3)
        width  = 8
        height = 6
        properties = {
          title   = widget.title
          region  = local.region
          view    = "timeSeries"
          stat    = widget.stat
          period  = 300
          metrics = widget.metrics
        }
      }],
    )
  })
}
