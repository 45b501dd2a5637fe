//! A container run by runc: no limits, no network of its own, no daemon.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Child;

/// A running container; it is killed with this value.
pub(crate) struct Container {
    bundle: TempDir,
    id: String,
    process: Child,
}

impl Container {
    pub(crate) async fn start(
        root: &Path,
        argv: &[&str],
        environment: &[(String, String)],
    ) -> Result<Container> {
        let bundle = tempfile::tempdir()?;
        // As ECS mounts them.
        std::fs::write(bundle.path().join("hosts"), "127.0.0.1 localhost sandbox.test\n")?;
        std::fs::write(bundle.path().join("resolv.conf"), "nameserver 127.0.0.1\n")?;
        let environment: Vec<_> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let config = config(root, bundle.path(), argv, &environment);
        std::fs::write(bundle.path().join("config.json"), config.to_string())?;
        let id = format!("cordon-{:08x}", rand::random::<u32>());
        let log = std::fs::File::create(bundle.path().join("log"))?;
        let process = tokio::process::Command::from(runc(bundle.path(), &["run", "--bundle"]))
            .arg(bundle.path())
            .arg(&id)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("runc is needed; Debian has it as a package of this name")?;
        Ok(Container { bundle, id, process })
    }

    /// What the process has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.bundle.path().join("log")).unwrap_or_default()
    }

    /// Runs another process in the container; whether it succeeded.
    pub(crate) fn exec(&self, argv: &[&str]) -> Result<bool> {
        let mut command = runc(self.bundle.path(), &["exec", &self.id]);
        Ok(command.args(argv).output()?.status.success())
    }

    /// Fails unless the process has no capability and another user than root.
    pub(crate) fn is_unprivileged(&self) -> Result<()> {
        let state = runc(self.bundle.path(), &["state", &self.id]).output()?;
        let state: Value = serde_json::from_slice(&state.stdout)?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", state["pid"]))?;
        let line =
            |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        ensure!(line("Uid:").contains("65532"), "{}", line("Uid:"));
        ensure!(line("CapEff:").ends_with("0000000000000000"), "{}", line("CapEff:"));
        ensure!(line("NoNewPrivs:").ends_with('1'), "{}", line("NoNewPrivs:"));
        Ok(())
    }

    /// Sends SIGTERM; whether it then ends with 0.
    pub(crate) async fn stop(&mut self) -> Result<bool> {
        runc(self.bundle.path(), &["kill", &self.id, "TERM"]).output()?;
        Ok(self.process.wait().await?.success())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The process here is runc: what it has started would go on without it.
        let _ = runc(self.bundle.path(), &["delete", "--force", &self.id]).output();
    }
}

fn runc(bundle: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("runc");
    command.arg("--root").arg(bundle.join("state")).args(arguments);
    command
}

fn config(root: &Path, bundle: &Path, argv: &[&str], environment: &[String]) -> Value {
    let bind = |name: &str| -> Value {
        let source: PathBuf = bundle.join(name);
        json!({"destination": format!("/etc/{name}"), "type": "bind", "source": source, "options": ["bind", "ro"]})
    };
    json!({
        "ociVersion": "1.0.2",
        "process": {"terminal": false, "user": {"uid": 65532, "gid": 65532}, "cwd": "/", "args": argv,
            "env": environment, "noNewPrivileges": true,
            "capabilities": {"bounding": [], "effective": [], "permitted": [], "inheritable": [], "ambient": []}},
        "root": {"path": root, "readonly": true},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            bind("hosts"), bind("resolv.conf"),
        ],
        "linux": {"namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]},
    })
}
