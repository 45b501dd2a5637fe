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
    condition = alltrue([for id in keys(coalesce(var.policy.operators, {})) :
      can(regex("^(AIDA[A-Z0-9]{12,124}|AROA[A-Z0-9]{12,124}:[A-Za-z0-9_+=,.@-]{2,64})$", id))
    ])
    error_message = "policy.operators[*] must be named by a UserId as `aws sts get-caller-identity` tells it: AIDA… of a user, or AROA…:session of a role."
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

variable "policy_writers" {
  description = "IAM users and roles who may write the policy object, besides the one that applies this. Name all that apply, so that the policy of the bucket does not change from one to the other."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for principal in var.policy_writers : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(user|role)/[\\w+=,.@/-]+$", principal))])
    error_message = "policy_writers must be ARNs of IAM users or roles: an account or a star would let in people whom nobody named."
  }

  # AWS limits a bucket's policy to 20 KB.
  validation {
    condition     = length(jsonencode(var.policy_writers)) <= 12000
    error_message = "policy_writers are ${length(jsonencode(var.policy_writers))} characters of JSON, and 12,000 fit into the bucket's policy: name one role that they all take."
  }
}
