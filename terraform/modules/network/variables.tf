variable "name" {
  description = "What the names of the network's parts start with."
  type        = string
}

variable "cidr_block" {
  description = "Addresses of the VPC, of which each subnet gets a quarter."
  type        = string
}
