//! The emulator behind the front door: its process, and the handle that the doubles use.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use aws_config::{
    BehaviorVersion, Region, SdkConfig, stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_s3::config::ResponseChecksumValidation;
use serde::Deserialize;
use serde_json::Value;

use crate::ecs::definition::ScheduledTasks;
use crate::process::child::{Child, last_lines};
use crate::process::{loopback, python};

/// The account that the sandbox plays: its number is also the access key of its root user.
pub(crate) const ACCOUNT: &str = "111122223333";
/// The only region of the sandbox.
pub(crate) const REGION: &str = "us-east-1";
/// Authorizes the internal routes that the patches add, and events in the name of AWS services.
const SECRET_HEADER: &str = "x-sandbox-secret";
const START_DEADLINE: Duration = Duration::from_secs(60);

/// The running emulator, as the parts of the sandbox that stand in for AWS itself see it.
///
/// Calls made here go straight to the emulator: they are AWS's own and do not appear among the recorded calls.
#[derive(Debug)]
pub struct Emulator {
    endpoint: String,
    secret: String,
    http: reqwest::Client,
    s3: aws_sdk_s3::Client,
    events: aws_sdk_eventbridge::Client,
}

/// A request to a double, for the emulator to check the signature and the caller's policies of.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Authorization<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: std::collections::BTreeMap<&'a str, String>,
    pub(crate) body_sha256: String,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
}

/// What the emulator's IAM says to an [`Authorization`].
#[derive(Debug, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    pub(crate) principal: Option<String>,
    #[serde(default)]
    pub(crate) account: Option<String>,
    #[serde(default)]
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) message: Option<String>,
}

impl Emulator {
    /// Starts the emulator on a free port and waits until it is healthy. `front_door` is the endpoint that clients
    /// see, which queue URLs have to name.
    pub(crate) async fn start(
        data_dir: &Path,
        run_dir: &Path,
        front_door: &str,
        secret: String,
    ) -> anyhow::Result<(Emulator, Child)> {
        let python =
            python::environment(data_dir, &python::emulator_sources().join("requirements.txt")).await?;
        let scratch = run_dir.join("tmp");
        std::fs::create_dir_all(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
        let log = run_dir.join("emulator.log");
        let http = loopback::http();

        // The port is free when it is chosen and may be taken a moment later: that is worth another attempt.
        let mut attempts_left = 3;
        let (endpoint, process) = loop {
            let port = free_port()?;
            let endpoint = format!("http://127.0.0.1:{port}");
            let environment = environment(port, front_door, &secret, &scratch);
            let argv = [python.as_os_str(), "-m".as_ref(), "patches".as_ref()];
            let mut process = Child::start("emulator", &argv, &environment, &log).await?;
            if wait_for_health(&http, &endpoint, &mut process).await? {
                break (endpoint, process);
            }
            process.kill().await?;
            attempts_left -= 1;
            let end = last_lines(&log, 15);
            if attempts_left == 0 || !end.contains("in use") {
                bail!(
                    "the emulator ended before it was ready; the end of its log ({}):\n{end}",
                    log.display()
                );
            }
        };

        let config = root_config(&endpoint);
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(true)
            // The SDK warns of every multipart object, whose checksum it cannot validate.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        let emulator = Emulator {
            s3: aws_sdk_s3::Client::from_conf(s3),
            events: aws_sdk_eventbridge::Client::new(&config),
            endpoint,
            secret,
            http,
        };
        Ok((emulator, process))
    }

    /// Where the emulator itself listens. Clients use the front door instead.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The sandbox account's number.
    pub fn account(&self) -> &str {
        ACCOUNT
    }

    /// The sandbox's region.
    pub fn region(&self) -> &str {
        REGION
    }

    /// S3 as the account's root user.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        &self.s3
    }

    /// Puts one event on the default bus as an AWS service would: the sources `aws.macie` and `aws.access-analyzer`
    /// are accepted from here and from nobody else.
    pub async fn put_event(
        &self,
        source: &str,
        detail_type: &str,
        resources: Vec<String>,
        detail: Value,
    ) -> anyhow::Result<()> {
        let entry = PutEventsRequestEntry::builder()
            .source(source)
            .detail_type(detail_type)
            .set_resources(Some(resources))
            .detail(detail.to_string())
            .build();
        let secret = self.secret.clone();
        let answer = self
            .events
            .put_events()
            .entries(entry)
            .customize()
            .mutate_request(move |request| {
                request.headers_mut().insert(SECRET_HEADER, secret.clone());
            })
            .send()
            .await
            .with_context(|| format!("cannot put a {detail_type:?} event"))?;
        if let Some(refused) = answer.entries().iter().find(|entry| entry.error_code().is_some()) {
            bail!(
                "the event bus refused a {detail_type:?} event from {source}: {} {}",
                refused.error_code().unwrap_or_default(),
                refused.error_message().unwrap_or_default()
            );
        }
        Ok(())
    }

    /// The key policy of a KMS key; `None` when there is no such key.
    pub(crate) async fn key_policy(&self, key: &str) -> anyhow::Result<Option<Value>> {
        let answer = self
            .http
            .post(&self.endpoint)
            .header("x-amz-target", "TrentService.GetKeyPolicy")
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", root_authorization("kms"))
            .json(&serde_json::json!({"KeyId": key, "PolicyName": "default"}))
            .send()
            .await
            .context("the emulator did not give a key policy")?;
        if answer.status() == reqwest::StatusCode::BAD_REQUEST {
            return Ok(None);
        }
        let answer: Value = answer
            .error_for_status()
            .context("the emulator did not give a key policy")?
            .json()
            .await
            .context("the emulator's answer about a key policy is not understood")?;
        let policy = answer["Policy"].as_str().context("a key has a policy")?;
        serde_json::from_str(policy).context("a key policy is not JSON")
    }

    /// The tasks that ECS schedules, as soon as something has changed after `change`.
    pub(crate) async fn tasks(&self, change: i64) -> anyhow::Result<ScheduledTasks> {
        let answer = self
            .http
            .get(format!("{}/_sandbox/ecs/tasks?after={change}&wait=20", self.endpoint))
            .header(SECRET_HEADER, &self.secret)
            .timeout(Duration::from_secs(60))
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .context("the emulator did not say which tasks ECS schedules")?;
        answer.json().await.context("the emulator's answer about tasks is not understood")
    }

    /// Reports how a task is; false when it is over there.
    pub(crate) async fn report_task(&self, report: &Value) -> anyhow::Result<bool> {
        let answer = self
            .http
            .post(format!("{}/_sandbox/ecs/tasks", self.endpoint))
            .header(SECRET_HEADER, &self.secret)
            .json(report)
            .send()
            .await
            .context("the emulator did not take the report on a task")?;
        if answer.status() == reqwest::StatusCode::CONFLICT {
            return Ok(false);
        }
        answer.error_for_status().context("the emulator did not take the report on a task")?;
        Ok(true)
    }

    /// A call of an operation in the JSON protocol as the account's root user, such as
    /// `AmazonEC2ContainerServiceV20141113.DescribeServices`: for services that need no SDK here.
    ///
    /// # Errors
    /// When it is refused, with the service's answer.
    pub async fn call(&self, service: &str, target: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self
            .http
            .post(&self.endpoint)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", root_authorization(service))
            .json(body)
            .send()
            .await
            .with_context(|| format!("the emulator did not answer {target}"))?;
        let status = answer.status();
        let said = answer.text().await.with_context(|| format!("the answer to {target} broke off"))?;
        if !status.is_success() {
            bail!("{target} answered {status}: {said}");
        }
        if said.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&said).with_context(|| format!("the answer to {target} is not JSON"))
    }

    /// A call in the query protocol as the account's root user; the answer's XML.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn query(
        &self,
        service: &str,
        action: &str,
        version: &str,
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let form: Vec<_> =
            [("Action", action), ("Version", version)].iter().chain(parameters).copied().collect();
        let answer = self
            .http
            .post(&self.endpoint)
            .header("authorization", root_authorization(service))
            .form(&form)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .with_context(|| format!("the emulator did not answer {action}"))?;
        answer.text().await.with_context(|| format!("the answer to {action} broke off"))
    }

    /// Whether the emulator answers its health check.
    pub(crate) async fn is_healthy(&self) -> bool {
        healthy(&self.http, &self.endpoint).await
    }

    /// Verifies the signature of a request and evaluates the caller's policies.
    pub(crate) async fn authorize(&self, request: &Authorization<'_>) -> anyhow::Result<Verdict> {
        let answer = self
            .http
            .post(format!("{}/_sandbox/authorize", self.endpoint))
            .header(SECRET_HEADER, &self.secret)
            .json(request)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .context("the emulator did not say whether the caller may")?;
        answer.json().await.context("the emulator's answer about the caller is not understood")
    }

    /// The ARN behind an access key; `None` for the root user's keys and for unknown ones.
    pub(crate) async fn principal(&self, access_key: &str) -> anyhow::Result<Option<String>> {
        #[derive(Deserialize)]
        struct Answer {
            principal: Option<String>,
        }
        let mut url = url::Url::parse(&self.endpoint).context("the emulator's endpoint is not a URL")?;
        url.set_path("/_sandbox/principal");
        url.query_pairs_mut().append_pair("access_key", access_key);
        let answer: Answer = self
            .http
            .get(url)
            .header(SECRET_HEADER, &self.secret)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .context("the emulator did not say whose access key it is")?
            .json()
            .await
            .context("the emulator's answer about an access key is not understood")?;
        Ok(answer.principal)
    }
}

/// What signs for the root user, whom the emulator takes at its word.
fn root_authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, \
         Signature=none"
    )
}

/// SDK settings for the account's root user, independent of the environment and the profile of whoever runs this.
pub(crate) fn root_config(endpoint: &str) -> SdkConfig {
    let root = Credentials::new(ACCOUNT, "test", None, None, "sandbox root");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(root))
        .endpoint_url(endpoint)
        .http_client(loopback::sdk_http())
        // Long polls and large copies are silent for a while without being stalled.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

/// A port of the loopback address that nobody listens on at the moment.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr().context("no free port on 127.0.0.1")?.port())
}

/// The whole environment of the emulator: nothing of the caller's AWS settings may reach it, because an inherited
/// access key would count as root there.
fn environment(port: u16, front_door: &str, secret: &str, scratch: &Path) -> Vec<(String, String)> {
    let mut environment = vec![
        ("PYTHONPATH", python::emulator_sources().display().to_string()),
        ("PYTHONDONTWRITEBYTECODE", "1".into()),
        ("PYTHONUNBUFFERED", "1".into()),
        ("BIND_HOST", "127.0.0.1".into()),
        ("GATEWAY_PORT", port.to_string()),
        ("MINISTACK_HOST", "127.0.0.1".into()),
        ("MINISTACK_ACCOUNT_ID", ACCOUNT.into()),
        ("MINISTACK_REGION", REGION.into()),
        ("AUTH", "true".into()),
        ("IOT_MTLS_ENABLED", "0".into()),
        ("SFTP_ENABLED", "0".into()),
        ("LOG_LEVEL", "WARNING".into()),
        ("TMPDIR", scratch.display().to_string()),
        ("SANDBOX_ENDPOINT", front_door.into()),
        ("SANDBOX_SECRET", secret.into()),
    ];
    for inherited in ["PATH", "HOME", "LANG", crate::front_door::records::VARIABLE] {
        if let Ok(value) = std::env::var(inherited) {
            environment.push((inherited, value));
        }
    }
    environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// True when the emulator is healthy, false when it ended first.
async fn wait_for_health(
    http: &reqwest::Client,
    endpoint: &str,
    process: &mut Child,
) -> anyhow::Result<bool> {
    let deadline = Instant::now() + START_DEADLINE;
    loop {
        if healthy(http, endpoint).await {
            return Ok(true);
        }
        if process.has_ended()? {
            return Ok(false);
        }
        if Instant::now() > deadline {
            let log = process.log().to_owned();
            process.kill().await?;
            bail!(
                "the emulator was not ready after {} s; the end of its log ({}):\n{}",
                START_DEADLINE.as_secs(),
                log.display(),
                last_lines(&log, 15)
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn healthy(http: &reqwest::Client, endpoint: &str) -> bool {
    let answer =
        http.get(format!("{endpoint}/_ministack/health")).timeout(Duration::from_secs(5)).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}
