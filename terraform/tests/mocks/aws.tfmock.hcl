# Stands in for AWS: what the provider would learn from it. The provider itself checks the shape of many ARNs, so the
# invented ones are well formed. Over 400 lines: a mock provider is one file.

mock_data "aws_caller_identity" {
  defaults = {
    arn        = "arn:aws:sts::111122223333:assumed-role/deployer/session"
    account_id = "111122223333"
  }
}

mock_data "aws_partition" {
  defaults = {
    partition = "aws"
  }
}

mock_data "aws_region" {
  defaults = {
    id = "us-east-1"
  }
}

mock_data "aws_iam_policy_document" {
  defaults = {
    json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  }
}

# What AWS would name things.

override_resource {
  target = aws_sns_topic.operators
  values = {
    arn = "arn:aws:sns:us-east-1:111122223333:cordon-operators"
  }
}

override_resource {
  target = aws_sqs_queue.dead_letters
  values = {
    arn = "arn:aws:sqs:us-east-1:111122223333:cordon-dead-letters"
  }
}

override_resource {
  target = aws_sqs_queue.requests["approvals"]
  values = {
    id  = "https://sqs.us-east-1.amazonaws.com/111122223333/cordon-approvals"
    arn = "arn:aws:sqs:us-east-1:111122223333:cordon-approvals"
  }
}

override_resource {
  target = aws_sqs_queue.requests["restores"]
  values = {
    id  = "https://sqs.us-east-1.amazonaws.com/111122223333/cordon-restores"
    arn = "arn:aws:sqs:us-east-1:111122223333:cordon-restores"
  }
}

override_resource {
  target = aws_sqs_queue.requests["purges"]
  values = {
    id  = "https://sqs.us-east-1.amazonaws.com/111122223333/cordon-purges"
    arn = "arn:aws:sqs:us-east-1:111122223333:cordon-purges"
  }
}

override_resource {
  target = aws_dynamodb_table.cases
  values = {
    arn = "arn:aws:dynamodb:us-east-1:111122223333:table/cordon-cases"
  }
}

override_resource {
  target = aws_dynamodb_table.exposures
  values = {
    arn = "arn:aws:dynamodb:us-east-1:111122223333:table/cordon-exposures"
  }
}

override_resource {
  target = aws_kms_key.data
  values = {
    arn = "arn:aws:kms:us-east-1:111122223333:key/11111111-1111-4111-8111-111111111111"
  }
}

override_resource {
  target = aws_kms_key.quarantine
  values = {
    arn = "arn:aws:kms:us-east-1:111122223333:key/22222222-2222-4222-8222-222222222222"
  }
}

override_resource {
  target = aws_kms_key.mac
  values = {
    arn = "arn:aws:kms:us-east-1:111122223333:key/33333333-3333-4333-8333-333333333333"
  }
}

override_resource {
  target = aws_scheduler_schedule_group.this
  values = {
    arn = "arn:aws:scheduler:us-east-1:111122223333:schedule-group/cordon"
  }
}

override_resource {
  target = aws_secretsmanager_secret.slack
  values = {
    arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:cordon/slack-AbCdEf"
  }
}

override_resource {
  target = aws_s3_bucket.this["audit"]
  values = {
    arn = "arn:aws:s3:::cordon-audit-111122223333-us-east-1"
    id  = "cordon-audit-111122223333-us-east-1"
  }
}

override_resource {
  target = aws_s3_bucket.this["quarantine"]
  values = {
    arn = "arn:aws:s3:::cordon-quarantine-111122223333-us-east-1"
    id  = "cordon-quarantine-111122223333-us-east-1"
  }
}

override_resource {
  target = aws_s3_bucket.this["state"]
  values = {
    arn = "arn:aws:s3:::cordon-state-111122223333-us-east-1"
    id  = "cordon-state-111122223333-us-east-1"
  }
}

override_resource {
  target = aws_iam_role.worker
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-worker-us-east-1"
    id  = "cordon-worker-us-east-1"
  }
}

override_resource {
  target = aws_iam_role.gateway
  values = {
    arn       = "arn:aws:iam::111122223333:role/cordon-gateway-us-east-1"
    id        = "cordon-gateway-us-east-1"
    unique_id = "AROAGATEWAY0000000000"
  }
}

override_resource {
  target = aws_iam_role.mover
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-mover-us-east-1"
    id  = "cordon-mover-us-east-1"
  }
}

override_resource {
  target = aws_iam_role.restorer
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-restorer-us-east-1"
    id  = "cordon-restorer-us-east-1"
  }
}

override_resource {
  target = aws_iam_role.investigator
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-investigator-us-east-1"
    id  = "cordon-investigator-us-east-1"
  }
}

override_resource {
  target = aws_iam_role.purger
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-purger-us-east-1"
    id  = "cordon-purger-us-east-1"
  }
}

override_resource {
  target = aws_iam_policy.operator
  values = {
    arn = "arn:aws:iam::111122223333:policy/cordon-operator-us-east-1"
  }
}

override_resource {
  target = aws_iam_role.events
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-events-us-east-1"
    id  = "cordon-events-us-east-1"
  }
}

override_resource {
  target = aws_iam_role.scheduler
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-scheduler-us-east-1"
    id  = "cordon-scheduler-us-east-1"
  }
}

override_resource {
  target = aws_iam_role.state_machine["finding_response"]
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-finding_response"
    id  = "cordon-finding_response"
  }
}

override_resource {
  target = aws_sfn_state_machine.this["finding_response"]
  values = {
    arn = "arn:aws:states:us-east-1:111122223333:stateMachine:cordon-finding_response"
  }
}

override_resource {
  target = aws_cloudwatch_log_group.state_machine["finding_response"]
  values = {
    arn = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/vendedlogs/states/cordon-finding_response"
  }
}

override_resource {
  target = aws_iam_role.state_machine["access_finding_intake"]
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-access_finding_intake"
    id  = "cordon-access_finding_intake"
  }
}

override_resource {
  target = aws_sfn_state_machine.this["access_finding_intake"]
  values = {
    arn = "arn:aws:states:us-east-1:111122223333:stateMachine:cordon-access_finding_intake"
  }
}

override_resource {
  target = aws_cloudwatch_log_group.state_machine["access_finding_intake"]
  values = {
    arn = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/vendedlogs/states/cordon-access_finding_intake"
  }
}

override_resource {
  target = aws_iam_role.state_machine["exposure_cycle"]
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-exposure_cycle"
    id  = "cordon-exposure_cycle"
  }
}

override_resource {
  target = aws_sfn_state_machine.this["exposure_cycle"]
  values = {
    arn = "arn:aws:states:us-east-1:111122223333:stateMachine:cordon-exposure_cycle"
  }
}

override_resource {
  target = aws_cloudwatch_log_group.state_machine["exposure_cycle"]
  values = {
    arn = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/vendedlogs/states/cordon-exposure_cycle"
  }
}

override_resource {
  target = aws_iam_role.state_machine["object_restore"]
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-object_restore"
    id  = "cordon-object_restore"
  }
}

override_resource {
  target = aws_sfn_state_machine.this["object_restore"]
  values = {
    arn = "arn:aws:states:us-east-1:111122223333:stateMachine:cordon-object_restore"
  }
}

override_resource {
  target = aws_cloudwatch_log_group.state_machine["object_restore"]
  values = {
    arn = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/vendedlogs/states/cordon-object_restore"
  }
}

override_resource {
  target = aws_sfn_activity.this["triage_finding"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-triage_finding"
  }
}

override_resource {
  target = aws_sfn_activity.this["post_approval"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-post_approval"
  }
}

override_resource {
  target = aws_sfn_activity.this["advance_round"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-advance_round"
  }
}

override_resource {
  target = aws_sfn_activity.this["quarantine_object"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-quarantine_object"
  }
}

override_resource {
  target = aws_sfn_activity.this["rescan_object"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-rescan_object"
  }
}

override_resource {
  target = aws_sfn_activity.this["restore_object"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-restore_object"
  }
}

override_resource {
  target = aws_sfn_activity.this["report_outcome"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-report_outcome"
  }
}

override_resource {
  target = aws_sfn_activity.this["record_access_finding"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-record_access_finding"
  }
}

override_resource {
  target = aws_sfn_activity.this["sync_access_findings"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-sync_access_findings"
  }
}

override_resource {
  target = aws_sfn_activity.this["sweep_findings"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-sweep_findings"
  }
}

override_resource {
  target = aws_sfn_activity.this["plan_scans"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-plan_scans"
  }
}

override_resource {
  target = aws_sfn_activity.this["start_scan"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-start_scan"
  }
}

override_resource {
  target = aws_sfn_activity.this["report_exposures"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-report_exposures"
  }
}

override_resource {
  target = aws_sfn_activity.this["close_cycle"]
  values = {
    id = "arn:aws:states:us-east-1:111122223333:activity:cordon-close_cycle"
  }
}

# A rendered policy is its document's name here, so that a test can follow which role was given which document.

override_data {
  target = data.aws_iam_policy_document.data_key
  values = {
    json = "{\"Id\":\"data_key\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.quarantine_key
  values = {
    json = "{\"Id\":\"quarantine_key\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.state_bucket
  values = {
    json = "{\"Id\":\"state_bucket\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.quarantine_bucket
  values = {
    json = "{\"Id\":\"quarantine_bucket\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.dead_letters
  values = {
    json = "{\"Id\":\"dead_letters\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.operators
  values = {
    json = "{\"Id\":\"operators\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.every_state_machine
  values = {
    json = "{\"Id\":\"every_state_machine\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.access_finding_intake
  values = {
    json = "{\"Id\":\"access_finding_intake\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.finding_response
  values = {
    json = "{\"Id\":\"finding_response\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.object_restore
  values = {
    json = "{\"Id\":\"object_restore\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.exposure_cycle
  values = {
    json = "{\"Id\":\"exposure_cycle\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.events
  values = {
    json = "{\"Id\":\"events\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.events_trust
  values = {
    json = "{\"Id\":\"events_trust\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.execution
  values = {
    json = "{\"Id\":\"execution\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.scheduler
  values = {
    json = "{\"Id\":\"scheduler\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.scheduler_trust
  values = {
    json = "{\"Id\":\"scheduler_trust\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.task_trust
  values = {
    json = "{\"Id\":\"task_trust\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.worker
  values = {
    json = "{\"Id\":\"worker\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.gateway
  values = {
    json = "{\"Id\":\"gateway\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.mover
  values = {
    json = "{\"Id\":\"mover\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.mover_trust
  values = {
    json = "{\"Id\":\"mover_trust\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.restorer
  values = {
    json = "{\"Id\":\"restorer\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.restorer_trust
  values = {
    json = "{\"Id\":\"restorer_trust\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.investigator
  values = {
    json = "{\"Id\":\"investigator\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.investigator_trust
  values = {
    json = "{\"Id\":\"investigator_trust\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.purger
  values = {
    json = "{\"Id\":\"purger\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.purger_trust
  values = {
    json = "{\"Id\":\"purger_trust\"}"
  }
}

override_data {
  target = data.aws_iam_policy_document.operator
  values = {
    json = "{\"Id\":\"operator\"}"
  }
}

override_resource {
  target = aws_iam_role.execution
  values = {
    arn = "arn:aws:iam::111122223333:role/cordon-execution"
    id  = "cordon-execution"
  }
}

override_resource {
  target = aws_ecs_cluster.this
  values = {
    arn = "arn:aws:ecs:us-east-1:111122223333:cluster/cordon"
    id  = "arn:aws:ecs:us-east-1:111122223333:cluster/cordon"
  }
}

override_resource {
  target = aws_ecs_task_definition.this["worker"]
  values = {
    arn = "arn:aws:ecs:us-east-1:111122223333:task-definition/cordon-worker:1"
  }
}

override_resource {
  target = aws_ecs_task_definition.this["gateway"]
  values = {
    arn = "arn:aws:ecs:us-east-1:111122223333:task-definition/cordon-gateway:1"
  }
}

override_resource {
  target = aws_service_discovery_service.gateway
  values = {
    arn = "arn:aws:servicediscovery:us-east-1:111122223333:service/srv-gateway"
  }
}

override_resource {
  target = aws_apigatewayv2_api.slack
  values = {
    id           = "api123"
    api_endpoint = "https://api123.execute-api.us-east-1.amazonaws.com"
  }
}

override_resource {
  target = aws_cloudwatch_log_group.access
  values = {
    arn = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/vendedlogs/apis/cordon"
  }
}

override_resource {
  target = aws_cloudwatch_log_group.service["worker"]
  values = {
    arn = "arn:aws:logs:us-east-1:111122223333:log-group:/cordon/worker"
  }
}

override_resource {
  target = aws_cloudwatch_log_group.service["gateway"]
  values = {
    arn = "arn:aws:logs:us-east-1:111122223333:log-group:/cordon/gateway"
  }
}

mock_data "aws_iam_session_context" {
  defaults = {
    issuer_arn = "arn:aws:iam::111122223333:role/deployer"
  }
}
