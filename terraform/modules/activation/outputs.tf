output "analyzer_arn" {
  description = "ARN of the analyzer, or null when none was created."
  value       = one(aws_accessanalyzer_analyzer.this[*].arn)
}
