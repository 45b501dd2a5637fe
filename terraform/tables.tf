resource "aws_dynamodb_table" "cases" {
  name                        = "${var.name_prefix}-cases"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "case_id"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "case_id"
    type = "S"
  }

  attribute {
    name = "status"
    type = "S"
  }

  attribute {
    name = "opened_at"
    type = "S"
  }

  attribute {
    name = "render_due"
    type = "S"
  }

  attribute {
    name = "render_due_at"
    type = "S"
  }

  global_secondary_index {
    name            = "by_status"
    hash_key        = "status"
    range_key       = "opened_at"
    projection_type = "ALL"
  }

  # Sparse: only a case whose Slack message is behind its record has the attribute.
  global_secondary_index {
    name            = "render_due"
    hash_key        = "render_due"
    range_key       = "render_due_at"
    projection_type = "ALL"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.data.arn
  }
}

resource "aws_dynamodb_table" "exposures" {
  name                        = "${var.name_prefix}-exposures"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "bucket_arn"
  range_key                   = "item"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "bucket_arn"
    type = "S"
  }

  attribute {
    name = "item"
    type = "S"
  }

  attribute {
    name = "due"
    type = "S"
  }

  attribute {
    name = "due_at"
    type = "S"
  }

  # Sparse: only what the next cycle must look at has the attribute.
  global_secondary_index {
    name            = "due"
    hash_key        = "due"
    range_key       = "due_at"
    projection_type = "ALL"
  }

  # Only tidies: every expiry is checked in code, for DynamoDB may be days late.
  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.data.arn
  }
}
