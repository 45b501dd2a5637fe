variable "analyzer_arn" {
  description = "ARN of the external-access analyzer of IAM Access Analyzer whose findings are read, for instance the output analyzer_arn of modules/activation."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:access-analyzer:[a-z0-9-]+:[0-9]{12}:analyzer/[A-Za-z0-9_.-]+$", var.analyzer_arn))
    error_message = "analyzer_arn must be the ARN of an Access Analyzer analyzer."
  }
}

variable "exposure_cycle_enabled" {
  description = "Whether exposure cycles start by themselves. Each bucket that is shared with somebody outside is then scanned by Macie in full, at first and again every rescan_interval_seconds, which Macie charges for by the gigabyte: see \"What a cycle can cost\" in the README."
  type        = bool
  default     = false
  nullable    = false
}

variable "schedule_expression" {
  description = "How often an exposure cycle starts where exposure_cycle_enabled is true, as EventBridge Scheduler writes it."
  type        = string
  default     = "rate(15 minutes)"
  nullable    = false

  validation {
    condition     = can(regex("^(rate\\([1-9][0-9]* (minute|minutes|hour|hours|day|days)\\)|cron\\([0-9A-Z,*/?#-]+( [0-9A-Z,*/?#-]+){5}\\))$", var.schedule_expression))
    error_message = "schedule_expression must be rate(<number> minutes|hours|days), or cron(…) with six fields: minutes, hours, day of month, month, day of week, year."
  }

  # https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
  validation {
    condition     = !can(regex("^cron\\(\\S+ \\S+ \\S+ ", var.schedule_expression)) || can(regex("^cron\\(\\S+ \\S+ (\\? \\S+ [^?]|[^?]\\S* \\S+ \\? )", var.schedule_expression))
    error_message = "schedule_expression must have a question mark for the day of month or for the day of week, and not for both, such as cron(0 */2 ? * * *)."
  }
}

variable "exclusion_tag" {
  description = "A bucket that carries this tag is never scanned."
  type        = object({ key = string, value = string })
  default     = { key = "cordon:scan", value = "exclude" }
  nullable    = false

  validation {
    condition = (
      can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/+@-]{1,128}$", var.exclusion_tag.key))
      && can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,256}$", var.exclusion_tag.value))
      && !startswith(var.exclusion_tag.key, "aws:")
    )
    error_message = "exclusion_tag must be a legal S3 tag whose key has no equals sign and does not begin with aws:."
  }
}

variable "rescan_interval_seconds" {
  description = "How long after its last complete scan a bucket that stays shared is scanned in full again. Until then that scan is used, whatever becomes due."
  type        = number
  default     = 2592000
  nullable    = false

  validation {
    # Macie keeps findings for 90 days, and Security Hub forgets what is not reported again within 90.
    condition     = var.rescan_interval_seconds >= 86400 && var.rescan_interval_seconds <= 5184000 && floor(var.rescan_interval_seconds) == var.rescan_interval_seconds
    error_message = "rescan_interval_seconds must be a whole number from 86400 (a day) to 5184000 (60 days)."
  }
}

variable "scan_timeout_seconds" {
  description = "How long a Macie job may take before its buckets are due again."
  type        = number
  default     = 86400
  nullable    = false

  validation {
    condition     = var.scan_timeout_seconds >= 60 && var.scan_timeout_seconds <= 2592000 && floor(var.scan_timeout_seconds) == var.scan_timeout_seconds
    error_message = "scan_timeout_seconds must be a whole number from 60 to 2592000 (30 days)."
  }
}
