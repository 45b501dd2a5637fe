//! The container image: built with buildah, started with runc, as a task of ECS would be: no capabilities, read-only root, the
//! image's user. Both come with the system; `make prove` runs this, `make test` does not.

mod container;
mod tls;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use cordon_tests::{
    clicks::{GatewayEnv, click, form},
    eventually, report, run_test,
};
use serde_json::Value;
use tempfile::TempDir;

use self::{container::Container, tls::Authority};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a crate of the repository")
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} cannot be run"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{command:?} failed:\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(said)
}

/// Works without a daemon and without a file system of its own.
fn buildah(arguments: &[&str]) -> Command {
    let mut command = Command::new("buildah");
    command.args(arguments).env("STORAGE_DRIVER", "vfs");
    command
}

/// Builds the image with these CA roots; gives back its OCI layout.
fn build(roots: &Path, tag: &str) -> Result<TempDir> {
    let layout = tempfile::tempdir()?;
    let mut build = Command::new(repository().join("image/build.sh"));
    build
        .args(["--with", "buildah", "--profile", "dev", "--tag", tag, "--oci"])
        .arg(layout.path().join("oci"));
    run(build.env("STORAGE_DRIVER", "vfs").env("CA_ROOTS", roots))?;
    Ok(layout)
}

/// The digest of an image: of everything that is in it.
fn digest(layout: &TempDir) -> Result<String> {
    let index: Value = serde_json::from_slice(&std::fs::read(layout.path().join("oci/index.json"))?)?;
    Ok(index["manifests"][0]["digest"].as_str().context("an image has a digest")?.to_owned())
}

/// The files of an image, unpacked; they end with this value.
struct Unpacked {
    container: String,
    root: PathBuf,
}

impl Unpacked {
    fn new(tag: &str) -> Result<Self> {
        let container = run(&mut buildah(&["from", tag]))?.trim().to_owned();
        let root = run(&mut buildah(&["mount", &container]))?.trim().into();
        Ok(Self { container, root })
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = buildah(&["rm", &self.container]).output();
    }
}

fn files(directory: &Path, root: &Path, found: &mut BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, root, found)?;
        } else {
            found.insert(path.strip_prefix(root)?.display().to_string());
        }
    }
    Ok(())
}

#[test]
fn the_image_is_one_static_program_that_runs_unprivileged_resolves_names_and_verifies_certificates()
-> Result<()> {
    run_test(async {
        let authority = Authority::new()?;
        let directory = tempfile::tempdir()?;
        let roots = directory.path().join("roots.pem");
        std::fs::write(&roots, authority.certificate())?;
        let tag = "localhost/cordon-image-test:1";
        let (first, second) = (build(&roots, tag)?, build(&roots, tag)?);
        ensure!(digest(&first)? == digest(&second)?, "two builds of the same sources differ");

        let described: Value =
            serde_json::from_str(&run(&mut buildah(&["inspect", "--type", "image", tag]))?)?;
        let config = &described["OCIv1"]["config"];
        ensure!(
            config["User"] == "65532:65532" && config["Entrypoint"] == serde_json::json!(["/cordon"]),
            "{config}"
        );
        for label in ["title", "version", "revision", "licenses", "source"] {
            let value = &config["Labels"][format!("org.opencontainers.image.{label}")];
            ensure!(value.as_str().is_some_and(|value| !value.is_empty()), "no label {label}");
        }
        let image = Unpacked::new(tag)?;
        let mut found = BTreeSet::new();
        files(&image.root, &image.root, &mut found)?;
        found.retain(|file| !file.starts_with("usr/share/zoneinfo/"));
        ensure!(
            found
                == ["cordon", "etc/ssl/certs/ca-certificates.crt", "sbom.cdx.json"].map(str::to_owned).into(),
            "{found:?}"
        );
        ensure!(image.root.join("usr/share/zoneinfo/Europe/Berlin").is_file());
        let parts: Value = serde_json::from_slice(&std::fs::read(image.root.join("sbom.cdx.json"))?)?;
        let parts = parts["components"].as_array().context("the parts of the program")?;
        ensure!(
            parts.iter().any(|part| part["name"] == "aws-sdk-s3" && part["hashes"][0]["content"].is_string())
        );
        ensure!(!parts.iter().any(|part| part["name"] == "cordon-sandbox"), "only what is linked");

        // By a name that the container's hosts file alone knows, Secrets Manager over TLS. S3 would ask for a name for each bucket.
        let env = GatewayEnv::set_up().await?;
        let endpoint = env.sandbox.endpoint().replace("127.0.0.1", "sandbox.test");
        let port: u16 = env.sandbox.endpoint().rsplit(':').next().context("a port")?.parse()?;
        let trusted = authority.serve("sandbox.test", port).await?;
        let stranger = Authority::new()?.serve("sandbox.test", port).await?;
        for (server, healthy) in [(trusted, true), (stranger, false)] {
            let (mut environment, listen) = env.gateway_environment(&[
                ("AWS_ENDPOINT_URL", &endpoint),
                ("AWS_ENDPOINT_URL_S3", env.sandbox.endpoint()),
                ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &format!("https://sandbox.test:{}", server.port)),
            ])?;
            environment.push(("PATH".into(), "/".into()));
            let mut container = Container::start(&image.root, &["/cordon", "gateway"], &environment).await?;
            let well = async || Ok(container.exec(&["/cordon", "health", "gateway"])?.then_some(()));
            let well = eventually("cordon health in the container", well).await;
            well.with_context(|| container.log())?;
            let http = reqwest::Client::builder().no_proxy().build()?;
            let (status, said) = eventually("an answer of the stores", async || {
                let answer = http.get(format!("http://{listen}/healthz")).send().await?;
                let (status, said) = (answer.status().as_u16(), answer.text().await?);
                Ok(((status == 200) == healthy).then_some((status, said)))
            })
            .await
            .with_context(|| container.log())?;
            if healthy {
                let case = env.open(1).await?;
                let answer = env.send(&format!("http://{listen}"), &form(&click(&case[0]))).await;
                ensure!(answer.status == 200 && env.votes(&case).await? == [1], "{answer:?}");
                container.is_unprivileged()?;
            } else {
                ensure!(said == "Slack's secret cannot be read\n", "{status} {said}");
            }
            ensure!((server.accepted() > 0) == healthy, "{} connections", server.accepted());
            ensure!(container.stop().await?, "it ends in order: {}", container.log());
        }
        report(
            "PROOF image static=1 reproducible=1 unprivileged=1 names_resolved=1 tls_verified=1 strangers_refused=1",
        );
        Ok(())
    })
}
