variable "name_prefix" {
  description = "What every AWS name of this installation starts with."
  type        = string
  default     = "cordon"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name_prefix))
    error_message = "name_prefix must be 3 to 20 lower-case letters, digits or hyphens, begin with a letter and not end with a hyphen: it is part of bucket names."
  }

  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html,
  # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html; every account has a group of
  # schedules "default".
  validation {
    condition     = !can(regex("^(default$|sg-|sthree-|amzn-s3-demo-)|--", var.name_prefix))
    error_message = "name_prefix must not be default, which is the name of a group of schedules of AWS, nor begin with sg-, sthree- or amzn-s3-demo-, nor have two hyphens in a row: security groups, buckets and trails take no such names."
  }
}

variable "names_carry_region" {
  description = "Whether the names of roles and buckets, which hold for all Regions, end with the Region, so that installations in several Regions do not collide. False keeps the names of an installation that was made before there was this input: other names would mean other buckets."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of everything that can carry them, besides the provider's default_tags. The policy object carries none: S3 takes at most ten tags for an object."
  type        = map(string)
  default     = {}
  nullable    = false

  # What every service takes: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html, and EventBridge
  # Scheduler and CloudTrail take no empty value. Two more are the module's own.
  validation {
    condition     = length(var.tags) <= 48
    error_message = "tags are ${length(var.tags)}, and 48 fit: AWS takes 50 for a resource, with the provider's default_tags."
  }

  validation {
    condition = alltrue([for key, value in var.tags :
      can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,128}$", key)) && can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,256}$", value)) && !startswith(lower(key), "aws:")
    ])
    error_message = "tags must have keys of 1 to 128 and values of 1 to 256 letters, digits, blanks or _ . : / = + - @, and no key that begins with aws:."
  }

  validation {
    condition     = length(distinct([for key in keys(var.tags) : lower(key)])) == length(var.tags)
    error_message = "tags must not have two keys that differ in upper and lower case alone: IAM takes them for one."
  }
}

variable "enabled" {
  description = "False starts nothing: no rule takes findings up, no cycle begins, and neither worker nor gateway runs. What is there stays, with the rules that tell operators of what still ends."
  type        = bool
  default     = true
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Managed policy that bounds every role of this installation, or null. It has to allow what the roles need: see the table of roles in the README."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a managed policy, or null."
  }
}

variable "role_path" {
  description = "Path of every role of this installation."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([!-.0-~]+/)*$", var.role_path)) && length(var.role_path) <= 512
    error_message = "role_path must begin and end with a slash and hold no blanks, such as /security/cordon/."
  }

  # Both are in the trust policy of a role, which AWS limits to 2,048 characters.
  validation {
    condition     = var.role_path == "/" || length(var.role_path) + length(jsonencode(var.protected_buckets)) <= 1270
    error_message = "role_path and protected_buckets together are ${length(var.role_path) + length(jsonencode(var.protected_buckets))} characters, and 1,270 fit into a role's trust policy: shorten the path, or name several buckets with one glob."
  }
}

variable "data_key_arn" {
  description = "Your own KMS key for records, plans, queues, executions, the Slack secret, logs and messages to operators, or null for one that is made. docs/DEPLOY.md says what its policy has to allow."
  type        = string
  default     = null

  validation {
    condition     = var.data_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.data_key_arn))
    error_message = "data_key_arn must be the ARN of a KMS key (…:key/…), or null. An alias does not do: IAM decides by the key."
  }
}

variable "quarantine_key_arn" {
  description = "Your own KMS key for what is in quarantine, or null for one that is made. docs/DEPLOY.md says what its policy has to allow: nobody but mover, restorer and investigator should use it."
  type        = string
  default     = null

  validation {
    condition     = var.quarantine_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.quarantine_key_arn))
    error_message = "quarantine_key_arn must be the ARN of a KMS key (…:key/…), or null. An alias does not do: IAM decides by the key."
  }
}

variable "activity_heartbeat_seconds" {
  description = "After how long a silence of its worker an activity is given to another one."
  type        = number
  default     = 30
  nullable    = false

  validation {
    # The shortest timeout of any activity task is 60 seconds, and a heartbeat must be shorter than it.
    condition     = var.activity_heartbeat_seconds >= 3 && var.activity_heartbeat_seconds < 60 && floor(var.activity_heartbeat_seconds) == var.activity_heartbeat_seconds
    error_message = "activity_heartbeat_seconds must be a whole number from 3 to 59."
  }
}

variable "retry_interval_scale" {
  description = "What the pauses between the attempts of a state are multiplied with. Leave it at 1: then a disturbance of five minutes ends no run. The sandbox shortens them, so that its tests see a state give up."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.retry_interval_scale > 0 && var.retry_interval_scale <= 1
    error_message = "retry_interval_scale must be greater than 0 and at most 1."
  }
}

variable "case_age_alarm_seconds" {
  description = "How long a case may be open before operators are told. Keep it longer than people usually take."
  type        = number
  default     = 86400
  nullable    = false

  validation {
    condition     = var.case_age_alarm_seconds >= 300 && floor(var.case_age_alarm_seconds) == var.case_age_alarm_seconds
    error_message = "case_age_alarm_seconds must be a whole number of at least 300."
  }
}

variable "operators_email" {
  description = "Address that hears of failed runs, or null to subscribe to the topic by other means."
  type        = string
  default     = null

  validation {
    condition     = var.operators_email == null || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.operators_email))
    error_message = "operators_email must be an e-mail address or null."
  }
}

variable "state_machine_log_level" {
  description = "Which events of a run are logged. Execution data never are."
  type        = string
  default     = "ERROR"
  nullable    = false

  validation {
    condition     = contains(["ALL", "ERROR", "FATAL", "OFF"], var.state_machine_log_level)
    error_message = "state_machine_log_level must be ALL, ERROR, FATAL or OFF."
  }
}

variable "log_retention_days" {
  description = "How long the logs are kept: of state machines, worker, gateway and API."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention that CloudWatch Logs knows, such as 30, 90 or 365."
  }
}

variable "security_hub_company_name" {
  description = "The company name that Cordon's findings carry in Security Hub."
  type        = string
  default     = "Cordon"
  nullable    = false

  validation {
    condition     = length(trimspace(var.security_hub_company_name)) > 0 && length(var.security_hub_company_name) <= 128
    error_message = "security_hub_company_name must have 1 to 128 characters."
  }
}

variable "deletion_protection" {
  description = "Whether terraform destroy is refused before anything is taken away, and tables, buckets, keys and the secret resist deletion one by one. Set it to false and apply, and then destroy."
  type        = bool
  default     = true
  nullable    = false
}
