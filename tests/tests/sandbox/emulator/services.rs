//! ECS services and the HTTP API in front of them: what the emulator schedules and the sandbox runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cordon_sandbox::ecs;
use serde_json::{Value, json};

use super::harness::{eventually, in_bare_sandbox, role, root, sandbox, unique};

async fn ecs_call(operation: &str, request: Value) -> Result<Value> {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    sandbox().emulator().call("ecs", &target, &request).await
}

async fn cloud_map(operation: &str, request: Value) -> Result<Value> {
    sandbox()
        .emulator()
        .call("servicediscovery", &format!("Route53AutoNaming_v20170314.{operation}"), &request)
        .await
}

/// A call of API Gateway, as the root user, whose signature is not verified.
async fn api_gateway(path: &str, body: Value) -> Result<Value> {
    let scope = format!("{}/20260101/{}/apigateway/aws4_request", sandbox().account(), sandbox().region());
    let answer = http()?
        .post(format!("{}/v2{path}", sandbox().endpoint()))
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        )
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await?;
    Ok(serde_json::from_str(&answer.error_for_status()?.text().await?)?)
}

fn http() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// What a service needs: a cluster, a log group, and roles with the given rights on it.
struct Service {
    name: String,
    execution: String,
    task: String,
}

impl Service {
    async fn new(log_actions: &[&str]) -> Result<Service> {
        let name = unique("service");
        let iam = aws_sdk_iam::Client::new(&root().await);
        let execution = role(&iam, &format!("{name}-execution"), "ecs-tasks.amazonaws.com").await?;
        let task = role(&iam, &format!("{name}-task"), "ecs-tasks.amazonaws.com").await?;
        // As it is usually granted: on the group and what is in it.
        let group =
            format!("arn:aws:logs:{}:{}:log-group:/{name}:*", sandbox().region(), sandbox().account());
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": log_actions,
            "Resource": group}]});
        let put = iam.put_role_policy().role_name(format!("{name}-execution")).policy_name("logs");
        put.policy_document(policy.to_string()).send().await?;
        sandbox()
            .emulator()
            .call("logs", "Logs_20140328.CreateLogGroup", &json!({"logGroupName": format!("/{name}")}))
            .await?;
        ecs_call("CreateCluster", json!({"clusterName": name})).await?;
        Ok(Service { name, execution, task })
    }

    /// Registers a revision that runs the gateway; `listen` and `port` are where it listens and is checked.
    async fn define(&self, listen: &str, port: u16) -> Result<String> {
        let arn = |service: &str, rest: &str| {
            format!("arn:aws:{service}:{}:{}:{rest}", sandbox().region(), sandbox().account())
        };
        let settings = [
            ("AWS_REGION", sandbox().region().to_owned()),
            ("CORDON_ACCOUNT_ID", sandbox().account().to_owned()),
            ("CORDON_CASES_TABLE", "none".into()),
            ("CORDON_DEREGISTRATION_DELAY_SECONDS", "1".into()),
            ("CORDON_FALLBACK_APPROVERS", "U0ALICE001".into()),
            ("CORDON_GATEWAY_LISTEN", listen.to_owned()),
            ("CORDON_POLICY_KEY", "policy.json".into()),
            ("CORDON_RESTORES_QUEUE_URL", "https://sqs.invalid/none".into()),
            ("CORDON_SLACK_CHANNEL", "C0SECURITY".into()),
            ("CORDON_SLACK_SECRET_ARN", arn("secretsmanager", "secret:none-AbCdEf")),
            ("CORDON_SLACK_APP_ID", "A0CORDON01".into()),
            ("CORDON_SLACK_TEAM_ID", "T0CORDON01".into()),
            ("CORDON_STATE_BUCKET", "none".into()),
        ];
        let environment: Vec<_> =
            settings.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let container = json!({
            "name": "gateway", "image": ecs::image(), "essential": true, "command": ["gateway"],
            "environment": environment, "stopTimeout": 20,
            "portMappings": [{"containerPort": 8080}],
            "healthCheck": {"command": ["CMD", "/cordon", "health", "gateway", "--port", port.to_string()],
                "interval": 5, "timeout": 3, "retries": 2, "startPeriod": 0},
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": format!("/{}", self.name),
                "awslogs-region": sandbox().region(), "awslogs-stream-prefix": "gateway"}},
        });
        let registered = ecs_call("RegisterTaskDefinition", json!({"family": self.name, "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512", "executionRoleArn": self.execution,
            "taskRoleArn": self.task, "containerDefinitions": [container]}))
        .await?;
        let arn = registered["taskDefinition"]["taskDefinitionArn"].as_str();
        Ok(arn.context("a task definition has an ARN")?.to_owned())
    }

    async fn create(&self, definition: &str, registries: Value) -> Result<()> {
        ecs_call(
            "CreateService",
            json!({"cluster": self.name, "serviceName": "gateway", "taskDefinition": definition,
            "desiredCount": 1, "launchType": "FARGATE", "serviceRegistries": registries,
            "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100,
                "deploymentCircuitBreaker": {"enable": true, "rollback": true}},
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}}),
        )
        .await?;
        Ok(())
    }

    async fn describe(&self) -> Result<Value> {
        let mut answer =
            ecs_call("DescribeServices", json!({"cluster": self.name, "services": ["gateway"]})).await?;
        Ok(answer["services"][0].take())
    }

    /// Waits until a revision runs and its deployment is complete.
    async fn runs(&self, definition: &str) -> Result<()> {
        eventually("a complete deployment", async || {
            let service = self.describe().await?;
            let complete = service["deployments"].as_array().is_some_and(|all| {
                all.len() == 1
                    && all[0]["rolloutState"] == "COMPLETED"
                    && all[0]["taskDefinition"] == definition
            });
            Ok((complete && service["runningCount"] == 1).then_some(()))
        })
        .await
    }

    async fn update(&self, change: Value) -> Result<()> {
        let mut request = json!({"cluster": self.name, "service": "gateway"});
        request
            .as_object_mut()
            .context("an object")?
            .extend(change.as_object().context("an object")?.clone());
        ecs_call("UpdateService", request).await?;
        Ok(())
    }

    /// Why the tasks that have stopped did.
    async fn stopped_reasons(&self) -> Result<Vec<String>> {
        let listed = ecs_call("ListTasks", json!({"cluster": self.name, "desiredStatus": "STOPPED"})).await?;
        if listed["taskArns"].as_array().is_none_or(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let tasks =
            ecs_call("DescribeTasks", json!({"cluster": self.name, "tasks": listed["taskArns"]})).await?;
        let tasks = tasks["tasks"].as_array().context("tasks")?;
        Ok(tasks.iter().filter_map(|task| task["stoppedReason"].as_str().map(str::to_owned)).collect())
    }

    /// Ends what runs, so that nothing is left for the other tests.
    async fn end(&self) -> Result<()> {
        self.update(json!({"desiredCount": 0})).await
    }
}

const LOGS: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];

/// A Cloud Map service with SRV records.
async fn registry() -> Result<(String, String)> {
    let namespace = cloud_map(
        "CreatePrivateDnsNamespace",
        json!({"Name": format!("{}.internal", unique("zone")), "Vpc": "vpc-1"}),
    )
    .await?;
    let operation = cloud_map("GetOperation", json!({"OperationId": namespace["OperationId"]})).await?;
    let namespace = operation["Operation"]["Targets"]["NAMESPACE"].clone();
    let service = cloud_map(
        "CreateService",
        json!({"Name": "gateway", "DnsConfig": {"NamespaceId": namespace,
        "RoutingPolicy": "MULTIVALUE", "DnsRecords": [{"Type": "SRV", "TTL": 10}]},
        "HealthCheckCustomConfig": {"FailureThreshold": 1}}),
    )
    .await?;
    let text = |name: &str| service["Service"][name].as_str().map(str::to_owned).context("a text");
    Ok((text("Id")?, text("Arn")?))
}

async fn instances(registry: &str) -> Result<Vec<Value>> {
    let listed = cloud_map("ListInstances", json!({"ServiceId": registry})).await?;
    Ok(listed["Instances"].as_array().cloned().unwrap_or_default())
}

/// An API whose routes lead through a VPC link to the service.
async fn api(registry_arn: &str, throttling: Value) -> Result<String> {
    let api = api_gateway("/apis", json!({"name": unique("api"), "protocolType": "HTTP"})).await?;
    let id = api["apiId"].as_str().context("an API has an id")?.to_owned();
    let link = api_gateway("/vpclinks", json!({"name": unique("link"), "subnetIds": ["subnet-1"]})).await?;
    let integration = api_gateway(
        &format!("/apis/{id}/integrations"),
        json!({"integrationType": "HTTP_PROXY",
        "integrationMethod": "ANY", "integrationUri": registry_arn, "connectionType": "VPC_LINK",
        "connectionId": link["vpcLinkId"], "payloadFormatVersion": "1.0", "timeoutInMillis": 3_000}),
    )
    .await?;
    let target = format!("integrations/{}", integration["integrationId"].as_str().context("an id")?);
    for route in ["GET /livez", "POST /slack/interactions"] {
        api_gateway(&format!("/apis/{id}/routes"), json!({"routeKey": route, "target": target})).await?;
    }
    let group = unique("/access");
    sandbox()
        .emulator()
        .call("logs", "Logs_20140328.CreateLogGroup", &json!({"logGroupName": group}))
        .await?;
    let arn = format!("arn:aws:logs:{}:{}:log-group:{group}", sandbox().region(), sandbox().account());
    api_gateway(
        &format!("/apis/{id}/stages"),
        json!({"stageName": "$default", "autoDeploy": true,
        "defaultRouteSettings": throttling, "accessLogSettings": {"destinationArn": arn,
            "format": "$context.routeKey $context.status"}}),
    )
    .await?;
    Ok(api["apiEndpoint"].as_str().context("an API has an endpoint")?.to_owned())
}

#[test]
fn a_service_runs_what_its_task_definition_declares_and_is_reached_through_the_api() -> Result<()> {
    in_bare_sandbox(async {
        let (registry, registry_arn) = registry().await?;
        let endpoint =
            api(&registry_arn, json!({"throttlingRateLimit": 1_000, "throttlingBurstLimit": 1_000})).await?;
        let livez =
            async || anyhow::Ok(http()?.get(format!("{endpoint}/livez")).send().await?.status().as_u16());
        ensure!(livez().await? == 503, "no instance is registered");

        let service = Service::new(&LOGS).await?;
        let definition = service.define("0.0.0.0:8080", 8080).await?;
        service
            .create(
                &definition,
                json!([{"registryArn": registry_arn, "containerName": "gateway", "containerPort": 8080}]),
            )
            .await?;
        service.runs(&definition).await?;
        let registered = instances(&registry).await?;
        ensure!(registered.len() == 1, "{registered:?}");
        ensure!(livez().await? == 200);
        let refused = http()?.post(format!("{endpoint}/slack/interactions")).body("payload=x").send().await?;
        ensure!(
            refused.status() != 404 && refused.status() != 200,
            "the gateway's own answer: {}",
            refused.status()
        );
        ensure!(http()?.get(format!("{endpoint}/healthz")).send().await?.status() == 404, "no such route");
        let log =
            sandbox().tasks().into_iter().find(|task| task.cluster == service.name).context("a task")?.log;
        ensure!(std::fs::read_to_string(log)?.contains("gateway ready"));
        eventually("the log in CloudWatch Logs", async || {
            let request = json!({"logGroupName": format!("/{}", service.name), "filterPattern": ""});
            let found = sandbox().emulator().call("logs", "Logs_20140328.FilterLogEvents", &request).await?;
            Ok(found.to_string().contains("gateway ready").then_some(()))
        })
        .await?;

        // Taken out of Cloud Map before it is told to stop, and gone within the declared time.
        let began = Instant::now();
        service.end().await?;
        eventually("no task", async || {
            Ok(sandbox().tasks().iter().all(|task| task.cluster != service.name).then_some(()))
        })
        .await?;
        ensure!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        ensure!(instances(&registry).await?.is_empty());
        ensure!(livez().await? == 503);
        Ok(())
    })
}

#[test]
fn a_task_that_is_killed_is_replaced() -> Result<()> {
    in_bare_sandbox(async {
        let service = Service::new(&LOGS).await?;
        let definition = service.define("0.0.0.0:8080", 8080).await?;
        service.create(&definition, json!([])).await?;
        service.runs(&definition).await?;
        let ours = || sandbox().tasks().into_iter().find(|task| task.cluster == service.name);
        let first = ours().context("a task")?;
        let pid = rustix::process::Pid::from_raw(first.pid.cast_signed()).context("a process id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
        eventually("another task", async || {
            Ok(ours().filter(|task| task.arn != first.arn && task.healthy).map(drop))
        })
        .await?;
        service.end().await
    })
}

#[test]
fn a_revision_that_never_becomes_healthy_is_rolled_back_and_the_one_before_goes_on() -> Result<()> {
    in_bare_sandbox(async {
        let service = Service::new(&LOGS).await?;
        let good = service.define("0.0.0.0:8080", 8080).await?;
        service.create(&good, json!([])).await?;
        service.runs(&good).await?;
        let first =
            sandbox().tasks().into_iter().find(|task| task.cluster == service.name).context("a task")?;
        // It listens at a port that nobody is told of.
        let bad = service.define("127.0.0.1:9090", 8080).await?;
        service.update(json!({"taskDefinition": bad})).await?;
        service.runs(&good).await?;
        let reasons = service.stopped_reasons().await?;
        ensure!(reasons.iter().any(|why| why.contains("health checks")), "{reasons:?}");
        ensure!(sandbox().tasks().iter().any(|task| task.arn == first.arn), "it was never stopped");
        service.end().await
    })
}

#[test]
fn what_would_not_start_on_aws_does_not_start_here_and_says_why() -> Result<()> {
    in_bare_sandbox(async {
        for (actions, listen, says) in [
            (&["logs:PutLogEvents"][..], "0.0.0.0:8080", "the execution role cannot write to /"),
            (&LOGS[..], "0.0.0.0:8081", "listen on port 8081, which the container gateway does not declare"),
        ] {
            let service = Service::new(actions).await?;
            let definition = service.define(listen, 8080).await?;
            service.create(&definition, json!([])).await?;
            eventually("a task that did not start", async || {
                Ok(service.stopped_reasons().await?.iter().any(|why| why.contains(says)).then_some(()))
            })
            .await?;
            ensure!(sandbox().tasks().iter().all(|task| task.cluster != service.name));
            service.end().await?;
        }
        Ok(())
    })
}

#[test]
fn a_stage_throttles_and_writes_its_access_log() -> Result<()> {
    in_bare_sandbox(async {
        let (_, registry_arn) = registry().await?;
        let endpoint =
            api(&registry_arn, json!({"throttlingRateLimit": 1, "throttlingBurstLimit": 2})).await?;
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(http()?.get(format!("{endpoint}/livez")).send().await?.status().as_u16());
        }
        ensure!(statuses[..2] == [503, 503] && statuses[3] == 429, "{statuses:?}");
        let groups = sandbox()
            .emulator()
            .call("logs", "Logs_20140328.DescribeLogGroups", &json!({"logGroupNamePrefix": "/access"}))
            .await?;
        let mut lines = String::new();
        for group in groups["logGroups"].as_array().context("groups")? {
            let request = json!({"logGroupName": group["logGroupName"], "filterPattern": ""});
            lines += &sandbox()
                .emulator()
                .call("logs", "Logs_20140328.FilterLogEvents", &request)
                .await?
                .to_string();
        }
        ensure!(lines.contains("GET /livez 503") && lines.contains("GET /livez 429"), "{lines}");
        Ok(())
    })
}

#[test]
fn a_cloud_map_service_with_instances_is_not_deleted() -> Result<()> {
    in_bare_sandbox(async {
        let (registry, _) = registry().await?;
        cloud_map(
            "RegisterInstance",
            json!({"ServiceId": registry, "InstanceId": "i", "Attributes":
            {"AWS_INSTANCE_IPV4": "127.0.0.1", "AWS_INSTANCE_PORT": "1"}}),
        )
        .await?;
        let refused =
            cloud_map("DeleteService", json!({"Id": registry})).await.expect_err("it has an instance");
        ensure!(refused.to_string().contains("ResourceInUse"), "{refused}");
        cloud_map("DeregisterInstance", json!({"ServiceId": registry, "InstanceId": "i"})).await?;
        cloud_map("DeleteService", json!({"Id": registry})).await?;
        Ok(())
    })
}

#[test]
fn a_secret_without_a_value_is_not_found() -> Result<()> {
    in_bare_sandbox(async {
        let client = aws_sdk_secretsmanager::Client::new(&root().await);
        let secret = client.create_secret().name(unique("secret")).send().await?;
        let arn = secret.arn.context("a secret has an ARN")?;
        let read = client.get_secret_value().secret_id(&arn).send().await.expect_err("it has no value");
        ensure!(
            read.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()),
            "{read:?}"
        );
        client.put_secret_value().secret_id(&arn).secret_string("now").send().await?;
        ensure!(client.get_secret_value().secret_id(&arn).send().await?.secret_string() == Some("now"));
        Ok(())
    })
}
