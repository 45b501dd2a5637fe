variable "endpoint" {
  description = "The sandbox's front door, which speaks for every AWS service."
  type        = string
  default     = "http://127.0.0.1:4566"
}

variable "account" {
  description = "The sandbox's account."
  type        = string
  default     = "111122223333"
}

variable "region" {
  description = "The sandbox's Region."
  type        = string
  default     = "us-east-1"
}

variable "name_prefix" {
  description = "As of the module."
  type        = string
  default     = "cordon"
}

variable "policy" {
  description = "As of the module. The default is the demo's: credentials leave at once, financial data after Alice's click."
  type        = any
  default = {
    restorers = { users = ["U0ALICE001"] }
    rules = [
      {
        name             = "credentials-leave-at-once"
        finding_types    = ["SensitiveData:S3Object/Credentials"]
        minimum_severity = "High"
        disposition      = "quarantine"
      },
      {
        name          = "financial-data-is-reviewed"
        finding_types = ["SensitiveData:S3Object/Financial"]
        disposition   = "review"
        approvers     = { users = ["U0ALICE001"] }
        channel       = "C0SECURITY"
      },
    ]
  }
}

variable "slack_team_id" {
  description = "As of the module."
  type        = string
  default     = "T0CORDON01"
}

variable "slack_app_id" {
  description = "As of the module."
  type        = string
  default     = "A0CORDON01"
}

variable "slack_channel" {
  description = "As of the module."
  type        = string
  default     = "C0SECURITY"
}

variable "fallback_approvers" {
  description = "As of the module."
  type        = list(string)
  default     = ["U0ALICE001"]
}

variable "investigators" {
  description = "As of the module."
  type        = list(string)
  default     = []
}

variable "policy_writers" {
  description = "As of the module."
  type        = list(string)
  default     = []
}

variable "purgers" {
  description = "As of the module."
  type        = list(string)
  default     = []
}

variable "exposure_cycle_enabled" {
  description = "As of the module, but on: the sandbox's Macie costs nothing."
  type        = bool
  default     = true
}

variable "schedule_expression" {
  description = "As of the module, faster: nobody watches a demo for a quarter of an hour."
  type        = string
  default     = "rate(1 minutes)"
}

variable "rescan_interval_seconds" {
  description = "As of the module."
  type        = number
  default     = 2592000
}

variable "round_seconds" {
  description = "As of the module."
  type        = number
  default     = 14400
}

variable "activity_heartbeat_seconds" {
  description = "As of the module, shorter: a worker that is killed on purpose is missed soon."
  type        = number
  default     = 10
}

variable "retry_interval_scale" {
  description = "As of the module, smaller: 50 minutes become one, so that a state that gives up is seen to."
  type        = number
  default     = 0.02
}

variable "scan_timeout_seconds" {
  description = "As of the module, shorter: the sandbox's Macie takes seconds."
  type        = number
  default     = 3600
}

variable "image" {
  description = "As of the module. The sandbox has one image, which stands for this workspace's binary."
  type        = string
  default     = "111122223333.dkr.ecr.us-east-1.amazonaws.com/cordon:sandbox"
}

variable "network" {
  description = "As of the module."
  type        = any
  default     = { kind = "small_public" }
}

variable "worker_count" {
  description = "As of the module, as for a trial."
  type        = number
  default     = 1
}

variable "gateway_count" {
  description = "As of the module, as for a trial."
  type        = number
  default     = 1
}

variable "wait_for_steady_state" {
  description = "As of the module, but off: the sandbox waits by itself, and shows the logs of what does not start."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "As of the module, but off: a sandbox is thrown away."
  type        = bool
  default     = false
}
