resource "aws_sfn_activity" "this" {
  for_each = local.activities

  name = "${var.name_prefix}-${each.key}"
}
