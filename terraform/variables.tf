variable "name_prefix" {
  description = "What every AWS name of this installation starts with."
  type        = string
  default     = "cordon"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name_prefix))
    error_message = "name_prefix must be 3 to 20 lower-case letters, digits or hyphens, begin with a letter and not end with a hyphen: it is part of bucket names."
  }
}

locals {
  # The policy as it is written. What is not set is left out: a worker refuses members that it does not know, and one of
  # an earlier release must be able to read a policy that uses nothing new.
  policy_members = merge(var.policy, {
    rules = [for rule in var.policy.rules : merge(
      { for member, value in rule : member => value if value != null },
      { approvers = { for member, value in rule.approvers : member => value if value != null } },
    )]
  })
  policy = { for member, value in local.policy_members : member => value if value != null }

  # Valid, and yet they match nothing that was meant by them; `cordon policy check` says of each why.
  globs_in_vain = concat(
    [for glob in flatten([for rule in var.policy.rules : coalesce(rule.buckets, [])]) : glob
    if can(regex("^[.-]|[.-]$|[.][.]|^[^*]{1,2}$", glob))],
    [for glob in flatten([for rule in var.policy.rules : coalesce(rule.keys, [])]) : glob
    if can(regex("^(s3://|arn:|/)", glob)) || can(regex(local.meant_otherwise, glob))],
    [for glob in flatten([for rule in var.policy.rules : coalesce(rule.identifiers, [])]) : glob
    if can(regex(local.meant_otherwise, glob))],
  )
  # Braces, brackets, negations, regular expressions, and blanks at an end.
  meant_otherwise = "[{].*[}]|\\[.*\\]|^!|^\\^|[$]$|\\\\|^\\s|\\s$"

  # Every sensitive-data finding type of Macie.
  finding_types = [
    "SensitiveData:S3Object/Credentials",
    "SensitiveData:S3Object/CustomIdentifier",
    "SensitiveData:S3Object/Financial",
    "SensitiveData:S3Object/Multiple",
    "SensitiveData:S3Object/Personal",
  ]
}

variable "policy" {
  description = "What is done with a finding. Rules are read in order and the first match wins; a finding that no rule matches is reviewed by the fallback approvers."
  type = object({
    version = optional(number, 1)
    mode    = optional(string)
    rules = optional(list(object({
      name             = string
      finding_types    = optional(list(string), ["*"])
      minimum_severity = optional(string, "Low")
      buckets          = optional(list(string), ["*"])
      keys             = optional(list(string))
      accounts         = optional(list(string))
      categories       = optional(list(string))
      identifiers      = optional(list(string))
      minimum_count    = optional(number)
      exposed          = optional(bool)
      disposition      = string
      approvers        = optional(object({ users = optional(list(string), []), groups = optional(list(string)) }), {})
      approvals        = optional(number)
      rounds           = optional(number, 1)
      on_expiry        = optional(string)
      snooze_seconds   = optional(number)
      channel          = optional(string)
      versions         = optional(string)
      verify           = optional(string)
      after_restore    = optional(string)
    })), [])
    max_automatic_per_hour            = optional(number)
    max_automatic_per_bucket_per_hour = optional(number)
    restorers                         = optional(object({ users = optional(list(string), []) }))
    operators                         = optional(map(string))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.policy.version == 1
    error_message = "policy.version must be 1, the only version that this release reads."
  }

  validation {
    condition     = alltrue([for word in var.policy.mode[*] : contains(["enforce", "shadow"], word)])
    error_message = "policy.mode must be enforce or shadow."
  }

  validation {
    condition     = length(distinct(var.policy.rules[*].name)) == length(var.policy.rules)
    error_message = "policy.rules[*].name must be distinct: a case records the rule that decided it."
  }

  validation {
    condition     = alltrue([for rule in var.policy.rules : can(regex("^[a-z0-9][a-z0-9_-]{0,63}$", rule.name))])
    error_message = "policy.rules[*].name must be 1 to 64 lower-case letters, digits, hyphens or underscores, the first a letter or digit."
  }

  validation {
    condition     = alltrue([for rule in var.policy.rules : contains(["Low", "Medium", "High"], rule.minimum_severity)])
    error_message = "policy.rules[*].minimum_severity must be Low, Medium or High, as Macie spells them."
  }

  validation {
    condition     = alltrue([for rule in var.policy.rules : contains(["quarantine", "review", "ignore"], rule.disposition)])
    error_message = "policy.rules[*].disposition must be quarantine, review or ignore."
  }

  validation {
    condition = alltrue(flatten([for rule in var.policy.rules : [for glob in rule.finding_types :
      can(regex("^[A-Za-z0-9:/*?]+$", glob)) && anytrue([for type in local.finding_types :
        can(regex("^${replace(replace(glob, "*", ".*"), "?", ".")}$", type))
      ])
    ]]))
    error_message = "policy.rules[*].finding_types must be sensitive-data finding types of Macie (such as SensitiveData:S3Object/Financial), or globs of them with * and ?: anything else would never match."
  }

  validation {
    condition = alltrue(flatten([for rule in var.policy.rules : [
      for globs in [rule.finding_types, rule.buckets, rule.keys, rule.accounts, rule.categories, rule.identifiers] :
      globs == null ? true : length(globs) > 0
    ]]))
    error_message = "policy.rules[*].finding_types, buckets, keys, accounts, categories and identifiers must not be empty: such a rule would never match. Leave them out to match all."
  }

  validation {
    condition     = alltrue(flatten([for rule in var.policy.rules : [for bucket in rule.buckets : can(regex("^[a-z0-9.*?-]{1,63}$", bucket))]]))
    error_message = "policy.rules[*].buckets must be bucket names (no ARNs), or globs of them with * and ?."
  }

  validation {
    condition     = alltrue([for key in flatten([for rule in var.policy.rules : coalesce(rule.keys, [])]) : key != ""])
    error_message = "policy.rules[*].keys must be object keys, or globs of them with * and ?, none of them empty."
  }

  validation {
    condition = alltrue([for account in flatten([for rule in var.policy.rules : coalesce(rule.accounts, [])]) :
      can(regex("^[0-9*?]+$", account))
      && (strcontains(account, "*") ? length(replace(account, "*", "")) <= 12 : length(account) == 12)
    ])
    error_message = "policy.rules[*].accounts must be account ids of 12 digits, or globs of them with * and ?."
  }

  validation {
    condition = alltrue([for category in flatten([for rule in var.policy.rules : coalesce(rule.categories, [])]) :
      contains(["CREDENTIALS", "CUSTOM_IDENTIFIER", "FINANCIAL_INFORMATION", "PERSONAL_INFORMATION"], category)
    ])
    error_message = "policy.rules[*].categories must be CREDENTIALS, CUSTOM_IDENTIFIER, FINANCIAL_INFORMATION or PERSONAL_INFORMATION, as Macie spells them."
  }

  validation {
    condition     = alltrue([for identifier in flatten([for rule in var.policy.rules : coalesce(rule.identifiers, [])]) : identifier != ""])
    error_message = "policy.rules[*].identifiers must be names of managed or custom data identifiers (such as CREDIT_CARD_NUMBER), or globs of them with * and ?, none of them empty."
  }

  validation {
    condition     = alltrue([for count in flatten([for rule in var.policy.rules : rule.minimum_count[*]]) : count >= 1 && count <= 1000000 && floor(count) == count])
    error_message = "policy.rules[*].minimum_count must be a whole number from 1 to 1000000."
  }

  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.rounds >= 1 && rule.rounds <= 30 && floor(rule.rounds) == rule.rounds])
    error_message = "policy.rules[*].rounds must be a whole number from 1 to 30."
  }

  validation {
    condition     = alltrue(flatten([for rule in var.policy.rules : [for user in rule.approvers.users : can(regex("^[UW][A-Z0-9]{2,}$", user))]]))
    error_message = "policy.rules[*].approvers.users must be Slack user ids (U… or W…), not names: names can be taken over."
  }

  validation {
    condition     = alltrue([for group in flatten([for rule in var.policy.rules : coalesce(rule.approvers.groups, [])]) : can(regex("^S[A-Z0-9]{2,}$", group))])
    error_message = "policy.rules[*].approvers.groups must be ids of Slack user groups (S…), not their handles."
  }

  validation {
    condition     = alltrue([for people in flatten([for rule in var.policy.rules : rule.approvals[*]]) : contains([1, 2], people)])
    error_message = "policy.rules[*].approvals must be 1 or 2."
  }

  validation {
    condition     = alltrue([for word in flatten([for rule in var.policy.rules : rule.on_expiry[*]]) : contains(["leave", "ask_again", "quarantine"], word)])
    error_message = "policy.rules[*].on_expiry must be leave, ask_again or quarantine."
  }

  validation {
    condition     = alltrue([for seconds in flatten([for rule in var.policy.rules : rule.snooze_seconds[*]]) : seconds >= 1 && seconds <= 604800 && floor(seconds) == seconds])
    error_message = "policy.rules[*].snooze_seconds must be a whole number from 1 to 604800 (a week)."
  }

  # Only told here: a document knows nothing of round_seconds.
  validation {
    condition = alltrue([for rule in var.policy.rules :
      rule.rounds < 1 || rule.rounds > 30 || rule.rounds * var.round_seconds + min(coalesce(rule.snooze_seconds, 86400), 604800) < 2592000
    ])
    error_message = "policy.rules[*].rounds times round_seconds and one snooze must be less than 30 days, after which Step Functions ends a run whatever was decided."
  }

  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.channel == null || can(regex("^[CG][A-Z0-9]{2,}$", rule.channel))])
    error_message = "policy.rules[*].channel must be a Slack channel id (C… or G…) or null."
  }

  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.disposition != "review" || length(concat(rule.approvers.users, coalesce(rule.approvers.groups, []))) > 0])
    error_message = "policy.rules[*] must name at least one approver in approvers.users or approvers.groups when its disposition is review."
  }

  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.disposition != "ignore" || (length(concat(rule.approvers.users, coalesce(rule.approvers.groups, []))) == 0 && rule.rounds == 1 && rule.channel == null)])
    error_message = "policy.rules[*] must not set approvers, rounds or channel when its disposition is ignore, which asks nobody."
  }

  validation {
    condition     = alltrue([for word in flatten([for rule in var.policy.rules : rule.versions[*]]) : contains(["reported", "all"], word)])
    error_message = "policy.rules[*].versions must be reported or all."
  }

  validation {
    condition     = alltrue([for word in flatten([for rule in var.policy.rules : rule.verify[*]]) : contains(["standard", "full"], word)])
    error_message = "policy.rules[*].verify must be standard or full."
  }

  validation {
    condition     = alltrue([for word in flatten([for rule in var.policy.rules : rule.after_restore[*]]) : contains(["join", "ask"], word)])
    error_message = "policy.rules[*].after_restore must be join or ask."
  }

  validation {
    condition     = alltrue([for moves in var.policy.max_automatic_per_hour[*] : moves >= 0 && moves <= 1000000 && floor(moves) == moves])
    error_message = "policy.max_automatic_per_hour must be a whole number from 0 to 1000000."
  }

  validation {
    condition     = alltrue([for moves in var.policy.max_automatic_per_bucket_per_hour[*] : moves >= 0 && moves <= 1000000 && floor(moves) == moves])
    error_message = "policy.max_automatic_per_bucket_per_hour must be a whole number from 0 to 1000000."
  }

  validation {
    condition     = alltrue([for user in flatten(var.policy.restorers[*].users) : can(regex("^[UW][A-Z0-9]{2,}$", user))])
    error_message = "policy.restorers.users must be Slack user ids (U… or W…), not names: names can be taken over."
  }

  validation {
    condition = alltrue([for arn in keys(coalesce(var.policy.operators, {})) :
      can(regex("^arn:[a-z-]+:(iam::[0-9]{12}:user/|sts::[0-9]{12}:(assumed-role|federated-user)/)[A-Za-z0-9_+=,.@/-]+$", arn))
    ])
    error_message = "policy.operators[*] must be named by an ARN as `aws sts get-caller-identity` tells it (of a user, or of a session of a role)."
  }

  validation {
    condition     = alltrue([for user in values(coalesce(var.policy.operators, {})) : can(regex("^[UW][A-Z0-9]{2,}$", user))])
    error_message = "policy.operators[*] must be a Slack user id (U… or W…), not a name: names can be taken over."
  }

  validation {
    condition = !anytrue([for index, rule in var.policy.rules :
      index < length(var.policy.rules) - 1
      && rule.minimum_severity == "Low"
      && anytrue([for glob in rule.finding_types : alltrue([for type in local.finding_types :
        can(regex("^${replace(replace(glob, "*", ".*"), "?", ".")}$", type))
      ])])
      && alltrue([for globs in [rule.buckets, rule.keys, rule.accounts] :
        globs == null ? true : anytrue([for glob in globs : can(regex("^\\*+$", glob))])
      ])
      && rule.categories == null && rule.identifiers == null && rule.minimum_count == null && rule.exposed == null
    ])
    error_message = "policy.rules[*] must not follow a rule that matches everything: it would never be reached."
  }
}

# No validation, for each may be meant as it stands: a warning.
check "policy_globs" {
  assert {
    condition     = length(local.globs_in_vain) == 0
    error_message = "policy: only * and ? mean something in globs, so that these match nothing that was probably meant by them: ${join(", ", local.globs_in_vain)}. `cordon policy check` says why."
  }
}

variable "slack_team_id" {
  description = "The id of the Slack workspace whose users may decide (T…). That of an Enterprise Grid organization (E…) is not supported yet."
  type        = string

  validation {
    condition     = can(regex("^T[A-Z0-9]{2,}$", var.slack_team_id))
    error_message = startswith(var.slack_team_id, "E") ? "slack_team_id must be the id of a workspace (T…) whose members decide: an Enterprise Grid organization (E…) is not supported yet, and its members would be taken for strangers." : "slack_team_id must be the id of a Slack workspace (T…)."
  }
}

variable "slack_signing_secret_rotation" {
  description = "True while Slack's signing secret is being replaced: the gateway then takes requests signed with `previous_signing_secret` of the secret too, which has to be there."
  type        = bool
  default     = false
  nullable    = false
}

variable "slack_channel" {
  description = "The Slack channel that hears of cases whose rule names no other."
  type        = string

  validation {
    condition     = can(regex("^[CG][A-Z0-9]{2,}$", var.slack_channel))
    error_message = "slack_channel must be a Slack channel id (C… or G…), not a name."
  }
}

variable "fallback_approvers" {
  description = "Slack users who decide when no rule matches or the policy cannot be read. They live outside the policy, so that a broken policy cannot lock everybody out."
  type        = list(string)

  validation {
    condition     = length(var.fallback_approvers) > 0 && alltrue([for user in var.fallback_approvers : can(regex("^[UW][A-Z0-9]{2,}$", user))])
    error_message = "fallback_approvers must name at least one Slack user id (U… or W…)."
  }
}

variable "investigators" {
  description = "IAM users and roles who may read what is in quarantine, by way of the investigator role. Without any there is no such role."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for principal in var.investigators : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(user|role)/[\\w+=,.@/-]+$", principal))])
    error_message = "investigators must be ARNs of IAM users or roles: an account or a star would let in people whom nobody named."
  }
}

variable "purgers" {
  description = "IAM users and roles who may remove what is in quarantine for good, by way of the purger role. Without any there is no such role, and nobody can."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for principal in var.purgers : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(user|role)/[\\w+=,.@/-]+$", principal))])
    error_message = "purgers must be ARNs of IAM users or roles: an account or a star would let in people whom nobody named."
  }
}

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

  validation {
    condition     = can(regex("^(rate\\([1-9][0-9]* (minute|minutes|hour|hours|day|days)\\)|cron\\(.+\\))$", var.schedule_expression))
    error_message = "schedule_expression must be rate(<number> minutes|hours|days) or cron(…)."
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

variable "round_seconds" {
  description = "How long one approval round waits for a decision."
  type        = number
  default     = 14400

  validation {
    condition     = var.round_seconds >= 1 && var.round_seconds <= 604800 && floor(var.round_seconds) == var.round_seconds
    error_message = "round_seconds must be a whole number from 1 to 604800 (a week)."
  }
}

variable "activity_heartbeat_seconds" {
  description = "After how long a silence of its worker an activity is given to another one."
  type        = number
  default     = 30

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

variable "scan_timeout_seconds" {
  description = "How long a Macie job may take before its buckets are due again."
  type        = number
  default     = 86400

  validation {
    condition     = var.scan_timeout_seconds >= 60 && var.scan_timeout_seconds <= 2592000 && floor(var.scan_timeout_seconds) == var.scan_timeout_seconds
    error_message = "scan_timeout_seconds must be a whole number from 60 to 2592000 (30 days)."
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

  validation {
    condition     = contains(["ALL", "ERROR", "FATAL", "OFF"], var.state_machine_log_level)
    error_message = "state_machine_log_level must be ALL, ERROR, FATAL or OFF."
  }
}

variable "log_retention_days" {
  description = "How long the logs of the state machines are kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention that CloudWatch Logs knows, such as 30, 90 or 365."
  }
}

variable "security_hub_company_name" {
  description = "The company name that Cordon's findings carry in Security Hub."
  type        = string
  default     = "Cordon"

  validation {
    condition     = length(trimspace(var.security_hub_company_name)) > 0 && length(var.security_hub_company_name) <= 128
    error_message = "security_hub_company_name must have 1 to 128 characters."
  }
}

variable "deletion_protection" {
  description = "Whether tables, buckets, keys and the secret resist terraform destroy. False is for installations that are thrown away."
  type        = bool
  default     = true
  nullable    = false
}
