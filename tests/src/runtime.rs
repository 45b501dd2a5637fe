//! One runtime for all tests of a process, and how long each of them takes.

use std::{
    cell::Cell,
    env,
    fs::File,
    io::Write,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::runtime::Runtime;

/// Names a file to which each test appends a line with its seconds and its name.
const TIMES: &str = "CORDON_TEST_TIMES";

thread_local! {
    /// How long the test of this thread has waited for its turn. libtest gives each test a thread.
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Runs a test. The sandboxes and the clients' connections live on this runtime, so they outlive the test.
///
/// # Errors
/// The test's own.
pub fn run_test<T>(test: impl Future<Output = Result<T>>) -> Result<T> {
    // The future of a test is large, and libtest's threads have small stacks.
    let test = Box::pin(test);
    timed(|| runtime().block_on(test))
}

/// Runs a test that needs no runtime.
pub fn timed<T>(test: impl FnOnce() -> T) -> T {
    WAITED.set(Duration::ZERO);
    let began = Instant::now();
    let result = test();
    record(began.elapsed().saturating_sub(WAITED.get()));
    result
}

/// Awaits what a test waits for before it begins, which does not count as its own time.
pub async fn waiting<T>(turn: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let turn = turn.await;
    WAITED.set(WAITED.get() + began.elapsed());
    turn
}

fn record(took: Duration) {
    let Ok(path) = env::var(TIMES) else { return };
    let line = format!("{:.1} {}\n", took.as_secs_f64(), thread::current().name().unwrap_or("a test"));
    let file = File::options().create(true).append(true).open(path);
    if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        report(&format!("the duration of a test is lost: {error}"));
    }
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts")
    })
}

/// Prints a line of figures past the test harness, which swallows the output of tests that pass.
pub fn report(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
