# What runs, and how it is reached, against a mock of AWS.

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

run "runs_worker_and_gateway" {
  # The settings are those that worker and gateway read.

  assert {
    condition = { for one in local.environments["worker"] : one.name => one.value } == {
      AWS_REGION                        = "us-east-1"
      CORDON_ACCOUNT_ID                 = "111122223333"
      CORDON_ACTIVITY_ARN_PREFIX        = "arn:aws:states:us-east-1:111122223333:activity:cordon-"
      CORDON_ACTIVITY_HEARTBEAT_SECONDS = "30"
      CORDON_ANALYZER_ARN               = "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/cordon"
      CORDON_APPROVALS_QUEUE_URL        = "https://sqs.us-east-1.amazonaws.com/111122223333/cordon-approvals"
      CORDON_BUCKETS                    = "*"
      CORDON_CASES_TABLE                = "cordon-cases"
      CORDON_COMPANY_NAME               = "Cordon"
      CORDON_EXCLUSION_TAG              = "cordon:scan=exclude"
      CORDON_EXPOSURES_TABLE            = "cordon-exposures"
      CORDON_FALLBACK_APPROVERS         = "U0ALICE001,U0BOB00002"
      CORDON_FINDING_RESPONSE_ARN       = "arn:aws:states:us-east-1:111122223333:stateMachine:cordon-finding_response"
      CORDON_GATEWAY_PRINCIPAL_ID       = "AROAGATEWAY0000000000"
      CORDON_GATEWAY_URL                = "https://api123.execute-api.us-east-1.amazonaws.com"
      CORDON_HEALTH_LISTEN              = "127.0.0.1:8081"
      CORDON_INSTALLATION               = "cordon"
      CORDON_MAC_KEY_ARN                = "arn:aws:kms:us-east-1:111122223333:key/33333333-3333-4333-8333-333333333333"
      CORDON_MOVER_ROLE_ARN             = "arn:aws:iam::111122223333:role/cordon-mover-us-east-1"
      CORDON_OBJECT_RESTORE_ARN         = "arn:aws:states:us-east-1:111122223333:stateMachine:cordon-object_restore"
      CORDON_POLICY_KEY                 = "policy.json"
      CORDON_PROTECTED_BUCKETS          = "*-audit-111122223333*,*-quarantine-111122223333*,*-state-111122223333*,*access-log*,*accesslog*,*aws-config*,*cloudtrail*,*terraform-state*,*tf-state*,*tfstate*,aws-cloudtrail-logs-*,aws-controltower-*,config-bucket-*"
      CORDON_PURGES_QUEUE_URL           = "https://sqs.us-east-1.amazonaws.com/111122223333/cordon-purges"
      CORDON_QUARANTINE_BUCKET          = "cordon-quarantine-111122223333-us-east-1"
      CORDON_RESCAN_INTERVAL_SECONDS    = "2592000"
      CORDON_RESTORES_QUEUE_URL         = "https://sqs.us-east-1.amazonaws.com/111122223333/cordon-restores"
      CORDON_RESTORER_ROLE_ARN          = "arn:aws:iam::111122223333:role/cordon-restorer-us-east-1"
      CORDON_ROUND_SECONDS              = "14400"
      CORDON_SCAN_TIMEOUT_SECONDS       = "86400"
      CORDON_SLACK_APP_ID               = "A0CORDON01"
      CORDON_SLACK_CHANNEL              = "C0SECURITY"
      CORDON_SLACK_SECRET_ARN           = "arn:aws:secretsmanager:us-east-1:111122223333:secret:cordon/slack-AbCdEf"
      CORDON_SLACK_TEAM_ID              = "T0CORDON01"
      CORDON_STATE_BUCKET               = "cordon-state-111122223333-us-east-1"
      CORDON_STATE_MACHINE_ARNS         = join(",", [for stem in ["access_finding_intake", "exposure_cycle", "finding_response", "object_restore"] : "arn:aws:states:us-east-1:111122223333:stateMachine:cordon-${stem}"])
    }
    error_message = "The worker's settings differ from what it reads."
  }

  assert {
    condition     = toset([for one in local.environments["gateway"] : one.name]) == toset(["AWS_REGION", "CORDON_ACCOUNT_ID", "CORDON_CASES_TABLE", "CORDON_FALLBACK_APPROVERS", "CORDON_GATEWAY_LISTEN", "CORDON_POLICY_KEY", "CORDON_RESTORES_QUEUE_URL", "CORDON_SLACK_APP_ID", "CORDON_SLACK_CHANNEL", "CORDON_SLACK_SECRET_ARN", "CORDON_SLACK_TEAM_ID", "CORDON_STATE_BUCKET"])
    error_message = "The gateway's settings differ from what it reads."
  }

  # What a task may do to its host and to itself.

  assert {
    condition = alltrue([for definition in aws_ecs_task_definition.this : alltrue([for container in jsondecode(definition.container_definitions) :
      container.readonlyRootFilesystem && container.user == "65532:65532" && container.linuxParameters.capabilities == { add = [], drop = ["ALL"] } && container.stopTimeout == 120 && !can(container.secrets)
    ])])
    error_message = "A container may write to its root, runs as root, has capabilities, is cut off early, or gets a secret that a rotation would not change."
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.this : !service.enable_execute_command])
    error_message = "Somebody may open a shell in a task."
  }

  assert {
    condition     = alltrue([for part, definition in aws_ecs_task_definition.this : jsondecode(definition.container_definitions)[0].logConfiguration.options["awslogs-group"] == aws_cloudwatch_log_group.service[part].name && aws_cloudwatch_log_group.service[part].kms_key_id == local.data_key_arn])
    error_message = "A task's log is not under Cordon's key."
  }

  assert {
    condition     = alltrue([for part, definition in aws_ecs_task_definition.this : definition.execution_role_arn == aws_iam_role.execution.arn && definition.task_role_arn != aws_iam_role.execution.arn])
    error_message = "A task does its work with the role that starts it."
  }

  # What API Gateway calls, what is checked, what is open and what is listened at are one port.

  assert {
    condition = (
      jsondecode(aws_ecs_task_definition.this["gateway"].container_definitions)[0].portMappings[0].containerPort == 8080
      && one(aws_ecs_service.this["gateway"].service_registries).container_port == 8080
      && contains(jsondecode(aws_ecs_task_definition.this["gateway"].container_definitions)[0].healthCheck.command, "8080")
      && { for one in local.environments["gateway"] : one.name => one.value }["CORDON_GATEWAY_LISTEN"] == "0.0.0.0:8080"
      && aws_vpc_security_group_ingress_rule.gateway.from_port == 8080
      && aws_vpc_security_group_egress_rule.link.to_port == 8080
    )
    error_message = "The gateway's ports differ."
  }

  assert {
    condition     = length(aws_ecs_service.this["worker"].service_registries) == 0
    error_message = "Something finds its way to the worker."
  }

  # A deployment replaces tasks one after the other, and one that fails is undone.

  assert {
    condition = alltrue([for service in aws_ecs_service.this :
      service.desired_count == 2 && service.deployment_minimum_healthy_percent == 100 && service.deployment_maximum_percent == 200
      && one(service.deployment_circuit_breaker).enable && one(service.deployment_circuit_breaker).rollback && service.wait_for_steady_state
    ])
    error_message = "By default a service has one task, or a deployment that fails stops it."
  }

  # The public way takes two routes, throttles, and logs no body and no header.

  assert {
    condition     = toset(keys(aws_apigatewayv2_route.gateway)) == toset(["GET /healthz", "POST /slack/interactions"])
    error_message = "The API takes more than Slack's clicks and the probe."
  }

  assert {
    condition     = one(aws_apigatewayv2_stage.default.default_route_settings).throttling_rate_limit == 100 && aws_apigatewayv2_stage.default.name == "$default"
    error_message = "The API does not throttle."
  }

  assert {
    condition     = !anytrue([for word in ["header", "body", "authorizer", "querystring"] : strcontains(lower(one(aws_apigatewayv2_stage.default.access_log_settings).format), word)])
    error_message = "The access log holds what callers send."
  }

  assert {
    condition     = output.interactions_url == "https://api123.execute-api.us-east-1.amazonaws.com/slack/interactions"
    error_message = "The request URL that is entered in Slack is wrong."
  }

  # Somebody hears of it where nobody can click.

  assert {
    condition     = aws_cloudwatch_metric_alarm.gateway_silent.treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.gateway_silent.actions_enabled && aws_cloudwatch_metric_alarm.gateway_errors.threshold == 0
    error_message = "The gateway can be silent, or fail, without an alarm."
  }

  assert {
    condition     = toset(jsondecode(aws_cloudwatch_event_rule.failed_deployments.event_pattern).resources) == toset([for part in ["gateway", "worker"] : "arn:aws:ecs:us-east-1:111122223333:service/cordon/${part}"])
    error_message = "A deployment can fail without a notice."
  }

  # The existing network is used as it is.

  assert {
    condition     = length(module.network) == 0 && alltrue([for service in aws_ecs_service.this : !one(service.network_configuration).assign_public_ip && one(service.network_configuration).subnets == toset(["subnet-1", "subnet-2"])])
    error_message = "Tasks run elsewhere, or with public addresses."
  }

  # The image is pulled from this repository alone.

  assert {
    condition     = one([for statement in data.aws_iam_policy_document.execution.statement : statement.resources if statement.sid == "PullImage"]) == toset(["arn:aws:ecr:us-east-1:111122223333:repository/cordon"])
    error_message = "ECS may pull other images, or not this one."
  }
}

run "makes_a_small_network" {
  variables {
    network       = { kind = "small_public" }
    worker_count  = 1
    gateway_count = 0
    image         = "ghcr.io/cordon/cordon:0.1.0"
    architecture  = "ARM64"
  }

  override_data {
    target = module.network[0].data.aws_availability_zones.available
    values = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.this : one(service.network_configuration).assign_public_ip && length(one(service.network_configuration).subnets) == 2])
    error_message = "Tasks without NAT have no way out, or run in one zone."
  }

  assert {
    condition     = aws_ecs_service.this["worker"].desired_count == 1 && aws_ecs_service.this["gateway"].desired_count == 0
    error_message = "Another number of tasks runs."
  }

  assert {
    condition     = !aws_cloudwatch_metric_alarm.gateway_silent.actions_enabled && alltrue([for alarm in aws_cloudwatch_metric_alarm.measured : alarm.actions_enabled])
    error_message = "Somebody is told that a gateway is silent which is not to be there, or nobody of what the worker measures."
  }

  assert {
    condition     = { for one in local.environments["worker"] : one.name => one.value }["CORDON_GATEWAY_URL"] == ""
    error_message = "The worker probes a gateway that is not to be there."
  }

  assert {
    condition     = toset([for statement in data.aws_iam_policy_document.execution.statement : statement.sid]) == toset(["WriteLogs"])
    error_message = "Rights on ECR are given for an image that is elsewhere."
  }

  assert {
    condition     = alltrue([for definition in aws_ecs_task_definition.this : one(definition.runtime_platform).cpu_architecture == "ARM64"])
    error_message = "Tasks run on other processors than asked for."
  }
}

run "goes_through_a_proxy" {
  variables {
    network = { kind = "existing", vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"], https_proxy = "http://proxy.internal:3128", no_proxy = [".internal"] }
  }

  assert {
    condition = alltrue([for environment in local.environments :
      { for one in environment : one.name => one.value }["HTTPS_PROXY"] == "http://proxy.internal:3128" && { for one in environment : one.name => one.value }["NO_PROXY"] == "127.0.0.1,169.254.170.2,localhost,.internal"
    ])
    error_message = "A part does not use the proxy, or asks it for its credentials."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.proxy : rule.from_port == 3128 && rule.to_port == 3128]) && length(aws_vpc_security_group_egress_rule.proxy) == 2
    error_message = "The proxy cannot be reached."
  }
}

# EC2 refuses the same rule twice.
run "goes_through_a_proxy_where_everything_else_is_reached" {
  command = plan

  variables {
    network = { kind = "existing", vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"], https_proxy = "http://proxy.internal:443" }
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.proxy) == 0
    error_message = "The way to the proxy is opened twice."
  }
}

run "refuses_an_image_without_a_tag" {
  command = plan

  variables {
    image = "111122223333.dkr.ecr.us-east-1.amazonaws.com/cordon"
  }

  expect_failures = [var.image]
}

run "refuses_a_network_that_is_half_named" {
  command = plan

  variables {
    network = { kind = "existing", vpc_id = "vpc-1", subnet_ids = ["subnet-1"] }
  }

  expect_failures = [var.network]
}

run "refuses_an_unknown_network" {
  command = plan

  variables {
    network = { kind = "private" }
  }

  expect_failures = [var.network]
}

run "refuses_parts_of_a_network_that_is_to_be_made" {
  command = plan

  variables {
    network = { kind = "small_public", vpc_id = "vpc-1" }
  }

  expect_failures = [var.network]
}

run "refuses_a_password_in_the_url_of_the_proxy" {
  command = plan

  variables {
    network = { kind = "existing", vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"], https_proxy = "http://user:password@proxy:3128" }
  }

  expect_failures = [var.network]
}

run "refuses_a_network_that_is_too_small" {
  command = plan

  variables {
    network = { kind = "small_public", cidr_block = "10.0.0.0/28" }
  }

  expect_failures = [var.network]
}

run "refuses_half_a_task" {
  command = plan

  variables {
    worker_count  = 1.5
    gateway_count = 21
  }

  expect_failures = [var.worker_count, var.gateway_count]
}

run "refuses_unknown_processors" {
  command = plan

  variables {
    architecture = "RISCV64"
  }

  expect_failures = [var.architecture]
}

# The last, so that what was made for these tests can be taken down.
run "is_taken_down" {
  variables {
    deletion_protection = false
  }
}
