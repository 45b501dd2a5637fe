//! The program as another one sees it: how it starts, what it says, and that nothing is left of it.

use super::*;

#[test]
fn up_greets_with_the_environment_answers_health_and_ends_on_sigterm() -> Result<()> {
    with_sandbox(async {
        let mut up = Up::start(&mut Up::program())?;
        for expected in [
            "export AWS_ACCESS_KEY_ID=111122223333",
            "export AWS_REGION=us-east-1",
            "Slack  http://127.0.0.1:",
        ] {
            assert!(up.greeting.contains(expected), "{expected} is missing in:\n{}", up.greeting);
        }
        let health: Value =
            http()?.get(format!("{}/_sandbox/health", up.endpoint)).send().await?.json().await?;
        assert_eq!((&health["status"], &health["account"]), (&json!("ok"), &json!("111122223333")));

        up.signal("TERM")?;
        assert_eq!(up.process.wait()?.code(), Some(0));
        until("nothing is left", async || Up::descendants(&up.endpoint).is_empty()).await
    })
}

#[test]
fn a_killed_sandbox_leaves_no_process_behind() -> Result<()> {
    with_sandbox(async {
        let mut up = Up::start(&mut Up::program())?;
        assert!(Up::descendants(&up.endpoint).len() >= 2, "the emulator and its supervisor are seen");
        up.process.kill()?;
        until("nothing is left", async || Up::descendants(&up.endpoint).is_empty()).await
    })
}

#[test]
fn a_killed_make_leaves_no_process_behind() -> Result<()> {
    with_sandbox(async {
        if Command::new("make").arg("--version").output().is_err() {
            println!("SKIPPED: make is not installed");
            return Ok(());
        }
        let directory = tempfile::tempdir()?;
        // Two commands, so that make needs a shell between itself and the sandbox, which outlives it.
        let rule = format!("up:\n\t@{} up --port 0 --slack-port 0; true\n", PROGRAM.display());
        std::fs::write(directory.path().join("Makefile"), rule)?;
        let mut make = Up::start(Command::new("make").arg("-s").current_dir(directory.path()).arg("up"))?;
        assert!(!Up::descendants(&make.endpoint).is_empty());
        make.process.kill()?;
        until("nothing is left", async || Up::descendants(&make.endpoint).is_empty()).await?;
        let health = format!("{}/_sandbox/health", make.endpoint);
        let http = http()?;
        until("the front door is closed", async || http.get(&health).send().await.is_err()).await
    })
}

#[test]
fn a_taken_port_is_one_clear_sentence() -> Result<()> {
    with_sandbox(async {
        let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = taken.local_addr()?.port().to_string();
        for option in ["--port", "--slack-port"] {
            let free = if option == "--port" { "--slack-port" } else { "--port" };
            let said = refusal(Command::new(&*PROGRAM).args(["up", free, "0", option, &port]))?;
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(said.contains(&port) && said.contains(option) && said.contains("taken"), "{said}");
        }
        Ok(())
    })
}

#[test]
fn a_second_start_needs_no_network() -> Result<()> {
    with_sandbox(async {
        drop(Up::start(&mut Up::program())?);
        let mut again = Up::program();
        again.env("PIP_INDEX_URL", CLOSED_PORT).env_remove("PIP_FIND_LINKS");
        let up = Up::start(&mut again)?;
        println!("second start: {}", up.greeting.lines().next().unwrap_or_default());
        Ok(())
    })
}

#[test]
fn a_first_start_without_network_says_so_and_leaves_no_half_made_environment() -> Result<()> {
    with_sandbox(async {
        let data = tempfile::tempdir()?;
        let mut first = Up::program();
        first.arg("--data-dir").arg(data.path());
        first.env("PIP_INDEX_URL", CLOSED_PORT).env("PIP_RETRIES", "0").env("PIP_NO_CACHE_DIR", "1");
        first.env_remove("PIP_FIND_LINKS").env_remove("PIP_EXTRA_INDEX_URL");
        let said = refusal(&mut first)?;
        assert!(said.contains("cannot be fetched") && said.contains("PIP_INDEX_URL"), "{said}");
        let made = std::fs::read_dir(data.path())?.flatten().map(|entry| entry.file_name());
        let made: Vec<String> = made.map(|name| name.to_string_lossy().into_owned()).collect();
        let complete = made.iter().find(|name| name.starts_with("venv-") && !name.contains('.'));
        assert_eq!(complete, None, "of {made:?}");
        Ok(())
    })
}

#[test]
fn a_missing_or_old_python_is_named_with_what_to_do() -> Result<()> {
    with_sandbox(async {
        let directory = tempfile::tempdir()?;
        let attempt = || {
            let mut command = Up::program();
            command.env("PATH", directory.path()).arg("--data-dir").arg(directory.path().join("data"));
            refusal(&mut command)
        };
        let said = attempt()?;
        assert!(said.contains("python3 is missing") && said.contains("3.11"), "{said}");

        let fake = directory.path().join("python3");
        std::fs::write(&fake, "#!/bin/sh\necho 3 9\n")?;
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&fake, executable)?;
        let said = attempt()?;
        assert!(said.contains("3.9") && said.contains("needs 3.11"), "{said}");
        Ok(())
    })
}

#[test]
fn what_is_missing_is_named_before_the_build() -> Result<()> {
    with_sandbox(async {
        let directory = tempfile::tempdir()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sandbox/prerequisites.sh");
        let attempt = || refusal(Command::new("/bin/sh").arg(&script).env("PATH", directory.path()));
        assert!(attempt()?.contains("install Python 3.11"));

        std::os::unix::fs::symlink("/bin/true", directory.path().join("python3"))?;
        assert!(attempt()?.contains("install Terraform 1.9"));
        Ok(())
    })
}

#[test]
fn a_proxy_of_the_shell_is_not_asked_for_what_listens_here() -> Result<()> {
    with_sandbox(async {
        let up = Up::start(Up::program().env("HTTP_PROXY", CLOSED_PORT).env("ALL_PROXY", CLOSED_PORT))?;
        let other = start_sandbox().await?;
        let config = other.sdk_config().await.into_builder().endpoint_url(&up.endpoint).build();
        s3(&config).create_bucket().bucket("read").send().await?;
        let analyzer = aws_sdk_accessanalyzer::Client::new(&config);
        let account = aws_sdk_accessanalyzer::types::Type::Account;
        analyzer.create_analyzer().analyzer_name("a").r#type(account).send().await?;
        let has_read_the_bucket = async || {
            let asked = analyzer.get_analyzer().analyzer_name("a").send().await.ok();
            let described = asked.and_then(|answer| answer.analyzer);
            described.is_some_and(|analyzer| analyzer.last_resource_analyzed.is_some())
        };
        until("Access Analyzer reads the bucket", has_read_the_bucket).await
    })
}

#[test]
fn help_tells_a_newcomer_what_up_does() -> Result<()> {
    with_sandbox(async {
        let output = Command::new(&*PROGRAM).args(["up", "--help"]).output()?;
        let text = String::from_utf8(output.stdout)?;
        for expected in ["--port", "[default: 4566]", "--slack-port", "--data-dir", "Ctrl-C", "environment"] {
            assert!(text.contains(expected), "{expected} is missing in:\n{text}");
        }
        Ok(())
    })
}

#[test]
fn a_supervised_command_dies_with_its_starter_and_hands_on_its_exit_code() -> Result<()> {
    with_sandbox(async {
        let mut supervisor = Command::new(&*PROGRAM)
            .args(["supervise", "--", "sh", "-c", "exit 7"])
            .stdin(Stdio::piped())
            .spawn()?;
        // Waiting would close a pipe that the child still owns.
        let _starter = supervisor.stdin.take();
        assert_eq!(supervisor.wait()?.code(), Some(7));

        // The shell ignores SIGTERM and has a child of its own; both go when the pipe closes.
        let script = "trap '' TERM; sleep 300 & echo $!; wait; wait";
        let mut supervisor = Command::new(&*PROGRAM)
            .args(["supervise", "--", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(supervisor.stdout.as_mut().context("an output")?).read_line(&mut line)?;
        let grandchild = PathBuf::from("/proc").join(line.trim());
        assert!(grandchild.exists());
        drop(supervisor.stdin.take());
        assert_eq!(supervisor.wait()?.code(), Some(128 + 9));
        let gone = async || {
            !std::fs::read_to_string(grandchild.join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
        };
        until("the grandchild is gone", gone).await
    })
}
