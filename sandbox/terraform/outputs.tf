output "interactions_url" {
  description = "As of the module."
  value       = module.cordon.interactions_url
}

output "cluster_name" {
  description = "As of the module."
  value       = module.cordon.cluster_name
}

output "operator_environment" {
  description = "As of the module."
  value       = module.cordon.operator_environment
}

output "operator_policy_arn" {
  description = "As of the module."
  value       = module.cordon.operator_policy_arn
}

output "worker_role_name" {
  description = "As of the module."
  value       = module.cordon.worker_role_name
}

output "gateway_role_name" {
  description = "As of the module."
  value       = module.cordon.gateway_role_name
}

output "mover_role_name" {
  description = "As of the module."
  value       = module.cordon.mover_role_name
}

output "restorer_role_name" {
  description = "As of the module."
  value       = module.cordon.restorer_role_name
}

output "slack_secret_arn" {
  description = "As of the module."
  value       = module.cordon.slack_secret_arn
}

output "state_machine_arns" {
  description = "As of the module."
  value       = module.cordon.state_machine_arns
}

output "activity_arns" {
  description = "As of the module."
  value       = module.cordon.activity_arns
}

output "operators_topic_arn" {
  description = "As of the module."
  value       = module.cordon.operators_topic_arn
}

output "dead_letter_queue_url" {
  description = "As of the module."
  value       = module.cordon.dead_letter_queue_url
}

output "quarantine_bucket" {
  description = "As of the module."
  value       = module.cordon.quarantine_bucket
}

output "state_bucket" {
  description = "As of the module."
  value       = module.cordon.state_bucket
}

output "cases_table" {
  description = "As of the module."
  value       = module.cordon.cases_table
}

output "exposures_table" {
  description = "As of the module."
  value       = module.cordon.exposures_table
}

output "analyzer_arn" {
  description = "As of the activation module."
  value       = module.activation.analyzer_arn
}
