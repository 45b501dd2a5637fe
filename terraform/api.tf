# The way in for Slack, and for nothing else: HTTP API, VPC link, Cloud Map, gateway. An HTTP API takes no WAF, no private
# endpoint and no resource policy; what keeps others out is Slack's signature, which the gateway checks first.

resource "aws_service_discovery_private_dns_namespace" "this" {
  name        = "${var.name_prefix}.internal"
  description = "What runs of Cordon"
  vpc         = local.vpc_id

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_service_discovery_service" "gateway" {
  name          = "gateway"
  description   = "The gateway's tasks"
  force_destroy = true # Instances may outlive the service in ECS by a moment.

  # API Gateway asks for address and port.
  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this.id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "SRV"
      ttl  = 10
    }
  }

  # Here ECS tells how the container is.
  health_check_custom_config {
    failure_threshold = 1
  }

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_apigatewayv2_api" "slack" {
  name          = var.name_prefix
  description   = "Takes the clicks of Cordon's Slack app"
  protocol_type = "HTTP"

  tags = var.tags
}

resource "aws_apigatewayv2_vpc_link" "gateway" {
  name               = var.name_prefix
  subnet_ids         = local.subnet_ids
  security_group_ids = [aws_security_group.service["link"].id]

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_apigatewayv2_integration" "gateway" {
  api_id                 = aws_apigatewayv2_api.slack.id
  description            = "One of the gateway's tasks"
  integration_type       = "HTTP_PROXY"
  integration_method     = "ANY"
  integration_uri        = aws_service_discovery_service.gateway.arn
  connection_type        = "VPC_LINK"
  connection_id          = aws_apigatewayv2_vpc_link.gateway.id
  payload_format_version = "1.0"
  timeout_milliseconds   = 3000 # Slack waits no longer.
}

resource "aws_apigatewayv2_route" "gateway" {
  # checkov:skip=CKV_AWS_309: Slack signs its requests, and the gateway checks the signature; the health check says nothing but that it is there

  for_each = toset(["GET /healthz", "POST /slack/interactions"])

  api_id    = aws_apigatewayv2_api.slack.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.gateway.id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.slack.id
  name        = "$default"
  auto_deploy = true

  # Far above what people click, far below what a flood would cost.
  default_route_settings {
    throttling_burst_limit = 200
    throttling_rate_limit  = 100
  }

  # Its metrics tell the probe from what strangers ask for.
  route_settings {
    route_key                = aws_apigatewayv2_route.gateway["GET /healthz"].route_key
    throttling_burst_limit   = 200
    throttling_rate_limit    = 100
    detailed_metrics_enabled = true
  }

  # No body, no header, no query.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn

    format = jsonencode({
      requestId        = "$context.requestId"
      time             = "$context.requestTime"
      sourceIp         = "$context.identity.sourceIp"
      route            = "$context.routeKey"
      status           = "$context.status"
      responseLatency  = "$context.responseLatency"
      integrationError = "$context.integrationErrorMessage"
    })
  }

  tags = var.tags
}
