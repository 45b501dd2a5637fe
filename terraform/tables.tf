locals {
  # workers/cordon/src/store/keys.rs says what each holds.
  case_indexes = {
    by_bucket   = { hash_key = "bucket", range_key = "opened_at" }
    by_short_id = { hash_key = "short_id", range_key = null }
    open        = { hash_key = "is_open", range_key = "open_since" }
    quarantined = { hash_key = "is_quarantined", range_key = "quarantined_at" }
    slack_due   = { hash_key = "slack_due", range_key = "slack_due_at" }
    waiting     = { hash_key = "is_waiting", range_key = "waiting_since" }
  }
}

resource "aws_dynamodb_table" "cases" {
  name                        = "${var.name_prefix}-cases"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = toset(concat(["id"], flatten([for index in values(local.case_indexes) : compact([index.hash_key, index.range_key])])))

    content {
      name = attribute.value
      type = "S"
    }
  }

  # Sparse: an item has the attributes only while it belongs in the index, and a change that concerns none of them costs
  # no write there.
  dynamic "global_secondary_index" {
    for_each = local.case_indexes

    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value.hash_key
      range_key       = global_secondary_index.value.range_key
      projection_type = "KEYS_ONLY"
    }
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
    kms_key_arn = local.data_key_arn
  }

  tags = var.tags
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
    kms_key_arn = local.data_key_arn
  }

  tags = var.tags
}
