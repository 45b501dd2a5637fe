//! Sends a person's requests to the worker, and follows what it says of them.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use cordon_domain::request::{Answer, RequestId};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::operator::Operator;
use crate::{
    aws::queue::Queue,
    error::{Error, Result},
    store::Cases,
};

/// How long the answer to a request is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the first look for an answer is waited for, and the most that any is.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LAST_LOOK: Duration = Duration::from_secs(2);

/// One kind of requests.
#[derive(Debug)]
pub(super) struct Requests<'a> {
    cases: &'a Cases,
    queue: Queue,
    /// No worker has answered in time. What is asked for after that is sent, and not waited for.
    nobody_answers: AtomicBool,
}

impl<'a> Requests<'a> {
    /// To the queue at this URL.
    pub(super) fn new(operator: &'a Operator, queue_url: &str) -> Self {
        let queue = Queue::new(aws_sdk_sqs::Client::new(&operator.aws), queue_url.to_owned());
        Self { cases: &operator.cases, queue, nobody_answers: AtomicBool::new(false) }
    }

    /// Whether no worker has answered an earlier request in time.
    pub(super) fn is_silent(&self) -> bool {
        self.nobody_answers.load(Ordering::Relaxed)
    }

    /// Sends a request and waits for its answer; `None` when no worker gives one within a minute.
    ///
    /// # Errors
    /// As classified.
    pub(super) async fn ask(&self, id: &RequestId, request: &impl Serialize) -> Result<Option<Answer>> {
        let message = serde_json::to_string(request).expect("it holds only text and numbers");
        self.queue.send(&message).await?;
        if self.is_silent() {
            return Ok(None);
        }
        let (until, mut pause) = (Instant::now() + ANSWER_TIMEOUT, FIRST_LOOK);
        while Instant::now() < until {
            sleep(pause).await;
            match self.cases.answer(id).await {
                Ok(Some(answer)) => return Ok(Some(answer)),
                Ok(None) | Err(Error::Retryable(_)) => {}
                Err(error) => return Err(error),
            }
            pause = (pause * 3 / 2).min(LAST_LOOK);
        }
        self.nobody_answers.store(true, Ordering::Relaxed);
        Ok(None)
    }
}

/// A new request's id.
pub(super) fn request_id() -> RequestId {
    RequestId::of(rand::random())
}
