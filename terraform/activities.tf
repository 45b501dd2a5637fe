resource "aws_sfn_activity" "this" {
  for_each = local.activities

  name = "${var.name_prefix}-${each.key}"

  # What a task is asked for has object keys in it.
  encryption_configuration {
    type                              = "CUSTOMER_MANAGED_KMS_KEY"
    kms_key_id                        = local.data_key_arn
    kms_data_key_reuse_period_seconds = 300
  }

  tags = var.tags

  # AWS changes no activity's encryption, and the provider would say with every plan that it is about to.
  lifecycle {
    replace_triggered_by = [terraform_data.activity_key]
  }
}

resource "terraform_data" "activity_key" {
  input = local.data_key_arn
}
