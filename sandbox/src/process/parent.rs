//! Notices when the process that started this one has ended.
//!
//! An interrupted `make` may leave a shell behind that would wait for this process for ever, so the chain of ancestors
//! is watched up to the nearest `make`, and otherwise up to the direct parent.

use std::fmt;
use std::os::unix::process::parent_id;
use std::time::Duration;

const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// `make` → shell → wrapper → this process is the deepest chain that occurs.
const MAX_DEPTH: usize = 5;

/// The ancestors as they were at the start, the direct parent first.
#[derive(Debug)]
pub(crate) struct Parent {
    chain: Vec<Ancestor>,
}

/// A process above this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ancestor {
    pid: u32,
    /// The name of its program; none where there is no `/proc`.
    name: Option<String>,
}

impl fmt::Display for Ancestor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} (process {})", self.pid),
            None => write!(f, "process {}", self.pid),
        }
    }
}

impl Parent {
    /// Remembers the ancestors. Call it before anything slow is done.
    pub(crate) fn remember() -> Parent {
        let mut above: Vec<Ancestor> = Vec::new();
        let mut pid = parent_id();
        loop {
            let process = Process::read(pid);
            above.push(Ancestor { pid, name: process.as_ref().map(|process| process.name.clone()) });
            match process {
                Some(process) if matches!(process.name.as_str(), "make" | "gmake") => break,
                Some(process) if process.parent > 1 && above.len() < MAX_DEPTH => pid = process.parent,
                _ => {
                    above.truncate(1);
                    break;
                }
            }
        }
        Parent { chain: above }
    }

    /// Completes when one of them has ended, and says which; never for a process that init itself started.
    pub(crate) async fn ended(&self) -> Ancestor {
        if self.chain[0].pid <= 1 {
            return std::future::pending().await;
        }
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        loop {
            if let Some(ancestor) = self.first_ended() {
                return ancestor.clone();
            }
            ticks.tick().await;
        }
    }

    fn first_ended(&self) -> Option<&Ancestor> {
        // A process whose parent ended is given to another at once: a changed parent is one that has ended.
        if parent_id() != self.chain[0].pid {
            return Some(&self.chain[0]);
        }
        let ended = |pair: &&[Ancestor]| Process::read(pair[0].pid).is_none_or(|it| it.parent != pair[1].pid);
        self.chain.windows(2).find(ended).map(|pair| &pair[1])
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
