variable "investigators" {
  description = "IAM users and roles who may read what is in quarantine, by way of the investigator role. Without any there is no such role."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for principal in var.investigators : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(user|role)/[\\w+=,.@/-]+$", principal))])
    error_message = "investigators must be ARNs of IAM users or roles: an account or a star would let in people whom nobody named."
  }

  # AWS limits a role's trust policy to 2,048 characters.
  validation {
    condition     = length(jsonencode(var.investigators)) <= 1800
    error_message = "investigators are ${length(jsonencode(var.investigators))} characters of JSON, and 1,800 fit into the role's trust policy: name one role that they all take."
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

  # AWS limits a role's trust policy to 2,048 characters.
  validation {
    condition     = length(jsonencode(var.purgers)) <= 1800
    error_message = "purgers are ${length(jsonencode(var.purgers))} characters of JSON, and 1,800 fit into the role's trust policy: name one role that they all take."
  }
}

variable "source_kms_key_arns" {
  description = "Keys of other accounts with which objects are encrypted at their sources. Mover and restorer may use them; their owners have to allow the roles (outputs mover_role_arn and restorer_role_arn) in the key policies too. Keys of this account need not be named."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.source_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "source_kms_key_arns[*] must be ARNs of KMS keys (…:key/…). An alias does not do: IAM decides by the key."
  }

  # They are in the policies of two roles, each of which AWS limits to 10,240 characters.
  validation {
    condition     = length(var.source_kms_key_arns) <= 85
    error_message = "source_kms_key_arns are ${length(var.source_kms_key_arns)}, and 85 fit into a role's policy: several installations, each with its buckets, have room for more."
  }
}

variable "protected_buckets" {
  description = "Buckets that nothing is moved from, by name or by globs with * and ?, besides the usual ones (see unprotected). What policy would do with a finding there is only told; IAM refuses the mover such a bucket."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for glob in var.protected_buckets : can(regex("^[a-z0-9.*?-]{1,63}$", glob))])
    error_message = "protected_buckets must be bucket names (no ARNs), or globs of them with * and ?."
  }

  # They are in the trust policy of a role, which AWS limits to 2,048 characters.
  validation {
    condition     = length(jsonencode(var.protected_buckets)) <= 900
    error_message = "protected_buckets are ${length(jsonencode(var.protected_buckets))} characters of JSON, and 900 fit into the role's trust policy: name several buckets with one glob."
  }
}

variable "unprotected" {
  description = "Which of the usual buckets are not protected: access_logs, cloudtrail, config, control_tower, terraform_state, or cordon (those of other installations). Cordon's own are always."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.unprotected : contains(["access_logs", "cloudtrail", "config", "control_tower", "cordon", "terraform_state"], name)])
    error_message = "unprotected[*] must be access_logs, cloudtrail, config, control_tower, cordon or terraform_state."
  }
}

variable "buckets" {
  description = "The buckets that this installation answers for, by name or by globs with * and ?. With several installations in one Region, give each its own: findings about other buckets are left to the others."
  type        = list(string)
  default     = ["*"]
  nullable    = false

  validation {
    condition     = length(var.buckets) > 0 && alltrue([for glob in var.buckets : can(regex("^[a-z0-9.*?-]{1,63}$", glob))])
    error_message = "buckets must be bucket names (no ARNs), or globs of them with * and ?; [\"*\"] is all."
  }
}

variable "log_quarantine_access" {
  description = "Whether a CloudTrail trail logs each access to an object in quarantine, into a bucket of its own for log_retention_days. Ten cents for 100,000 accesses. False where the account's own trail has data events of the quarantine bucket."
  type        = bool
  default     = true
  nullable    = false
}
