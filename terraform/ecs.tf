# What runs: worker and gateway, two services of one image.

locals {
  gateway_port = 8080

  shared_settings = {
    AWS_REGION                = local.region
    CORDON_ACCOUNT_ID         = local.account
    CORDON_CASES_TABLE        = aws_dynamodb_table.cases.name
    CORDON_FALLBACK_APPROVERS = join(",", var.fallback_approvers)
    CORDON_POLICY_KEY         = aws_s3_object.policy.key
    CORDON_SLACK_CHANNEL      = var.slack_channel
    CORDON_SLACK_APP_ID       = var.slack_app_id
    CORDON_SLACK_SECRET_ARN   = aws_secretsmanager_secret.slack.arn
    CORDON_SLACK_TEAM_ID      = var.slack_team_id
    CORDON_STATE_BUCKET       = aws_s3_bucket.this["state"].bucket
  }

  services = {
    worker = {
      count       = var.worker_count
      role_arn    = aws_iam_role.worker.arn
      ports       = []
      healthcheck = ["CMD", "/cordon", "health", "worker"]

      settings = {
        CORDON_ACTIVITY_ARN_PREFIX        = "${local.states_arn}:activity:${var.name_prefix}-"
        CORDON_ACTIVITY_HEARTBEAT_SECONDS = tostring(var.activity_heartbeat_seconds)
        CORDON_ANALYZER_ARN               = var.analyzer_arn
        CORDON_BUCKETS                    = join(",", var.buckets)
        CORDON_APPROVALS_QUEUE_URL        = aws_sqs_queue.requests["approvals"].id
        CORDON_COMPANY_NAME               = var.security_hub_company_name
        CORDON_EXCLUSION_TAG              = local.exclusion_tag
        CORDON_EXPOSURES_TABLE            = aws_dynamodb_table.exposures.name
        CORDON_FINDING_RESPONSE_ARN       = aws_sfn_state_machine.this["finding_response"].arn
        CORDON_GATEWAY_PRINCIPAL_ID       = aws_iam_role.gateway.unique_id
        CORDON_GATEWAY_URL                = var.gateway_count > 0 ? aws_apigatewayv2_api.slack.api_endpoint : ""
        CORDON_HEALTH_LISTEN              = "127.0.0.1:8081"
        CORDON_INSTALLATION               = var.name_prefix
        CORDON_MAC_KEY_ARN                = aws_kms_key.mac.arn
        CORDON_MOVER_ROLE_ARN             = aws_iam_role.mover.arn
        CORDON_OBJECT_RESTORE_ARN         = aws_sfn_state_machine.this["object_restore"].arn
        CORDON_PROTECTED_BUCKETS          = join(",", local.protected_buckets)
        CORDON_PURGES_QUEUE_URL           = aws_sqs_queue.requests["purges"].id
        CORDON_QUARANTINE_BUCKET          = aws_s3_bucket.this["quarantine"].bucket
        CORDON_RESCAN_INTERVAL_SECONDS    = tostring(var.rescan_interval_seconds)
        CORDON_RESTORES_QUEUE_URL         = aws_sqs_queue.requests["restores"].id
        CORDON_RESTORER_ROLE_ARN          = aws_iam_role.restorer.arn
        CORDON_ROUND_SECONDS              = tostring(var.round_seconds)
        CORDON_SCAN_TIMEOUT_SECONDS       = tostring(var.scan_timeout_seconds)
        CORDON_STATE_MACHINE_ARNS         = join(",", [for stem in sort(local.state_machines) : aws_sfn_state_machine.this[stem].arn])
      }
    }

    gateway = {
      count    = var.gateway_count
      role_arn = aws_iam_role.gateway.arn
      ports    = [local.gateway_port]
      # At the port that API Gateway calls, and not at the one that the process says it listens on.
      healthcheck = ["CMD", "/cordon", "health", "gateway", "--port", tostring(local.gateway_port)]

      settings = {
        CORDON_GATEWAY_LISTEN     = "0.0.0.0:${local.gateway_port}"
        CORDON_RESTORES_QUEUE_URL = aws_sqs_queue.requests["restores"].id
      }
    }
  }

  # Every setting of each, sorted as ECS sorts them.
  environments = {
    for part, service in local.services : part => [
      for name, value in merge(local.shared_settings, local.proxy_environment, service.settings) : { name = name, value = value }
    ]
  }
}

resource "aws_ecs_cluster" "this" {
  # checkov:skip=CKV_AWS_65: container insights are charged by the metric; what has to be seen, our own logs and alarms show

  name = var.name_prefix

  setting {
    name  = "containerInsights"
    value = "disabled"
  }

  tags = var.tags
}

resource "aws_ecs_task_definition" "this" {
  for_each = local.services

  family                   = "${var.name_prefix}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = each.value.role_arn
  skip_destroy             = true # A rollback goes back to the revision before.

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  container_definitions = jsonencode([{
    name                   = each.key
    image                  = var.image
    essential              = true
    command                = [each.key]
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    stopTimeout            = 120
    environment            = local.environments[each.key]
    portMappings           = [for port in each.value.ports : { containerPort = port, hostPort = port, protocol = "tcp" }]
    mountPoints            = []
    volumesFrom            = []
    systemControls         = []
    linuxParameters        = { initProcessEnabled = false, capabilities = { add = [], drop = ["ALL"] } }

    healthCheck = {
      command     = each.value.healthcheck
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 30
    }

    logConfiguration = {
      logDriver = "awslogs"

      # A task goes on where its log cannot be written.
      options = {
        awslogs-group         = aws_cloudwatch_log_group.service[each.key].name
        awslogs-region        = local.region
        awslogs-stream-prefix = each.key
        mode                  = "non-blocking"
        max-buffer-size       = "4m"
      }
    }
  }])

  tags = var.tags
}

resource "aws_ecs_service" "this" {
  # checkov:skip=CKV_AWS_332: 1.4.0 is the latest; named, so that what runs changes only with this line

  for_each = local.services

  name                               = each.key
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.this[each.key].arn
  desired_count                      = var.enabled ? each.value.count : 0
  launch_type                        = "FARGATE"
  platform_version                   = "1.4.0"
  propagate_tags                     = "SERVICE"
  enable_ecs_managed_tags            = true
  enable_execute_command             = false
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  wait_for_steady_state              = var.wait_for_steady_state

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = local.subnet_ids
    security_groups  = [aws_security_group.service[each.key].id]
    assign_public_ip = local.is_public
  }

  dynamic "service_registries" {
    for_each = each.value.ports

    content {
      registry_arn   = aws_service_discovery_service.gateway.arn
      container_name = each.key
      container_port = service_registries.value
    }
  }

  tags = var.tags

  # A task that starts before its roles may do their work counts as a failed one; and operators are to hear of the first
  # deployment too.
  depends_on = [
    aws_cloudwatch_event_target.failed_deployments,
    aws_iam_role_policy.execution,
    aws_iam_role_policy.gateway,
    aws_iam_role_policy.worker,
    aws_vpc_security_group_egress_rule.https,
    aws_vpc_security_group_egress_rule.proxy,
    terraform_data.stores_are_kept,
  ]

  lifecycle {
    # A service is steady also after a rollback, so that an apply which waits would call that a success.
    postcondition {
      condition     = self.task_definition == aws_ecs_task_definition.this[each.key].arn
      error_message = "ECS rolled the ${each.key} back to the revision before. Why its tasks did not stay: aws ecs describe-services --cluster ${var.name_prefix} --services ${each.key} --query 'services[0].events[:5]', and the log group of the service."
    }
  }
}
