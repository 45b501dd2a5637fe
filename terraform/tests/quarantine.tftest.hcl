# Who gets at what is in quarantine, and what moves may do outside it.

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

run "nobody_reads_or_purges_who_is_not_named" {
  assert {
    condition     = length(aws_iam_role.investigator) == 0 && length(aws_iam_role.purger) == 0
    error_message = "There is a role that nobody asked for."
  }

  assert {
    condition = output.operator_environment == tomap({
      CORDON_ACCOUNT_ID          = "111122223333"
      CORDON_ANALYZER_ARN        = "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/cordon"
      CORDON_APPROVALS_QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/111122223333/cordon-approvals"
      CORDON_BUCKETS             = "*"
      CORDON_CASES_TABLE         = "cordon-cases"
      CORDON_CLUSTER             = "cordon"
      CORDON_EVENT_RULES         = "cordon-access-findings,cordon-ended-runs,cordon-failed-deployments,cordon-failed-runs,cordon-macie-findings,cordon-slack-refuses,cordon-unusable-policy"
      CORDON_EXPOSURES_TABLE     = "cordon-exposures"
      CORDON_FALLBACK_APPROVERS  = "U0ALICE001,U0BOB00002"
      CORDON_GATEWAY_URL         = "https://api123.execute-api.us-east-1.amazonaws.com"
      CORDON_POLICY_KEY          = "policy.json"
      CORDON_PROTECTED_BUCKETS   = "*-audit-111122223333*,*-quarantine-111122223333*,*-state-111122223333*,*access-log*,*accesslog*,*aws-config*,*cloudtrail*,*terraform-state*,*tf-state*,*tfstate*,aws-cloudtrail-logs-*,aws-controltower-*,config-bucket-*"
      CORDON_PURGES_QUEUE_URL    = "https://sqs.us-east-1.amazonaws.com/111122223333/cordon-purges"
      CORDON_QUARANTINE_BUCKET   = "cordon-quarantine-111122223333-us-east-1"
      CORDON_RESTORES_QUEUE_URL  = "https://sqs.us-east-1.amazonaws.com/111122223333/cordon-restores"
      CORDON_SLACK_APP_ID        = "A0CORDON01"
      CORDON_SLACK_CHANNEL       = "C0SECURITY"
      CORDON_SLACK_SECRET_ARN    = "arn:aws:secretsmanager:us-east-1:111122223333:secret:cordon/slack-AbCdEf"
      CORDON_SLACK_TEAM_ID       = "T0CORDON01"
      CORDON_STATE_BUCKET        = "cordon-state-111122223333-us-east-1"
      CORDON_STATE_MACHINE_ARNS  = join(",", [for stem in ["access_finding_intake", "exposure_cycle", "finding_response", "object_restore"] : "arn:aws:states:us-east-1:111122223333:stateMachine:cordon-${stem}"])
    })
    error_message = "The operator's settings differ from what the commands read."
  }

  # Every access to an object there is logged, where nobody but CloudTrail writes.

  assert {
    condition = toset([for selector in one(aws_cloudtrail.quarantine[0].advanced_event_selector).field_selector : "${selector.field} ${join("", concat(coalesce(selector.equals, []), coalesce(selector.starts_with, [])))}"]) == toset([
      "eventCategory Data",
      "resources.ARN ${aws_s3_bucket.this["quarantine"].arn}/",
      "resources.type AWS::S3::Object",
    ])
    error_message = "Access to what is in quarantine is not logged."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.audit_bucket[0].statement : one(statement.principals).identifiers if statement.effect != "Deny"] == [toset(["cloudtrail.amazonaws.com"]), toset(["cloudtrail.amazonaws.com"])]
    error_message = "Somebody besides CloudTrail may write to the log of the quarantine."
  }

  # A Deny without a condition is for everybody.
  assert {
    condition = { for statement in data.aws_iam_policy_document.quarantine_bucket.statement :
      statement.sid => {
        actions = statement.actions
        but     = flatten([for condition in statement.condition : tolist(condition.values)])
      } if statement.sid != "OnlyOverTls"
      } == {
      OnlyMoverRestorerAndInvestigatorRead = {
        actions = toset(["s3:GetObject*"])
        but     = ["arn:aws:iam::111122223333:role/cordon-mover-us-east-1", "arn:aws:iam::111122223333:role/cordon-restorer-us-east-1"]
      }
      OnlyTheMoverWrites = {
        actions = toset(["s3:AbortMultipartUpload", "s3:PutObject*", "s3:ReplicateObject"])
        but     = ["arn:aws:iam::111122223333:role/cordon-mover-us-east-1"]
      }
      OnlyWhoAppliesSetsLifecycles = {
        actions = toset(["s3:PutLifecycleConfiguration"])
        but     = [data.aws_iam_session_context.current.issuer_arn]
      }
      NobodyDeletesManifests = {
        actions = toset(["s3:DeleteObject*"])
        but     = []
      }
      OnlyThePurgerDeletes = {
        actions = toset(["s3:DeleteObject*"])
        but     = []
      }
    }
    error_message = "Without investigators and purgers the bucket lets somebody in, or keeps the mover or the restorer out."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.quarantine_bucket.statement : statement.effect == "Deny" && one(statement.principals).type == "*"])
    error_message = "The bucket's policy grants something, or refuses it to some only."
  }

  # Evidence does not expire.
  assert {
    condition = alltrue([for lifecycle in aws_s3_bucket_lifecycle_configuration.this :
      lifecycle.rule[0].status == "Enabled"
      && one(lifecycle.rule[0].abort_incomplete_multipart_upload).days_after_initiation == 7
      && length(lifecycle.rule[0].expiration) == 0
      && length(lifecycle.rule[0].noncurrent_version_expiration) == 0
    ])
    error_message = "A bucket keeps abandoned uploads, or does not keep objects or their older versions."
  }

  assert {
    condition = (
      length(aws_s3_bucket_lifecycle_configuration.this["quarantine"].rule) == 1
      && [for rule in aws_s3_bucket_lifecycle_configuration.this["state"].rule : [one(rule.filter).prefix, one(rule.expiration).days, one(rule.noncurrent_version_expiration).noncurrent_days] if length(rule.expiration) > 0] == [["cycles/", 90, 1]]
    )
    error_message = "Something else than old cycles expires."
  }
}

run "moves_keep_to_their_side" {
  assert {
    condition = alltrue(flatten([for statement in data.aws_iam_policy_document.restorer.statement : [for action in statement.actions :
      !startswith(action, "s3:Delete") || statement.effect == "Deny"
    ]]))
    error_message = "The restorer may delete."
  }

  assert {
    condition = [for statement in data.aws_iam_policy_document.restorer.statement : statement.resources
      if statement.effect == "Deny" && statement.actions == toset(["s3:DeleteObject", "s3:DeleteObjectVersion"])
    ] == [toset(["arn:aws:s3:::*/*"])]
    error_message = "A bucket could let the restorer delete."
  }

  # Whatever it may write elsewhere it is refused there.
  assert {
    condition = [for statement in data.aws_iam_policy_document.restorer.statement : { actions = statement.actions, resources = statement.resources }
      if statement.effect == "Deny" && contains(statement.actions, "s3:PutObject")
      ] == [{
        actions = toset(flatten([for statement in data.aws_iam_policy_document.restorer.statement : [for action in statement.actions : action
          if statement.effect != "Deny" && can(regex("^s3:(Put|Abort)", action))
        ]]))
        resources = toset([for part in ["audit", "quarantine", "state"] : "arn:aws:s3:::cordon-${part}-111122223333-us-east-1/*"])
    }]
    error_message = "The restorer may write to Cordon's own buckets."
  }

  assert {
    condition = toset(flatten([for statement in data.aws_iam_policy_document.mover.statement : tolist(statement.resources)
      if statement.effect != "Deny" && length([for action in statement.actions : action if can(regex("^s3:(Put|Abort)", action))]) > 0
    ])) == toset(["arn:aws:s3:::cordon-quarantine-111122223333-us-east-1/111122223333/$${aws:PrincipalTag/CordonBucket}/$${aws:PrincipalTag/CordonCase}/*"])
    error_message = "The mover may write outside the quarantine, or to another case's place there."
  }

  assert {
    condition = toset(flatten([for statement in data.aws_iam_policy_document.mover.statement : tolist(statement.resources)
      if statement.effect == "Deny" && contains(statement.actions, "s3:DeleteObject") && contains(statement.actions, "s3:DeleteObjectVersion")
    ])) == toset([for part in ["audit", "quarantine", "state"] : "arn:aws:s3:::cordon-${part}-111122223333-us-east-1/*"])
    error_message = "The mover may delete in Cordon's own buckets."
  }

  # Any bucket, but of this account.
  assert {
    condition = alltrue([for statement in concat(
      data.aws_iam_policy_document.mover.statement,
      data.aws_iam_policy_document.restorer.statement,
      ) : [for condition in statement.condition : { variable = condition.variable, values = condition.values }] == [{ variable = "aws:ResourceAccount", values = tolist(["111122223333"]) }]
      if statement.effect != "Deny" && anytrue([for resource in statement.resources : startswith(resource, "arn:aws:s3:::$${aws:PrincipalTag")])
    ])
    error_message = "The mover or the restorer may reach into another account."
  }

  assert {
    condition = alltrue([for statement in concat(
      data.aws_iam_policy_document.gateway.statement,
      data.aws_iam_policy_document.investigator.statement,
      data.aws_iam_policy_document.operator.statement,
      data.aws_iam_policy_document.worker.statement,
    ) : length([for action in statement.actions : action if startswith(action, "s3:Delete")]) == 0])
    error_message = "A role besides mover and purger may delete objects."
  }

  assert {
    condition = alltrue(flatten([for statement in concat(
      data.aws_iam_policy_document.investigator.statement,
      data.aws_iam_policy_document.purger.statement,
    ) : [for resource in statement.resources : startswith(resource, "arn:aws:s3:::cordon-quarantine-111122223333-us-east-1") || resource == local.quarantine_key_arn]]))
    error_message = "The investigator or the purger reaches outside the quarantine."
  }

  assert {
    condition     = alltrue(flatten([for statement in data.aws_iam_policy_document.investigator.statement : [for action in statement.actions : can(regex("^(s3:Get|s3:List|kms:Decrypt$)", action))]]))
    error_message = "The investigator may change something."
  }

  assert {
    condition     = toset(flatten([for statement in data.aws_iam_policy_document.purger.statement : tolist(statement.actions)])) == toset(["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucketVersions"])
    error_message = "The purger may do more, or less, than find and remove versions."
  }

  # Everybody who reads policies lists their versions, and nothing else of the state bucket.
  assert {
    condition = alltrue(flatten([for document in [
      data.aws_iam_policy_document.gateway,
      data.aws_iam_policy_document.operator,
      data.aws_iam_policy_document.worker,
      ] : [
      for statement in document.statement : statement.resources == toset([aws_s3_bucket.this["state"].arn])
      && flatten([for condition in statement.condition : concat([condition.test, condition.variable], condition.values)]) == ["StringEquals", "s3:prefix", "policy.json"]
      if contains(statement.actions, "s3:ListBucketVersions")
    ]]))
    error_message = "More than the versions of the policy can be listed."
  }

  # People ask, and the worker records.
  assert {
    condition = toset(flatten([for statement in data.aws_iam_policy_document.operator.statement : [for action in statement.actions : action
      if !can(regex("^[a-z0-9-]+:(BatchGet|Describe|Get|List|Query)|^kms:(Decrypt|GenerateDataKey)$", action))
    ]])) == toset(["dynamodb:DeleteItem", "dynamodb:PutItem", "sqs:SendMessage"])
    error_message = "An operator may change something without the worker, beside the pause."
  }

  assert {
    condition = [for statement in data.aws_iam_policy_document.operator.statement : statement.resources if contains(statement.actions, "sqs:SendMessage")
    ] == [toset(["arn:aws:sqs:us-east-1:111122223333:cordon-approvals", "arn:aws:sqs:us-east-1:111122223333:cordon-restores"])]
    error_message = "An operator may ask for purges, or for nothing."
  }

  assert {
    condition = [for statement in data.aws_iam_policy_document.gateway.statement : statement.resources if contains(statement.actions, "sqs:SendMessage")
      ] == [toset(["arn:aws:sqs:us-east-1:111122223333:cordon-restores"])] && !anytrue(flatten([for statement in data.aws_iam_policy_document.gateway.statement : [for action in statement.actions : action == "states:StartExecution"]
    ]))
    error_message = "The gateway may ask for more than restores, or start one."
  }

  assert {
    condition     = alltrue([for kind, document in data.aws_iam_policy_document.requests : alltrue([for statement in document.statement : statement.effect == "Deny"])])
    error_message = "A queue lets somebody send whom nobody has named."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.requests["purges"].statement : length(statement.condition) if statement.sid == "OnlyPurgersAsk"] == [0]
    error_message = "Without purgers somebody may ask for a purge."
  }

  # Pausing is one item: with it nobody removes a case.
  assert {
    condition = [for statement in data.aws_iam_policy_document.operator.statement : flatten([for condition in statement.condition : concat([condition.test, condition.variable], condition.values)])
      if contains(statement.actions, "dynamodb:DeleteItem") || contains(statement.actions, "dynamodb:PutItem")
    ] == [["ForAllValues:StringEquals", "dynamodb:LeadingKeys", "pause"]]
    error_message = "An operator may replace or remove a case."
  }
}

run "named_people_read_and_purge" {
  variables {
    investigators = ["arn:aws:iam::111122223333:user/carol"]
    purgers       = ["arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Security_0123456789abcdef"]
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.investigator_trust[0].statement).principals).identifiers == toset(var.investigators)
    error_message = "Somebody else may become the investigator."
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.purger_trust[0].statement).principals).identifiers == toset(var.purgers)
    error_message = "Somebody else may become the purger."
  }

  assert {
    condition = jsonencode({ for kind, document in data.aws_iam_policy_document.requests : kind => flatten([for statement in document.statement : [for principal in statement.principals : tolist(principal.identifiers)] if statement.effect != "Deny"])
    }) == jsonencode({ approvals = [], purges = var.purgers, restores = [] })
    error_message = "Others than the purgers may ask for purges, or they may not."
  }

  assert {
    condition     = jsonencode(flatten([for statement in data.aws_iam_policy_document.requests["purges"].statement : [for condition in statement.condition : [condition.test, condition.variable, condition.values]] if statement.sid == "OnlyPurgersAsk"])) == jsonencode(concat(["ArnNotEquals", "aws:PrincipalArn"], var.purgers))
    error_message = "An IAM policy alone lets somebody ask for purges."
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.quarantine_bucket.statement :
      statement.sid => flatten([for condition in statement.condition : tolist(condition.values)]) if statement.sid != "OnlyOverTls"
      } == {
      OnlyMoverRestorerAndInvestigatorRead = [
        "arn:aws:iam::111122223333:role/cordon-mover-us-east-1",
        "arn:aws:iam::111122223333:role/cordon-restorer-us-east-1",
        "arn:aws:iam::111122223333:role/cordon-investigator-us-east-1",
      ]
      OnlyTheMoverWrites           = ["arn:aws:iam::111122223333:role/cordon-mover-us-east-1"]
      OnlyWhoAppliesSetsLifecycles = [data.aws_iam_session_context.current.issuer_arn]
      NobodyDeletesManifests       = []
      OnlyThePurgerDeletes         = ["arn:aws:iam::111122223333:role/cordon-purger-us-east-1"]
    }
    error_message = "The bucket lets in somebody else, or keeps out those who are named."
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.quarantine_key.statement :
      statement.sid => { actions = statement.actions, by = one(statement.principals).identifiers } if contains(statement.actions, "kms:Decrypt")
      } == {
      MoverReadsAndWrites         = { actions = toset(["kms:Decrypt", "kms:GenerateDataKey"]), by = toset(["arn:aws:iam::111122223333:role/cordon-mover-us-east-1"]) }
      RestorerAndInvestigatorRead = { actions = toset(["kms:Decrypt"]), by = toset(["arn:aws:iam::111122223333:role/cordon-restorer-us-east-1", "arn:aws:iam::111122223333:role/cordon-investigator-us-east-1"]) }
    }
    error_message = "The key opens for somebody else, or not for those who read."
  }

  assert {
    condition = (
      output.operator_environment["CORDON_INVESTIGATOR_ROLE_ARN"] == "arn:aws:iam::111122223333:role/cordon-investigator-us-east-1"
      && output.operator_environment["CORDON_PURGER_ROLE_ARN"] == "arn:aws:iam::111122223333:role/cordon-purger-us-east-1"
    )
    error_message = "The commands do not learn of the roles."
  }
}

run "opens_the_keys_of_other_accounts_that_are_named" {
  variables {
    source_kms_key_arns = ["arn:aws:kms:us-east-1:999988887777:key/12345678-1234-1234-1234-123456789012"]
  }

  assert {
    condition = alltrue([for statement in concat(data.aws_iam_policy_document.mover.statement, data.aws_iam_policy_document.restorer.statement) :
      contains(statement.resources, var.source_kms_key_arns[0]) if contains(["DecryptAtTheSource", "EncryptAtTheSource"], statement.sid)
    ])
    error_message = "The mover or the restorer may not use a key that is named."
  }
}

run "refuses_an_alias_for_a_key" {
  command = plan

  variables {
    source_kms_key_arns = ["arn:aws:kms:us-east-1:999988887777:alias/data"]
  }

  expect_failures = [var.source_kms_key_arns]
}

# The last, so that what was made for these tests can be taken down.
run "is_taken_down" {
  variables {
    deletion_protection = false
  }
}
