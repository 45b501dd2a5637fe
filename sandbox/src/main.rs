//! The `cordon-sandbox` binary: everything is in the library, so that tests and the demo share it.

use std::process::ExitCode;

fn main() -> ExitCode {
    cordon_sandbox::cli::run()
}
