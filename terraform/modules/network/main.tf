# The smallest network that reaches AWS and Slack: public subnets in two zones, no NAT. Nothing may come in from outside,
# which the security groups of the tasks see to. What tasks use goes only after what uses it, hence create_before_destroy.

data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394: the first two by name are taken, and AWS gives a new zone the next letter

  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  # API Gateway has no VPC links there.
  exclude_zone_ids = ["ape1-az1", "apne1-az3", "apne2-az4", "cac1-az3", "cac1-az4", "euw3-az2", "use1-az3", "usw1-az2"]

  lifecycle {
    postcondition {
      condition     = length(self.names) >= 2
      error_message = "This Region has fewer than two zones in which API Gateway has VPC links; choose another Region, or network.kind = \"existing\"."
    }
  }
}

data "aws_region" "current" {}

locals {
  zones = { for number in [0, 1] : tostring(number) => data.aws_availability_zones.available.names[number] }
}

resource "aws_vpc" "this" {
  # checkov:skip=CKV2_AWS_11: flow logs are for those who watch the networks of an account; network.kind = "existing" takes a VPC that has them

  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(var.tags, { Name = var.name })

  lifecycle {
    create_before_destroy = true
  }
}

# Takes every rule from the group that comes with the VPC.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = var.tags
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = var.name })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id                  = aws_vpc.this.id
  cidr_block              = cidrsubnet(var.cidr_block, 2, tonumber(each.key))
  availability_zone       = each.value
  map_public_ip_on_launch = false # Tasks ask for an address, nothing else gets one.
  tags                    = merge(var.tags, { Name = "${var.name}-${each.value}" })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = var.name })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public.id

  lifecycle {
    create_before_destroy = true
  }
}

# Free, and keeps what is copied off the internet.
resource "aws_vpc_endpoint" "gateway" {
  for_each = toset(["dynamodb", "s3"])

  vpc_id            = aws_vpc.this.id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${data.aws_region.current.id}.${each.key}"
  route_table_ids   = [aws_route_table.public.id]
  tags              = merge(var.tags, { Name = "${var.name}-${each.key}" })
}
