//! `cordon-sandbox supervise -- CMD…`: runs a command that ends with the process that started it.
//!
//! The command runs in its own process group. SIGTERM and SIGINT are passed on to that group as SIGTERM. When standard
//! input closes (the kernel does that even if the starter was killed with SIGKILL) the group is killed, and so is
//! whatever the command leaves behind when it ends by itself.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Runs `argv` and returns its exit code, or 128 + the signal that ended it. With `output`, what the command
/// prints is appended to that file and the command's process id is the first line on standard output.
pub(crate) async fn run(argv: &[OsString], output: Option<&Path>) -> anyhow::Result<u8> {
    let (program, arguments) = argv.split_first().context("no command to run")?;
    // The handlers come first: a SIGTERM between the start and the handler would end the supervisor alone.
    let mut terminated = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;

    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).process_group(0);
    if let Some(path) = output {
        let open = || OpenOptions::new().create(true).append(true).open(path);
        let log = || open().with_context(|| format!("cannot write {}", path.display()));
        command.stdout(log()?).stderr(log()?);
    }
    let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
    let pid = child.id().context("the command has no process id")?;
    let group = Pid::from_raw(pid.cast_signed()).context("the command has no process id")?;
    if output.is_some() {
        let mut out = io::stdout();
        writeln!(out, "{pid}").and_then(|()| out.flush()).context("cannot tell the process id")?;
    }
    let mut starter_ended = watch_input();

    let status = loop {
        tokio::select! {
            status = child.wait() => break status.context("cannot wait for the command")?,
            _ = terminated.recv() => { let _ = kill_process_group(group, Signal::TERM); }
            _ = interrupted.recv() => { let _ = kill_process_group(group, Signal::TERM); }
            _ = &mut starter_ended => {
                let _ = kill_process_group(group, Signal::KILL);
                break child.wait().await.context("cannot wait for the command")?;
            }
        }
    };
    // Fails when the group is empty already, which is the usual case.
    let _ = kill_process_group(group, Signal::KILL);
    Ok(code(status))
}

/// Completes when standard input closes. A plain thread, because the runtime would wait at its end for a read that
/// may never return.
fn watch_input() -> oneshot::Receiver<()> {
    let (closed, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = closed.send(());
    });
    receiver
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}
