module "network" {
  source = "./modules/network"
  count  = var.network.kind == "small_public" ? 1 : 0

  name       = var.name_prefix
  cidr_block = var.network.cidr_block
  tags       = var.tags
}

locals {
  is_public  = var.network.kind == "small_public"
  vpc_id     = one(concat(module.network[*].vpc_id, compact([var.network.vpc_id])))
  subnet_ids = flatten(concat(module.network[*].subnet_ids, [var.network.subnet_ids]))

  proxy_port = var.network.https_proxy == null ? null : tonumber(regex(":([0-9]+)/?$", var.network.https_proxy)[0])

  # Not for the credentials endpoint of ECS, and not for the health check.
  proxy_environment = var.network.https_proxy == null ? {} : {
    HTTPS_PROXY = var.network.https_proxy
    NO_PROXY    = join(",", concat(["127.0.0.1", "169.254.170.2", "localhost"], var.network.no_proxy))
  }
}

# What tasks and the VPC link use is replaced after its successor is there: EC2 takes nothing away that is in use.
resource "aws_security_group" "service" {
  # checkov:skip=CKV2_AWS_5: the services and the VPC link use them, by way of for_each

  for_each = {
    # EC2 takes no apostrophe here.
    worker  = "The worker of Cordon: nothing comes in."
    gateway = "The gateway of Cordon: only the VPC link comes in."
    link    = "The VPC link of the HTTP API of Cordon."
  }

  name_prefix = "${var.name_prefix}-${each.key}-"
  description = each.value
  vpc_id      = local.vpc_id

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

# Slack and the services of AWS are where they are, behind names.
resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = toset(["worker", "gateway"])

  security_group_id = aws_security_group.service[each.key].id
  description       = "AWS, Slack"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "proxy" {
  for_each = local.proxy_port == null || local.proxy_port == 443 ? [] : toset(["worker", "gateway"])

  security_group_id = aws_security_group.service[each.key].id
  description       = "The proxy"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = local.proxy_port
  to_port           = local.proxy_port

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "link" {
  security_group_id            = aws_security_group.service["link"].id
  description                  = "To the gateway"
  referenced_security_group_id = aws_security_group.service["gateway"].id
  ip_protocol                  = "tcp"
  from_port                    = local.gateway_port
  to_port                      = local.gateway_port

  tags = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "gateway" {
  security_group_id            = aws_security_group.service["gateway"].id
  description                  = "From the VPC link"
  referenced_security_group_id = aws_security_group.service["link"].id
  ip_protocol                  = "tcp"
  from_port                    = local.gateway_port
  to_port                      = local.gateway_port

  tags = var.tags
}
