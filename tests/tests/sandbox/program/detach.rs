//! `cordon-sandbox up --detach` and `down`, and what a sandbox says before it stops.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use cordon_sandbox::Options;
use cordon_tests::eventually;
use serde_json::{Value, json};

use super::PROGRAM;

/// A data directory of its own, with the emulator's Python environment of the usual one if that exists.
fn data_dir() -> Result<tempfile::TempDir> {
    let own = tempfile::tempdir()?;
    let usual = std::path::absolute(Options::default().data_dir)?;
    for entry in std::fs::read_dir(usual).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("venv-") {
            std::os::unix::fs::symlink(entry.path(), own.path().join(name))?;
        }
    }
    Ok(own)
}

fn up(data_dir: &Path) -> Command {
    let mut command = Command::new(&*PROGRAM);
    command.args(["up", "--port", "0", "--slack-port", "0", "--data-dir"]).arg(data_dir).stdin(Stdio::null());
    command
}

fn down(option: &str, directory: &Path) -> Result<Output> {
    Ok(Command::new(&*PROGRAM).args(["down", option]).arg(directory).output()?)
}

/// A detached sandbox, stopped at the latest when this is dropped.
struct Detached(Value);

impl Detached {
    fn start(data_dir: &Path) -> Result<Detached> {
        let output = up(data_dir).args(["--detach", "--json"]).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "it ended with {}", output.status);
        Ok(Detached(serde_json::from_slice(&output.stdout)?))
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    fn run_dir(&self) -> &Path {
        Path::new(self.text("run_dir"))
    }

    fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.run_dir().join("sandbox.log"))?)
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        let _ = down("--run-dir", self.run_dir());
    }
}

/// Stops the only sandbox of this data directory when it is dropped, also if the test fails.
struct StopAtEnd<'a>(&'a Path);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        let _ = down("--data-dir", self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Processes that belong to the sandbox at this endpoint: the emulator and its supervisor.
fn descendants(endpoint: &str) -> usize {
    let mark = format!("SANDBOX_ENDPOINT={endpoint}");
    let has_mark = |path: &Path| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter(|entry| has_mark(&entry.path())).count()
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    eventually(what, async || Ok(condition().then_some(()))).await
}

async fn get(url: &str, token: Option<&str>) -> Result<Value> {
    let mut request = reqwest::Client::builder().no_proxy().build()?.get(url);
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    Ok(request.send().await?.error_for_status()?.json().await?)
}

#[tokio::test]
async fn a_detached_sandbox_runs_until_down_stops_it() -> Result<()> {
    let data = data_dir()?;
    let first = Detached::start(data.path())?;
    let second = Detached::start(data.path())?;

    // By now the command that started the first one has ended long ago.
    let health = get(&format!("{}/_sandbox/health", first.text("endpoint")), None).await?;
    assert_eq!(health["status"], "ok");
    assert!(descendants(first.text("endpoint")) >= 2, "the emulator and its supervisor are seen");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", first.0["pid"]))?;
    let session = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(3)).context("a session")?;
    assert_eq!(session, first.0["pid"].to_string(), "it has left the session of the terminal");

    let several = down("--data-dir", data.path())?;
    assert_eq!(several.status.code(), Some(1));
    let said = text(&several.stderr);
    for sandbox in [&first, &second] {
        assert!(said.contains(&format!("--run-dir {}", sandbox.text("run_dir"))), "{said}");
    }

    let stopped = down("--run-dir", first.run_dir())?;
    let said = text(&stopped.stdout);
    assert_eq!(stopped.status.code(), Some(0), "{}", text(&stopped.stderr));
    assert!(said.contains(first.text("endpoint")) && said.contains(first.text("run_dir")), "{said}");
    let address = first.text("endpoint").trim_start_matches("http://");
    until("the front door is closed", || std::net::TcpStream::connect(address).is_err()).await?;
    assert!(first.log()?.contains("The sandbox stops: it was told to (SIGTERM)."), "{}", first.log()?);
    until("nothing is left", || descendants(first.text("endpoint")) == 0).await?;

    // Only one runs now, so that it need not be named.
    let stopped = down("--data-dir", data.path())?;
    assert!(text(&stopped.stdout).contains(second.text("endpoint")), "{}", text(&stopped.stdout));
    let none = down("--data-dir", data.path())?;
    assert_eq!((none.status.code(), text(&none.stderr)), (Some(0), String::new()));
    assert_eq!(text(&none.stdout), format!("No sandbox runs in {}.\n", data.path().display()));
    let none = down("--run-dir", first.run_dir())?;
    assert_eq!(text(&none.stdout), format!("No sandbox runs in {}.\n", first.text("run_dir")));
    Ok(())
}

#[tokio::test]
async fn a_detached_start_says_how_to_stop_it_and_what_to_export() -> Result<()> {
    let data = data_dir()?;
    let _stop = StopAtEnd(data.path());
    let output = up(data.path()).arg("--detach").output()?;
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let log = said.lines().find_map(|line| line.strip_prefix("It runs in the background; its log is "));
    assert!(Path::new(log.context("a log")?.trim_end_matches('.')).is_file(), "{said}");
    assert_eq!(said.matches("export AWS_ENDPOINT_URL=http://127.0.0.1:").count(), 2, "{said}");
    let stop = said.lines().find_map(|line| line.strip_prefix("Stop it: ")).context("how to stop it")?;
    let stopped = Command::new("sh").args(["-c", stop]).output()?;
    assert!(text(&stopped.stdout).starts_with("Stopped the sandbox at http://127.0.0.1:"), "{said}");
    Ok(())
}

#[tokio::test]
async fn the_printed_environments_are_the_administrator_and_the_operator() -> Result<()> {
    let data = data_dir()?;
    let sandbox = Detached::start(data.path())?;
    let operator = &sandbox.0["operator_environment"];
    let of_operator = |name: &str| operator[name].as_str().unwrap_or_default();
    let url = of_operator("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let credentials = get(url, Some(of_operator("AWS_CONTAINER_AUTHORIZATION_TOKEN"))).await?;
    assert_eq!(credentials["RoleArn"], "arn:aws:iam::111122223333:role/sandbox-operator");
    assert!(get(url, Some("another token")).await.is_err());
    for (environment, key) in
        [("administrator_environment", "AWS_ACCESS_KEY_ID"), ("operator_environment", "AWS_REGION")]
    {
        let environment = &sandbox.0[environment];
        assert_eq!(environment["AWS_ENDPOINT_URL"], sandbox.0["endpoint"]);
        assert!(environment[key].is_string(), "{environment}");
    }
    assert_eq!(sandbox.0["cordon_is_deployed"], json!(false));
    Ok(())
}

#[tokio::test]
async fn a_detached_start_that_fails_says_why_and_leaves_nothing() -> Result<()> {
    let data = data_dir()?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    let mut command = Command::new(&*PROGRAM);
    command.args(["up", "--detach", "--slack-port", "0", "--port", &port, "--data-dir"]).arg(data.path());
    let output = command.stdin(Stdio::null()).output()?;
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()), "{said}");
    assert!(said.contains(&format!("port {port} on 127.0.0.1 is taken")), "{said}");
    let left: Vec<_> = std::fs::read_dir(data.path())?.flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().starts_with("venv-")), "{left:?}");
    Ok(())
}

/// `up` in the foreground, under a shell that waits for it.
struct Foreground {
    shell: Child,
    directions: Value,
}

impl Foreground {
    fn start(data_dir: &Path) -> Result<Foreground> {
        // Two commands, so that the shell stays between the test and the sandbox.
        let script = "\"$0\" up --json --port 0 --slack-port 0 --data-dir \"$1\"; true";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .arg(&*PROGRAM)
            .arg(data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = shell.stdout.as_mut().context("an output")?;
        let directions =
            serde_json::Deserializer::from_reader(output).into_iter().next().context("a line")??;
        Ok(Foreground { shell, directions })
    }

    /// What it says on standard error until it ends, and what is in its log then.
    async fn last_words(&mut self) -> Result<(String, String)> {
        let mut said = String::new();
        self.shell.stderr.as_mut().context("an output")?.read_to_string(&mut said)?;
        self.shell.wait()?;
        let run_dir = self.directions["run_dir"].as_str().unwrap_or_default();
        let log = std::fs::read_to_string(Path::new(run_dir).join("sandbox.log"))?;
        let endpoint = self.directions["endpoint"].as_str().unwrap_or_default();
        until("nothing is left", || descendants(endpoint) == 0).await?;
        Ok((said, log))
    }
}

#[tokio::test]
async fn a_sandbox_whose_starter_ends_says_so_before_it_stops() -> Result<()> {
    let data = data_dir()?;
    let mut sandbox = Foreground::start(data.path())?;
    let starter = sandbox.shell.id();
    sandbox.shell.kill()?;
    let (said, log) = sandbox.last_words().await?;
    let reason = format!("The sandbox stops: sh (process {starter}), which started it, has ended.");
    for place in [&said, &log] {
        assert!(place.contains(&reason) && place.contains("`cordon-sandbox up --detach`"), "{place}");
    }
    Ok(())
}

#[tokio::test]
async fn a_sandbox_that_is_told_to_stop_says_by_what() -> Result<()> {
    let data = data_dir()?;
    for (signal, reason) in [
        ("TERM", "it was told to (SIGTERM)"),
        ("INT", "it was interrupted (SIGINT)"),
        ("HUP", "its terminal was closed (SIGHUP)"),
    ] {
        let mut sandbox = Foreground::start(data.path())?;
        let pid = sandbox.directions["pid"].to_string();
        ensure!(
            Command::new("kill").args(["-s", signal, &pid]).status()?.success(),
            "SIG{signal} was not sent"
        );
        let (said, log) = sandbox.last_words().await?;
        for place in [&said, &log] {
            assert!(place.contains(&format!("The sandbox stops: {reason}.")), "SIG{signal}: {place}");
        }
    }
    Ok(())
}
