//! Where the demo writes what people read.

use std::fmt::Display;
use std::io::Write;
use std::time::Instant;

/// Lines with the time since the demo began. They go to standard output, or to standard error where standard output is
/// for JSON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    began: Instant,
    json: bool,
}

impl Output {
    pub(super) fn new(began: Instant, json: bool) -> Self {
        Self { began, json }
    }

    /// Something that happened just now.
    pub(super) fn event(self, what: impl Display) {
        self.line(format_args!("{:6.1} s  {what}", self.began.elapsed().as_secs_f32()));
    }

    /// A line without a time. Nobody has to read it: a closed pipe does not end the demo.
    pub(super) fn line(self, text: impl Display) {
        let _ = if self.json {
            writeln!(std::io::stderr(), "{text}")
        } else {
            writeln!(std::io::stdout(), "{text}")
        };
    }
}
