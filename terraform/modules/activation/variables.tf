variable "enable_macie" {
  description = "Turn on Macie in this account and Region. False where it is on already."
  type        = bool
  default     = true
  nullable    = false
}

variable "enable_access_analyzer" {
  description = "Create an external-access analyzer with this account as its zone of trust. False where there is one already."
  type        = bool
  default     = true
  nullable    = false
}

variable "enable_security_hub" {
  description = "Turn on Security Hub in this account and Region, without standards. False where it is on already."
  type        = bool
  default     = true
  nullable    = false
}

variable "analyzer_name" {
  description = "Name of the analyzer that is created."
  type        = string
  default     = "cordon"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_.-]{0,254}$", var.analyzer_name))
    error_message = "analyzer_name must begin with a letter and have at most 255 letters, digits, dots, hyphens or underscores."
  }
}

variable "switch_off_on_destroy" {
  description = "Whether a destroy switches Macie, the analyzer and Security Hub off, for the whole account and with their findings. Otherwise it is refused, and nothing of this is touched."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags of everything that can carry them, besides the provider's default_tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
