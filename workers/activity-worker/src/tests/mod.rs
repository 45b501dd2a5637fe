//! The runtime on paused time, against a scripted Step Functions.
//!
//! A test scripts what Step Functions does ([`Script`]) and what the activity does ([`Behavior`]), lets a worker run for
//! a stretch of virtual time, and reads the log: every event with its time since the start. Nothing waits in real
//! time, and the clock moves only when everything else rests, so a log is the same in every run but for jitter.

mod answer;
mod heartbeat;
mod poller;
mod script;
mod shutdown;
mod step_functions;

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use self::script::{Event, Log, Script};
use crate::{Activity, TaskContext, TaskError, Worker, WorkerSettings};

const HEARTBEAT_TIMEOUT: Duration = secs(60);
const DRAIN_TIMEOUT: Duration = secs(110);
/// Of virtual time, for a worker to end after its stop.
const DEADLINE: Duration = secs(7 * 24 * 60 * 60);

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What the scripted activity does; a task's input is one of these as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Behavior {
    /// Works for this long, then returns `"done"`.
    Work {
        secs: u64,
    },
    /// Returns a string that has this many bytes as JSON.
    Return {
        bytes: usize,
    },
    Fail {
        code: String,
        cause: String,
    },
    Panic,
}

fn work(secs: u64) -> Behavior {
    Behavior::Work { secs }
}

struct Scripted {
    log: Log,
}

/// Records that an activity's future is dropped before its end.
struct DropGuard<'a> {
    log: &'a Log,
    finished: bool,
}

impl Drop for DropGuard<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.log.add(Event::Dropped);
        }
    }
}

impl Activity for Scripted {
    const NAME: &'static str = "scripted";
    type Input = Behavior;
    type Output = String;
    type Error = ScriptedError;

    async fn run(&self, behavior: Behavior, _: TaskContext) -> Result<String, ScriptedError> {
        self.log.add(Event::Started);
        let mut guard = DropGuard { log: &self.log, finished: false };
        let result = match behavior {
            Behavior::Work { secs: seconds } => {
                tokio::time::sleep(secs(seconds)).await;
                Ok("done".into())
            }
            Behavior::Return { bytes } => Ok("x".repeat(bytes - 2)),
            Behavior::Fail { code, cause } => Err(ScriptedError { code, cause }),
            Behavior::Panic => panic!("as scripted"),
        };
        guard.finished = true;
        result
    }
}

struct ScriptedError {
    code: String,
    cause: String,
}

impl TaskError for ScriptedError {
    fn code(&self) -> Cow<'static, str> {
        self.code.clone().into()
    }

    fn cause(&self) -> String {
        self.cause.clone()
    }
}

/// What happened, and how long the worker ran.
struct Outcome {
    events: Vec<(Duration, Event)>,
    ended: Duration,
    /// How old the last good poll was when the worker was told to stop.
    poll_age: Duration,
}

impl Outcome {
    fn times(&self, wanted: impl Fn(&Event) -> bool) -> Vec<Duration> {
        self.events.iter().filter(|(_, event)| wanted(event)).map(|(at, _)| *at).collect()
    }

    fn polls(&self) -> Vec<Duration> {
        self.times(|event| *event == Event::Poll)
    }

    fn heartbeats(&self) -> Vec<Duration> {
        self.times(|event| matches!(event, Event::Heartbeat { .. }))
    }

    fn starts(&self) -> Vec<Duration> {
        self.times(|event| *event == Event::Started)
    }

    fn drops(&self) -> Vec<Duration> {
        self.times(|event| *event == Event::Dropped)
    }

    /// Every `SendTaskSuccess` and `SendTaskFailure`.
    fn answers(&self) -> Vec<(Duration, Event)> {
        let answers = self.events.iter();
        let answers =
            answers.filter(|(_, event)| matches!(event, Event::Success { .. } | Event::Failure { .. }));
        answers.cloned().collect()
    }
}

/// Runs a worker with `slots` slots, stops it after `stop_after`, and waits for its end.
async fn run_worker(script: Script, slots: usize, stop_after: Duration) -> Outcome {
    let started = Instant::now();
    let log = script.log();
    let settings = WorkerSettings {
        arn_prefix: "arn:".into(),
        name: "worker".into(),
        heartbeat_timeout: HEARTBEAT_TIMEOUT,
        slots,
        drain_timeout: DRAIN_TIMEOUT,
    };
    let stop = CancellationToken::new();
    let worker = Worker::new(script.client(), settings).with(Scripted { log: log.clone() });
    let health = worker.poll_health();
    let worker = tokio::spawn(worker.run(stop.clone()));
    tokio::time::sleep(stop_after).await;
    let poll_age = health.last_good_poll();
    stop.cancel();
    let ended = timeout(DEADLINE, worker).await.expect("the worker ends within the deadline");
    ended.expect("the worker does not panic");
    Outcome { events: log.events(), ended: started.elapsed(), poll_age }
}
