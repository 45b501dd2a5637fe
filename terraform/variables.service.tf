variable "image" {
  description = "The container image of worker and gateway, as `make image` makes it: a repository with a tag or, better, a digest. Where the repository is in ECR, tasks get the right to pull it."
  type        = string

  validation {
    condition     = can(regex("^[^\\s@]+/?[^\\s@:/]+(:[\\w][\\w.-]{0,127}|@sha256:[0-9a-f]{64})$", var.image))
    error_message = "image must name an image with its tag or digest, such as 111122223333.dkr.ecr.eu-west-1.amazonaws.com/cordon@sha256:…: what runs has to be known."
  }
}

variable "network" {
  description = <<-EOT
    Where worker and gateway run. They need AWS and Slack over HTTPS, and take nothing from outside.

    - `kind = "existing"`: your VPC, with private subnets in two zones that reach the internet by NAT, or by `https_proxy` and, for what ECS itself needs, the endpoints `ecr.api`, `ecr.dkr`, `logs` and the gateway endpoint for S3. For production.
    - `kind = "small_public"`: a VPC of its own with public subnets in two zones and no NAT, for trials. Tasks have public addresses and take nothing from outside; Security Hub rates such addresses HIGH (control ECS.2).
  EOT

  type = object({
    kind        = string
    vpc_id      = optional(string)
    subnet_ids  = optional(list(string), [])
    https_proxy = optional(string)
    no_proxy    = optional(list(string), [])
    cidr_block  = optional(string, "10.66.0.0/24")
  })

  validation {
    condition     = contains(["existing", "small_public"], var.network.kind)
    error_message = "network.kind must be \"existing\" or \"small_public\"."
  }

  validation {
    condition     = var.network.kind != "existing" || (var.network.vpc_id != null && length(var.network.subnet_ids) >= 2)
    error_message = "network.kind = \"existing\" needs vpc_id and subnet_ids, private subnets in at least two zones."
  }

  validation {
    condition     = length(distinct(var.network.subnet_ids)) == length(var.network.subnet_ids) && length(var.network.subnet_ids) <= 10
    error_message = "network.subnet_ids must be distinct, and at most 10: a VPC link of API Gateway takes no more."
  }

  validation {
    condition     = var.network.kind != "small_public" || (var.network.vpc_id == null && length(var.network.subnet_ids) == 0 && var.network.https_proxy == null)
    error_message = "network.kind = \"small_public\" makes its own VPC: leave vpc_id, subnet_ids and https_proxy out, or choose \"existing\"."
  }

  validation {
    condition     = var.network.https_proxy == null || can(regex("^https?://[^\\s/@]+:[0-9]+/?$", var.network.https_proxy))
    error_message = "network.https_proxy must be a URL with a port and without credentials, such as http://proxy.internal:3128: a task definition is no place for a password."
  }

  validation {
    condition     = can(cidrsubnet(var.network.cidr_block, 2, 0)) && can(regex("/(1[6-9]|2[0-4])$", var.network.cidr_block))
    error_message = "network.cidr_block must be an IPv4 network from /16 to /24."
  }
}

variable "worker_count" {
  description = "How many tasks run the worker: 1 for a trial, 2 in production, so that one zone or one deployment that fails stops nothing. There is no autoscaling: a worker takes eight tasks of each activity at once, and what waits, waits in Step Functions."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.worker_count >= 0 && var.worker_count <= 20 && floor(var.worker_count) == var.worker_count
    error_message = "worker_count must be a whole number from 0 (everything waits) to 20."
  }
}

variable "gateway_count" {
  description = "How many tasks run the gateway, which takes Slack's clicks: 1 for a trial, 2 in production."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.gateway_count >= 0 && var.gateway_count <= 20 && floor(var.gateway_count) == var.gateway_count
    error_message = "gateway_count must be a whole number from 0 (nobody can click) to 20."
  }
}

variable "architecture" {
  description = "The processors that tasks run on, X86_64 or ARM64; the image has to be built for it. X86_64 is what the tests run on, ARM64 costs a fifth less."
  type        = string
  default     = "X86_64"
  nullable    = false

  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "architecture must be X86_64 or ARM64."
  }
}

variable "wait_for_steady_state" {
  description = "Whether terraform apply waits until the tasks run and are healthy, and fails where ECS rolled back."
  type        = bool
  default     = true
  nullable    = false
}
