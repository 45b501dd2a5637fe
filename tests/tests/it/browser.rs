//! A person in front of the channel: the Slack page in a real browser.
//!
//! Screenshots are left in `target/screenshots`.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use cordon_domain::case::Decision;
use cordon_tests::{CHANNEL, Placed, TestEnv, browser::Browser, run_test};

const NOTES: &str = "//article[contains(@class, 'ephemeral')]";

#[test]
fn a_person_sees_the_message_and_only_an_allowed_ones_click_moves_the_object() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("in-the-browser").await?;
        let object = env.put(&bucket, "exports/card.txt", "5163200000000008").await?;
        let run = env.respond("Financial", &object).await?;
        // While somebody fills in a modal, the page keeps still; another test may have left one open.
        env.sandbox.slack().close_modals();
        let browser = Browser::start().await?;
        let seen = look_and_click(env, &browser, &bucket, &object).await;
        browser.quit().await?;
        seen?;
        env.succeeded(&run).await
    })
}

async fn look_and_click(env: &TestEnv, browser: &Browser, bucket: &str, object: &Placed) -> Result<()> {
    let message = format!("//article[contains(., '{bucket}')]");
    let as_person = |user: &str| format!("{}/channel/{CHANNEL}?as={user}", env.sandbox.slack_url());

    // Other tests' notes may be there.
    browser.open(&as_person("U0ALICE001")).await?;
    let notes_for_alice = browser.count(NOTES).await?;
    browser.open(&as_person("U0BOB00002")).await?;
    let notes_for_bob = browser.count(NOTES).await?;
    let shown = browser.find(&message).await?;
    let text = browser.text(&shown).await?;
    for says in ["exports/card.txt", "CREDIT_CARD_NUMBER", "High", "Quarantine", "Dismiss"] {
        ensure!(text.contains(says), "{says} is not in {text:?}");
    }
    click_quarantine(browser, &message).await?;
    let note = browser.find(&format!("({NOTES})[{}]", notes_for_bob + 1)).await?;
    let text = browser.text(&note).await?;
    ensure!(text.contains("Only visible to you") && text.contains("may decide"), "{text:?}");
    browser.screenshot(&screenshot("not-allowed.png")?).await?;
    let case = env.case(object).await?;
    ensure!(case.approval.decided.is_none() && case.approval.votes.is_empty(), "{:?}", case.approval.votes);

    browser.open(&as_person("U0ALICE001")).await?;
    ensure!(browser.count(NOTES).await? == notes_for_alice, "the note is bob's alone");
    let shown = browser.find(&message).await?;
    browser.picture_of(&shown, &screenshot("asked.png")?).await?;
    click_quarantine(browser, &message).await?;

    // The page follows the record by itself.
    let changed = browser.find(&format!("{message}[contains(., 'Quarantined.')]")).await?;
    let text = browser.text(&changed).await?;
    ensure!(text.contains("alice"), "who decided is not in {text:?}");
    ensure!(browser.count(&format!("{message}//summary[normalize-space()='Quarantine']")).await? == 0);
    browser.picture_of(&changed, &screenshot("decided.png")?).await?;
    ensure!(env.case(object).await?.decision() == Some(Decision::Quarantine));
    ensure!(!env.is_there(bucket, "exports/card.txt").await?);
    Ok(())
}

/// Clicks the button, and the one of the question that it asks.
async fn click_quarantine(browser: &Browser, message: &str) -> Result<()> {
    let question = browser.find(&format!("{message}//summary[normalize-space()='Quarantine']")).await?;
    browser.click(&question).await?;
    browser.click(&browser.find(&format!("{message}//div[@role='dialog']//form//button")).await?).await
}

/// Beside the build's other results.
fn screenshot(name: &str) -> Result<PathBuf> {
    let target = std::env::current_exe()?.ancestors().nth(3).context("target")?.to_owned();
    Ok(target.join("screenshots").join(name))
}
