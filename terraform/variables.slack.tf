variable "slack_team_id" {
  description = "The id of the Slack workspace whose users may decide (T…). That of an Enterprise Grid organization (E…) is not supported yet."
  type        = string

  validation {
    condition     = can(regex("^T[A-Z0-9]{2,}$", var.slack_team_id))
    error_message = startswith(var.slack_team_id, "E") ? "slack_team_id must be the id of a workspace (T…) whose members decide: an Enterprise Grid organization (E…) is not supported yet, and its members would be taken for strangers." : "slack_team_id must be the id of a Slack workspace (T…)."
  }
}

variable "slack_app_id" {
  description = "The id of this installation's Slack app (A…), as Basic Information shows it. Each installation has an app of its own: Slack sends an app's clicks to one address. Clicks on buttons of another app are refused."
  type        = string

  validation {
    condition     = can(regex("^A[A-Z0-9]{2,}$", var.slack_app_id))
    error_message = "slack_app_id must be the id of a Slack app (A…): see Basic Information of the app."
  }
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

variable "round_seconds" {
  description = "How long one approval round waits for a decision."
  type        = number
  default     = 14400
  nullable    = false

  validation {
    condition     = var.round_seconds >= 1 && var.round_seconds <= 604800 && floor(var.round_seconds) == var.round_seconds
    error_message = "round_seconds must be a whole number from 1 to 604800 (a week)."
  }
}
