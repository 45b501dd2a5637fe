//! A person leaves a version of the key while policy moves it.

use anyhow::{Context, Result, ensure};
use cordon_domain::case::{Outcome, OutcomeResult};
use cordon_sandbox::Intervention;
use cordon_tests::run_test;

use super::{fixture::Fixture, promise, scenario::SCENARIOS};

#[test]
fn what_was_moved_can_be_put_back_whatever_a_person_says_of_it_afterwards() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == "all versions");
        let task = scenario.context("the scenario")?.prepare(fixture).await?;
        let answer = fixture.run_to_the_end(&task, |_| Intervention::Pass).await?;
        promise::is_kept(fixture, &task, &answer).await?;

        let left = task.named.get(1).context("another version")?.version.case_id();
        let left = fixture.cases.get(&left).await?.context("its case")?;
        let outcome = Outcome { result: OutcomeResult::Dismissed, detail: String::new(), code: None };
        ensure!(fixture.cases.close(&left, &outcome).await?.stands().is_some(), "it is closed");
        let again = fixture.run_to_the_end(&task, |_| Intervention::Pass).await?;
        promise::is_kept(fixture, &task, &again).await
    })
}
