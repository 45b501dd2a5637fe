# Keys that are there already. A state of its own: where keys were made, they stay.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  image              = "111122223333.dkr.ecr.us-east-1.amazonaws.com/cordon@sha256:0f1d2c3b4a5968778695a4b3c2d1e0ff0f1d2c3b4a5968778695a4b3c2d1e0ff"
  network            = { kind = "existing", vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"] }
  analyzer_arn       = "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/cordon"
  slack_app_id       = "A0CORDON01"
  slack_team_id      = "T0CORDON01"
  slack_channel      = "C0SECURITY"
  fallback_approvers = ["U0ALICE001", "U0BOB00002"]
}

run "uses_keys_that_are_there" {
  variables {
    data_key_arn       = "arn:aws:kms:us-east-1:111122223333:key/aaaaaaaa-0000-4000-8000-000000000000"
    quarantine_key_arn = "arn:aws:kms:us-east-1:111122223333:key/bbbbbbbb-0000-4000-8000-000000000000"
  }

  assert {
    condition     = length(aws_kms_key.data) == 0 && length(aws_kms_key.quarantine) == 0 && length(aws_kms_alias.data) == 0 && length(aws_kms_alias.quarantine) == 0
    error_message = "A key is made beside the one that is given."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this["quarantine"].rule).apply_server_side_encryption_by_default).kms_master_key_id == var.quarantine_key_arn && output.quarantine_key_arn == var.quarantine_key_arn
    error_message = "The quarantine is under another key."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.worker.statement : statement.resources == toset([var.data_key_arn]) if statement.sid == "OpenEncryptedRecordsAndState"])
    error_message = "The worker may use another key."
  }
}

# The last, so that what was made for these tests can be taken down.
run "is_taken_down" {
  variables {
    deletion_protection = false
  }
}
