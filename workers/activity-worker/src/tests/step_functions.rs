//! The SDK's client as [`StepFunctions`], against answers of Step Functions given as HTTP.

use std::time::Duration;

use aws_sdk_sfn::{
    Client, Config,
    config::{
        BehaviorVersion, Credentials, Region, http::HttpResponse, retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::body::SdkBody;
use tokio::time::sleep;

use super::secs;
use crate::{ActivityTask, CallError, Failure, StepFunctions};

#[derive(Clone, Debug)]
struct Server {
    status: u16,
    body: String,
    delay: Duration,
}

impl HttpConnector for Server {
    fn call(&self, _: aws_sdk_sfn::config::http::HttpRequest) -> HttpConnectorFuture {
        let Server { status, body, delay } = self.clone();
        HttpConnectorFuture::new(async move {
            sleep(delay).await;
            Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body)))
        })
    }
}

/// A client whose own timeout is far shorter than a poll.
fn client_of(server: Server) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(secs(5)).build())
        .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(server.clone())));
    Client::from_conf(config.build())
}

async fn poll(body: &str, delay: Duration) -> Result<Option<ActivityTask>, CallError> {
    let client = client_of(Server { status: 200, body: body.into(), delay });
    StepFunctions::get_activity_task(&client, "arn:aws:states:eu-west-1:111122223333:activity:a", "w").await
}

/// The error of each of the four calls, when all are refused alike.
async fn errors_of(status: u16, body: &str) -> [CallError; 4] {
    let client = client_of(Server { status, body: body.into(), delay: secs(0) });
    let failure = Failure { code: "Broken".into(), cause: "It is broken.".into() };
    [
        StepFunctions::get_activity_task(&client, "arn", "w").await.err().unwrap(),
        StepFunctions::send_task_success(&client, "token", "1").await.unwrap_err(),
        StepFunctions::send_task_failure(&client, "token", &failure).await.unwrap_err(),
        StepFunctions::send_task_heartbeat(&client, "token").await.unwrap_err(),
    ]
}

fn refusal(code: &str) -> String {
    format!(r#"{{"__type":"com.amazonaws.swf.service.v2.model#{code}","message":"because"}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_poll_returns_the_task() {
    let task = poll(r#"{"taskToken":"t","input":"{}"}"#, secs(0)).await.unwrap().unwrap();
    assert_eq!((task.token.as_str(), task.input.as_str()), ("t", "{}"));
}

#[tokio::test(start_paused = true)]
async fn a_poll_without_a_token_or_with_an_empty_one_returns_no_task() {
    for body in ["{}", r#"{"taskToken":null}"#, r#"{"taskToken":"","input":"{}"}"#] {
        assert!(poll(body, secs(0)).await.unwrap().is_none(), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_may_take_longer_than_the_clients_own_timeout_but_not_forever() {
    assert!(poll("{}", secs(65)).await.unwrap().is_none());
    assert!(matches!(poll("{}", secs(75)).await, Err(CallError::Retryable(_))));
}

#[tokio::test(start_paused = true)]
async fn errors_are_classified_alike_for_every_call() {
    for code in ["TaskTimedOut", "TaskDoesNotExist"] {
        assert_eq!(errors_of(400, &refusal(code)).await, [const { CallError::TaskTimedOut }; 4], "{code}");
    }
    assert_eq!(errors_of(400, &refusal("InvalidToken")).await, [const { CallError::InvalidToken }; 4]);
    for code in ["InvalidOutput", "InvalidArn", "ActivityDoesNotExist", "ValidationException"] {
        let expected = CallError::Terminal(format!("{code}: because"));
        assert!(errors_of(400, &refusal(code)).await.iter().all(|error| *error == expected), "{code}");
    }
    for (status, code) in
        [(400, "ThrottlingException"), (400, "AccessDeniedException"), (500, "InternalFailure")]
    {
        let expected = CallError::Retryable(format!("{code}: because"));
        assert!(errors_of(status, &refusal(code)).await.iter().all(|error| *error == expected), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_is_retryable_and_its_token_stays_out_of_the_message() {
    let Err(CallError::Retryable(message)) = poll(r#"{"taskToken":"secret-token","#, secs(0)).await else {
        panic!("retryable");
    };
    assert!(!message.contains("secret-token"), "{message}");
}
