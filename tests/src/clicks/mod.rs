//! A gateway and cases to decide, without Terraform and worker: for what concerns the gateway alone, or what Slack is
//! shown.
//!
//! One test at a time: they slow the stores down, and look at the clock.

mod draft;
mod payload;
mod setup;

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cordon::{
    app::clients::Clients,
    config::WorkerConfig,
    store::{Cases, keys},
};
use cordon_domain::case::{Case, Decision};
use cordon_sandbox::{Sandbox, child::Child};
use futures::{StreamExt, TryStreamExt, future::join_all, stream};
use serde_json::{Value, json};

pub use self::draft::draft;
pub use self::payload::{click, form};
use self::setup::{built_cordon, give_role, make_table, waiting_machine};
use crate::{
    bare::start_sandbox,
    eventually,
    roles::signed_as,
    test_env::{ALICE, CHANNEL, OTHER_CHANNEL},
    turns::{Shared, Turn},
};

/// The role of the gateways here.
pub const GATEWAY: &str = "cordon-gateway";
/// The role of what a worker does here.
pub const WORKER: &str = "cordon-worker";
/// The table of the cases here.
pub const TABLE: &str = "cases";
const BUCKET: &str = "cordon-state";
/// Longer than anybody's patience here, so that a late answer is seen to be late.
const LATE: Duration = Duration::from_secs(20);

/// The sandbox with what a gateway needs.
pub struct GatewayEnv {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// The records.
    pub cases: Cases,
    secret_arn: String,
    restores_queue: String,
    sfn: aws_sdk_sfn::Client,
    machine: String,
    http: reqwest::Client,
    next: AtomicU32,
}

/// A running gateway.
pub struct RunningGateway {
    /// Its process.
    pub process: Child,
    /// Where it listens, such as `http://127.0.0.1:8080`.
    pub url: String,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// How long it took.
    pub took: Duration,
}

/// What an operator puts into Slack's secret.
pub fn slack_secret(sandbox: &Sandbox) -> Value {
    let slack = sandbox.slack();
    json!({"bot_token": slack.bot_token(), "signing_secret": slack.signing_secret()})
}

impl GatewayEnv {
    /// For one test alone.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub async fn alone() -> Result<(&'static GatewayEnv, Turn<'static>)> {
        static ENVIRONMENT: LazyLock<Shared<GatewayEnv>> = LazyLock::new(|| Shared::new(1));
        let (env, turn) = ENVIRONMENT.alone(Self::set_up).await?;
        env.sandbox.faults().clear();
        env.sandbox.slack().clear_faults();
        Ok((env, turn))
    }

    /// One of its own.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub async fn set_up() -> Result<GatewayEnv> {
        let sandbox = start_sandbox().await?;
        sandbox.slack().set_rate_limits(None);
        let root = sandbox.sdk_config().await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&root);
        make_table(&dynamodb).await?;
        let s3 = aws_sdk_s3::Client::new(&root);
        s3.create_bucket().bucket(BUCKET).send().await?;
        let policy = json!({"version": 1, "rules": []}).to_string().into_bytes();
        s3.put_object().bucket(BUCKET).key("policy.json").body(policy.into()).send().await?;
        let gateway = [
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
            "s3:GetObject",
            "secretsmanager:GetSecretValue",
            "sqs:SendMessage",
            "states:SendTaskSuccess",
        ];
        give_role(&root, sandbox.account(), GATEWAY, &gateway).await?;
        let worker = [
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
            "events:PutEvents",
            "secretsmanager:GetSecretValue",
        ];
        give_role(&root, sandbox.account(), WORKER, &worker).await?;
        let sfn = aws_sdk_sfn::Client::new(&root);
        let machine = waiting_machine(&sfn, sandbox.account()).await?;
        let queue = aws_sdk_sqs::Client::new(&root).create_queue().queue_name("restores").send().await?;
        let secret = aws_sdk_secretsmanager::Client::new(&root).create_secret().name("slack");
        let secret = secret.secret_string(slack_secret(&sandbox).to_string()).send().await?;
        let secret_arn = secret.arn.context("a secret has an ARN")?;
        Ok(GatewayEnv {
            cases: Cases::new(dynamodb, TABLE.into()),
            secret_arn,
            restores_queue: queue.queue_url.context("a queue has a URL")?,
            sfn,
            machine,
            http: reqwest::Client::builder().no_proxy().timeout(LATE).build()?,
            next: AtomicU32::new(0),
            sandbox,
        })
    }

    /// Starts `cordon gateway`, this workspace's build or another, and waits until it is healthy.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn gateway(&self, cordon: Option<&Path>, extra_env: &[(&str, &str)]) -> Result<RunningGateway> {
        let gateway = self.started_gateway(cordon, extra_env).await?;
        let healthy = eventually("a healthy gateway", async || {
            Ok((self.get(&gateway, "/healthz").await?.0 == 200).then_some(()))
        });
        healthy.await.with_context(|| gateway.process.end_of_log())?;
        Ok(gateway)
    }

    /// The same, without the wait.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn started_gateway(
        &self,
        cordon: Option<&Path>,
        extra_env: &[(&str, &str)],
    ) -> Result<RunningGateway> {
        let cordon = cordon.map_or_else(built_cordon, |path| Ok(path.to_owned()))?;
        let (environment, address) = self.gateway_environment(extra_env)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let log = self.sandbox.run_dir().join(format!("gateway-{number}.log"));
        let argv = [cordon.as_os_str(), "gateway".as_ref()];
        let process = Child::start("gateway", &argv, &environment, &log).await?;
        Ok(RunningGateway { process, url: format!("http://{address}") })
    }

    /// What a gateway finds in its environment, and where it is to listen.
    ///
    /// # Errors
    /// When no port is free.
    pub fn gateway_environment(&self, extra_env: &[(&str, &str)]) -> Result<(Vec<(String, String)>, String)> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?.to_string();
        drop(listener);
        let account = self.sandbox.account();
        let settings = [
            ("CORDON_ACCOUNT_ID", account),
            ("CORDON_CASES_TABLE", TABLE),
            ("CORDON_STATE_BUCKET", BUCKET),
            ("CORDON_POLICY_KEY", "policy.json"),
            ("CORDON_RESTORES_QUEUE_URL", &self.restores_queue),
            ("CORDON_SLACK_APP_ID", "A0CORDON01"),
            ("CORDON_SLACK_TEAM_ID", "T0CORDON01"),
            ("CORDON_SLACK_CHANNEL", CHANNEL),
            ("CORDON_SLACK_API_URL", &format!("{}/api", self.sandbox.slack_url())),
            ("CORDON_SLACK_HOOKS_URL", self.sandbox.slack_url()),
            ("CORDON_SLACK_SECRET_ARN", &self.secret_arn),
            ("CORDON_FALLBACK_APPROVERS", ALICE),
            ("CORDON_GATEWAY_LISTEN", &address),
            ("CORDON_DEREGISTRATION_DELAY_SECONDS", "3"),
        ];
        let mut environment = self.sandbox.task_environment(GATEWAY);
        let all = settings.iter().chain(extra_env);
        environment.extend(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Ok((environment, address))
    }

    /// What a gateway answers at a path: status and body; status 0 where there is no answer.
    ///
    /// # Errors
    /// When the answer breaks off.
    pub async fn get(&self, gateway: &RunningGateway, path: &str) -> Result<(u16, String)> {
        match self.http.get(format!("{}{path}", gateway.url)).send().await {
            Ok(answer) => Ok((answer.status().as_u16(), answer.text().await?)),
            Err(_) => Ok((0, String::new())),
        }
    }

    /// What a worker has to show cases with, as the role [`WORKER`]. The fallback channel is [`OTHER_CHANNEL`].
    ///
    /// # Errors
    /// When the role cannot be assumed.
    pub async fn clients(&self) -> Result<Clients> {
        let root = self.sandbox.sdk_config().await;
        let account = self.sandbox.account();
        let aws = signed_as(&root, account, WORKER).await?;
        let arn = format!("arn:aws:states:{}:{account}:stateMachine:none", self.sandbox.region());
        let settings = [
            ("AWS_REGION", self.sandbox.region()),
            ("CORDON_ACCOUNT_ID", account),
            ("CORDON_CASES_TABLE", TABLE),
            ("CORDON_EXPOSURES_TABLE", "none"),
            ("CORDON_QUARANTINE_BUCKET", "none"),
            ("CORDON_STATE_BUCKET", BUCKET),
            ("CORDON_POLICY_KEY", "policy.json"),
            ("CORDON_ACTIVITY_ARN_PREFIX", &arn),
            ("CORDON_ACTIVITY_HEARTBEAT_SECONDS", "60"),
            ("CORDON_MOVER_ROLE_ARN", &arn),
            ("CORDON_MAC_KEY_ARN", &arn),
            ("CORDON_RESTORER_ROLE_ARN", &arn),
            ("CORDON_ANALYZER_ARN", &arn),
            ("CORDON_INSTALLATION", "cordon"),
            ("CORDON_FINDING_RESPONSE_ARN", &arn),
            ("CORDON_OBJECT_RESTORE_ARN", &arn),
            ("CORDON_STATE_MACHINE_ARNS", &arn),
            ("CORDON_APPROVALS_QUEUE_URL", &self.restores_queue),
            ("CORDON_RESTORES_QUEUE_URL", &self.restores_queue),
            ("CORDON_PURGES_QUEUE_URL", &self.restores_queue),
            ("CORDON_GATEWAY_PRINCIPAL_ID", "none"),
            ("CORDON_ROUND_SECONDS", "60"),
            ("CORDON_SCAN_TIMEOUT_SECONDS", "60"),
            ("CORDON_EXCLUSION_TAG", "cordon=off"),
            ("CORDON_RESCAN_INTERVAL_SECONDS", "60"),
            ("CORDON_COMPANY_NAME", "none"),
            ("CORDON_SLACK_APP_ID", "A0CORDON01"),
            ("CORDON_SLACK_TEAM_ID", "T0CORDON01"),
            ("CORDON_SLACK_CHANNEL", OTHER_CHANNEL),
            ("CORDON_SLACK_API_URL", &format!("{}/api", self.sandbox.slack_url())),
            ("CORDON_SLACK_SECRET_ARN", &self.secret_arn),
            ("CORDON_FALLBACK_APPROVERS", ALICE),
        ];
        let settings =
            settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Clients::new(&aws, WorkerConfig::read(&settings)?))
    }

    /// Opens cases that Alice may decide.
    ///
    /// # Errors
    /// When the table does not take them.
    pub async fn open(&self, count: usize) -> Result<Vec<Case>> {
        let opened = (0..count).map(|_| self.open_about("card.txt"));
        stream::iter(opened).buffered(8).try_collect().await
    }

    /// Opens a case about an object with this key.
    ///
    /// # Errors
    /// When the table does not take it.
    pub async fn open_about(&self, key: &str) -> Result<Case> {
        let case = self.draft(key)?;
        ensure!(self.cases.open(&case, None).await?.stands().is_some(), "the case is new");
        Ok(case)
    }

    /// Puts another value into Slack's secret.
    ///
    /// # Errors
    /// When Secrets Manager does not take it.
    pub async fn put_slack_secret(&self, value: &Value) -> Result<()> {
        let client = aws_sdk_secretsmanager::Client::new(&self.sandbox.sdk_config().await);
        client.put_secret_value().secret_id(&self.secret_arn).secret_string(value.to_string()).send().await?;
        Ok(())
    }

    /// Puts another policy in force.
    ///
    /// # Errors
    /// When the bucket does not take it.
    pub async fn set_policy(&self, policy: &str) -> Result<()> {
        let s3 = aws_sdk_s3::Client::new(&self.sandbox.sdk_config().await);
        s3.put_object()
            .bucket(BUCKET)
            .key("policy.json")
            .body(policy.as_bytes().to_vec().into())
            .send()
            .await?;
        Ok(())
    }

    /// A case about an object with this key, not opened yet.
    ///
    /// # Errors
    /// Never, as long as findings and plans are read as they are.
    pub fn draft(&self, key: &str) -> Result<Case> {
        draft(&self.sandbox, key, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets a run wait for the decision of each case, with its token in the record.
    ///
    /// # Errors
    /// When a token does not come.
    pub async fn wait_for(&self, cases: &[Case]) -> Result<()> {
        for some in cases.chunks(50) {
            let ids: Vec<_> = some.iter().map(|case| keys::approval(&case.case_id)).collect();
            let start = self.sfn.start_execution().state_machine_arn(&self.machine);
            start.input(json!({"cases": ids}).to_string()).send().await?;
        }
        let tokens = cases.iter().map(|case| {
            eventually("a token", async || {
                Ok(self.cases.get(&case.case_id).await?.and_then(|case| case.waits.task_token).map(drop))
            })
        });
        stream::iter(tokens).buffered(8).try_collect().await
    }

    /// A request's body, with its time stamp and signature.
    pub fn signed(&self, body: &str) -> (String, String) {
        let now = jiff::Timestamp::now().as_second();
        (now.to_string(), self.sandbox.slack().sign(now, body.as_bytes()))
    }

    /// Clicks as Slack does: signed now, on *Quarantine*, by Alice.
    pub async fn click(&self, gateway_url: &str, case: &Case) -> Answer {
        self.send(gateway_url, &form(&click(case))).await
    }

    /// Sends a body, signed now.
    pub async fn send(&self, gateway_url: &str, body: &str) -> Answer {
        let (timestamp, signature) = self.signed(body);
        let began = Instant::now();
        let request = self
            .http
            .post(format!("{gateway_url}/slack/interactions"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-slack-request-timestamp", timestamp)
            .header("x-slack-signature", signature)
            .body(body.to_owned());
        let status = request.send().await.map_or(0, |answer| answer.status().as_u16());
        Answer { status, took: began.elapsed() }
    }

    /// Clicks on every case at once.
    pub async fn click_all(&self, gateway_url: &str, cases: &[Case]) -> Vec<Answer> {
        join_all(cases.iter().map(|case| self.click(gateway_url, case))).await
    }

    /// How many votes are on record for each case; all are checked to be Alice's for *Quarantine*.
    ///
    /// # Errors
    /// When a record cannot be read, or holds another vote.
    pub async fn votes(&self, cases: &[Case]) -> Result<Vec<usize>> {
        let counts = cases.iter().map(|case| async {
            let case = self.cases.get(&case.case_id).await?.context("the case is there")?;
            let hers = case
                .approval
                .votes
                .iter()
                .all(|vote| vote.decision == Decision::Quarantine && vote.by.person() == ALICE);
            ensure!(
                hers && case.approval.decided.is_some() != case.approval.votes.is_empty(),
                "{:?}",
                case.approval.votes
            );
            Ok(case.approval.votes.len())
        });
        stream::iter(counts).buffered(8).try_collect().await
    }
}
