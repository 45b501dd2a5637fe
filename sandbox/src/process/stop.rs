//! What asks a running sandbox to stop, and the sentence that says so before it does.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::parent::{Ancestor, Parent};

/// Why the sandbox stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// SIGINT, such as from Ctrl-C.
    Interrupted,
    /// SIGTERM, such as from `cordon-sandbox down`.
    Terminated,
    /// SIGHUP: the terminal was closed.
    HungUp,
    /// The process that started it has ended.
    ParentEnded(Ancestor),
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KEEP: &str = "To keep a sandbox running, start it with `cordon-sandbox up --detach`.";
        match self {
            StopReason::Interrupted => f.write_str("The sandbox stops: it was interrupted (SIGINT)."),
            StopReason::Terminated => f.write_str("The sandbox stops: it was told to (SIGTERM)."),
            StopReason::HungUp => write!(f, "The sandbox stops: its terminal was closed (SIGHUP). {KEEP}"),
            StopReason::ParentEnded(parent) => {
                write!(f, "The sandbox stops: {parent}, which started it, has ended. {KEEP}")
            }
        }
    }
}

impl StopReason {
    /// Says it on standard error and at the end of `log`, for there may be nobody left to read standard error.
    pub(crate) fn report(&self, log: Option<&Path>) {
        // Neither the terminal nor the pipe has to be there any more; that must not keep the sandbox from stopping.
        let _ = writeln!(std::io::stderr(), "cordon-sandbox: {self}");
        if let Some(Ok(mut log)) = log.map(|log| OpenOptions::new().create(true).append(true).open(log)) {
            let _ = writeln!(log, "{} {self}", jiff::Timestamp::now());
        }
    }
}

/// Everything that can ask the sandbox to stop.
#[derive(Debug)]
pub(crate) struct StopRequests {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    parent: Option<Parent>,
}

impl StopRequests {
    /// Watches for the signals from now on, and for the end of `parent` if there is one to watch.
    pub(crate) fn watch(parent: Option<Parent>) -> anyhow::Result<StopRequests> {
        let watch = |kind, name| signal(kind).with_context(|| format!("cannot watch for {name}"));
        Ok(StopRequests {
            interrupt: watch(SignalKind::interrupt(), "SIGINT")?,
            terminate: watch(SignalKind::terminate(), "SIGTERM")?,
            hang_up: watch(SignalKind::hangup(), "SIGHUP")?,
            parent,
        })
    }

    /// Completes with the first of them.
    pub(crate) async fn next(&mut self) -> StopReason {
        let parent = async {
            match &self.parent {
                Some(parent) => parent.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => StopReason::Interrupted,
            _ = self.terminate.recv() => StopReason::Terminated,
            _ = self.hang_up.recv() => StopReason::HungUp,
            ancestor = parent => StopReason::ParentEnded(ancestor),
        }
    }
}
