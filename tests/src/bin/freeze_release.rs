//! `freeze-release <release>`: writes what this release leaves behind while it is at work into `tests/fixtures/upgrade`, where
//! the tests of every later one have it brought to an end. Once, before the release is tagged.

use anyhow::{Context, Result};
use cordon_tests::{
    TestEnv,
    release::{DIRECTORY, Frozen},
    run_test,
};

fn main() -> Result<()> {
    let release = std::env::args().nth(1).context("usage: freeze-release <release>, such as 0.1")?;
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        Frozen::write_all(env, &release).await?;
        println!("{DIRECTORY}/{release}");
        Ok(())
    })
}
