//! A sandbox without Terraform, for what needs no installation of Cordon. It starts in a second.

use std::sync::LazyLock;

use anyhow::Result;
use cordon_sandbox::{Options, Sandbox};

use crate::{runtime::run_test, turns::Shared};

/// Tests that share the sandbox at once. Its emulator is one process of one thread.
const MAX_CONCURRENCY: usize = 4;

static BARE: LazyLock<Shared<Sandbox>> = LazyLock::new(|| Shared::new(MAX_CONCURRENCY));

/// Starts a sandbox on free ports.
///
/// # Errors
/// When it does not start.
pub async fn start_sandbox() -> Result<Sandbox> {
    Sandbox::start(Options { port: 0, slack_port: 0, ..Options::default() }).await
}

/// Runs a test in the sandbox that all such tests share. They are kept apart by the names of what they make.
///
/// # Errors
/// The test's own; when the sandbox does not start.
pub fn in_bare_sandbox<T>(test: impl Future<Output = Result<T>>) -> Result<T> {
    let test = Box::pin(test);
    run_test(async {
        let (_, _turn) = BARE.shared(start_sandbox).await?;
        test.await
    })
}

/// The same for a test that looks at the clock, or keeps the emulator busy for seconds: no other runs there meanwhile.
///
/// # Errors
/// As [`in_bare_sandbox`].
pub fn alone_in_bare_sandbox<T>(test: impl Future<Output = Result<T>>) -> Result<T> {
    let test = Box::pin(test);
    run_test(async {
        let (_, _turn) = BARE.alone(start_sandbox).await?;
        test.await
    })
}

/// The sandbox of [`in_bare_sandbox`].
pub fn bare_sandbox() -> &'static Sandbox {
    BARE.get()
}
