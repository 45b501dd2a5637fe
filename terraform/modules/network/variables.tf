variable "name" {
  description = "What the names of the network's parts start with."
  type        = string
}

variable "cidr_block" {
  description = "Addresses of the VPC, of which each subnet gets a quarter."
  type        = string
}

variable "tags" {
  description = "Tags of everything that can carry them, besides the provider's default_tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
