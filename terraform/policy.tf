# Each case pins the version id of the policy that decided it, so the object must be versioned before it is written.
resource "aws_s3_object" "policy" {
  bucket       = aws_s3_bucket_versioning.this["state"].bucket
  key          = local.policy_key
  content      = jsonencode(local.policy)
  content_type = "application/json"

  depends_on = [aws_s3_bucket_server_side_encryption_configuration.this]
}
