//! `cordon-sandbox down`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::process::running::Running;
use crate::sandbox::Options;

/// Stop a sandbox that `cordon-sandbox up` started
///
/// Without --run-dir it stops the one that runs with the data directory. That none runs is no failure.
#[derive(Debug, Args)]
pub(super) struct Down {
    /// The run directory of the sandbox, which `up` prints after "Logs"
    #[arg(long, value_name = "DIR", conflicts_with = "data_dir")]
    run_dir: Option<PathBuf>,

    /// The data directory that `up` was given [default: .sandbox in the workspace]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Down {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let (running, place) = match self.run_dir {
            Some(run_dir) => {
                let run_dir =
                    run_dir.canonicalize().with_context(|| format!("cannot find {}", run_dir.display()))?;
                (Running::of(&run_dir).into_iter().collect(), run_dir)
            }
            None => {
                let data_dir = self.data_dir.unwrap_or_else(|| Options::default().data_dir);
                (Running::all(&data_dir), data_dir)
            }
        };
        match running.as_slice() {
            [] => println!("No sandbox runs in {}.", place.display()),
            [running] => {
                running.stop().await?;
                println!(
                    "Stopped the sandbox at {} (process {}). Its logs stay in {}.",
                    running.endpoint,
                    running.pid,
                    running.run_dir.display()
                );
            }
            several => {
                let list: String = several
                    .iter()
                    .map(|it| {
                        format!(
                            "\n  --run-dir {}   {} (process {})",
                            it.run_dir.display(),
                            it.endpoint,
                            it.pid
                        )
                    })
                    .collect();
                bail!("{} sandboxes run; choose the one to stop:{list}", several.len());
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
