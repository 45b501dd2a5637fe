output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "subnet_ids" {
  description = "Its public subnets, in two zones."
  value       = [for subnet in aws_subnet.public : subnet.id]

  # A task that starts before there is a way out cannot pull its image.
  depends_on = [aws_route.internet, aws_route_table_association.public]
}
