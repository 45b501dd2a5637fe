//! A Step Functions that does what a test says, and a log of what was asked of it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{Behavior, secs};
use crate::{ActivityTask, CallError, Failure, StepFunctions, step_functions::POLL_TIMEOUT};

/// How long Step Functions holds a poll that finds no task.
pub(super) const LONG_POLL: Duration = secs(60);

/// What happened in a test, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Poll,
    Heartbeat {
        token: String,
    },
    Success {
        token: String,
        output: String,
    },
    Failure {
        token: String,
        code: String,
        cause: String,
    },
    /// The activity began.
    Started,
    /// The activity's future was dropped before its end.
    Dropped,
}

#[derive(Clone)]
pub(super) struct Log {
    started: Instant,
    events: Arc<Mutex<Vec<(Duration, Event)>>>,
}

impl Log {
    pub(super) fn add(&self, event: Event) {
        self.events.lock().unwrap().push((self.started.elapsed(), event));
    }

    pub(super) fn events(&self) -> Vec<(Duration, Event)> {
        self.events.lock().unwrap().clone()
    }
}

struct Poll {
    after: Duration,
    answer: Result<Option<ActivityTask>, CallError>,
}

/// The answers of each call in turn. After the last one polls find nothing, and every other call succeeds.
pub(super) struct Script {
    log: Log,
    polls: VecDeque<Poll>,
    heartbeats: VecDeque<Reply>,
    answers: VecDeque<Reply>,
}

/// The reply to a heartbeat or an answer.
#[derive(Clone)]
pub(super) enum Reply {
    Accept,
    Refuse(CallError),
    /// Never comes.
    Hang,
}

pub(super) fn retryable() -> CallError {
    CallError::Retryable("ThrottlingException: Rate exceeded".into())
}

impl Script {
    pub(super) fn new() -> Self {
        let log = Log { started: Instant::now(), events: Arc::default() };
        Self { log, polls: VecDeque::new(), heartbeats: VecDeque::new(), answers: VecDeque::new() }
    }

    /// A poll that finds a task at once.
    pub(super) fn task(self, token: &str, behavior: Behavior) -> Self {
        self.task_after(Duration::ZERO, token, behavior)
    }

    /// A poll that finds a task after a while.
    pub(super) fn task_after(self, after: Duration, token: &str, behavior: Behavior) -> Self {
        self.task_with_input(after, token, serde_json::to_string(&behavior).unwrap())
    }

    pub(super) fn task_with_input(mut self, after: Duration, token: &str, input: String) -> Self {
        let task = ActivityTask { token: token.into(), input };
        self.polls.push_back(Poll { after, answer: Ok(Some(task)) });
        self
    }

    /// A poll that finds nothing.
    pub(super) fn empty_poll(mut self) -> Self {
        self.polls.push_back(Poll { after: LONG_POLL, answer: Ok(None) });
        self
    }

    /// Polls that fail at once.
    pub(super) fn failed_polls(mut self, count: usize) -> Self {
        for _ in 0..count {
            self.polls.push_back(Poll { after: Duration::ZERO, answer: Err(retryable()) });
        }
        self
    }

    /// A poll whose answer never arrives, until the client gives up.
    pub(super) fn lost_poll(mut self) -> Self {
        let answer = Err(CallError::Retryable("request has timed out".into()));
        self.polls.push_back(Poll { after: POLL_TIMEOUT, answer });
        self
    }

    /// A poll that ends neither with a task nor without.
    pub(super) fn hanging_poll(mut self) -> Self {
        self.polls.push_back(Poll { after: secs(24 * 60 * 60), answer: Ok(None) });
        self
    }

    pub(super) fn heartbeats(mut self, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.heartbeats.extend(replies);
        self
    }

    pub(super) fn answers(mut self, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.answers.extend(replies);
        self
    }

    pub(super) fn log(&self) -> Log {
        self.log.clone()
    }

    pub(super) fn client(self) -> ScriptedClient {
        ScriptedClient(Arc::new(Mutex::new(self)))
    }
}

#[derive(Clone)]
pub(super) struct ScriptedClient(Arc<Mutex<Script>>);

impl ScriptedClient {
    async fn reply(
        &self,
        event: Event,
        replies: fn(&mut Script) -> &mut VecDeque<Reply>,
    ) -> Result<(), CallError> {
        let reply = {
            let mut script = self.0.lock().unwrap();
            script.log.add(event);
            replies(&mut script).pop_front().unwrap_or(Reply::Accept)
        };
        match reply {
            Reply::Accept => Ok(()),
            Reply::Refuse(error) => Err(error),
            Reply::Hang => std::future::pending().await,
        }
    }
}

impl StepFunctions for ScriptedClient {
    async fn get_activity_task(
        &self,
        activity_arn: &str,
        worker_name: &str,
    ) -> Result<Option<ActivityTask>, CallError> {
        assert_eq!((activity_arn, worker_name), ("arn:scripted", "worker"));
        let poll = {
            let mut script = self.0.lock().unwrap();
            script.log.add(Event::Poll);
            script.polls.pop_front().unwrap_or(Poll { after: LONG_POLL, answer: Ok(None) })
        };
        sleep(poll.after).await;
        poll.answer
    }

    async fn send_task_success(&self, token: &str, output: &str) -> Result<(), CallError> {
        let event = Event::Success { token: token.into(), output: output.into() };
        self.reply(event, |script| &mut script.answers).await
    }

    async fn send_task_failure(&self, token: &str, failure: &Failure) -> Result<(), CallError> {
        let event = Event::Failure {
            token: token.into(),
            code: failure.code.to_string(),
            cause: failure.cause.clone(),
        };
        self.reply(event, |script| &mut script.answers).await
    }

    async fn send_task_heartbeat(&self, token: &str) -> Result<(), CallError> {
        self.reply(Event::Heartbeat { token: token.into() }, |script| &mut script.heartbeats).await
    }
}
