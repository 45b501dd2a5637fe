# Each case pins the version id of the policy that decided it, so the object must be versioned before it is written.
resource "aws_s3_object" "policy" {
  bucket       = aws_s3_bucket_versioning.this["state"].bucket
  key          = local.policy_key
  content      = jsonencode(local.policy)
  content_type = "application/json"

  # Who writes it past Terraform writes none of this, or another sum: the next plan shows it, and the worker tells operators.
  metadata = { sha256 = sha256(jsonencode(local.policy)) }

  # S3 takes at most ten tags for an object, and an account may have more for everything.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  # Whoever applies for the first time is let in before the object is written.
  depends_on = [aws_s3_bucket_policy.state, aws_s3_bucket_server_side_encryption_configuration.this]
}
