//! Notices when whoever started this process is gone.
//!
//! An interrupted `make` may leave a shell behind that would wait for us for ever, so the chain of ancestors is watched
//! up to the nearest `make`, and otherwise up to the direct parent.

use std::os::unix::process::parent_id;
use std::time::Duration;

const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// `make` → shell → wrapper → us is as deep as anything gets.
const MAX_DEPTH: usize = 5;

/// The ancestors as they were at the start.
#[derive(Debug)]
pub(crate) struct Parent {
    chain: Vec<u32>,
}

impl Parent {
    /// Remembers the ancestors. To be called before anything slow is done.
    pub(crate) fn remember() -> Parent {
        let parent = parent_id();
        let mut chain = vec![parent];
        let mut above = vec![parent];
        while let Some(process) = above.last().and_then(|pid| Process::read(*pid)) {
            if process.name == "make" || process.name == "gmake" {
                chain = above;
                break;
            }
            if process.parent <= 1 || above.len() == MAX_DEPTH {
                break;
            }
            above.push(process.parent);
        }
        Parent { chain }
    }

    /// Completes when one of them is gone; never for a process that was started by init itself.
    pub(crate) async fn gone(&self) {
        if self.chain[0] <= 1 {
            std::future::pending::<()>().await;
        }
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        while self.is_there() {
            ticks.tick().await;
        }
    }

    fn is_there(&self) -> bool {
        // A process whose parent died is given to another at once: a changed parent is a dead parent.
        parent_id() == self.chain[0]
            && self.chain.windows(2).all(|pair| Process::read(pair[0]).is_some_and(|it| it.parent == pair[1]))
    }
}

struct Process {
    name: String,
    parent: u32,
}

impl Process {
    /// `None` where there is no `/proc`: then only the direct parent is watched.
    fn read(pid: u32) -> Option<Process> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // "pid (name) state parent …", and the name may itself hold blanks and brackets.
        let (head, rest) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
        Some(Process { name, parent })
    }
}
