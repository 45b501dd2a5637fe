//! Raw requests of every bad kind against the running binary: none is accepted, none is parsed before it is verified,
//! and none makes it panic. `CORDON_FUZZ_SEED` and `CORDON_FUZZ_REQUESTS` choose other requests and more of them.
//!
//! That the parser comes last shows in the answers: what it is given here it would refuse with 400, so a request that is
//! not signed and gets a 401 has not been parsed. (That nothing else can reach it is a matter of types: it takes only
//! what `signature::verify` gives back.)

mod requests;

use std::{env, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use cordon_sandbox::CallFilter;
use cordon_tests::{
    clicks::{ClickStage, GATEWAY},
    eventually, on_stage, report,
};
use futures::{StreamExt, TryStreamExt, stream};
use rand::{SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use self::requests::{Expected, Request, Requests};

const SEED: u64 = 20_260_311;
const COUNT: usize = 30_000;
const AT_ONCE: usize = 24;
/// Past every limit of the gateway.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn no_request_but_a_genuine_click_is_accepted() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = ClickStage::alone().await?;
        let gateway = stage.gateway(None, &[("CORDON_LOG", "error")]).await?;
        let number = |name: &str, usual: u64| env::var(name).map_or(Ok(usual), |text| text.parse::<u64>());
        let (seed, count) =
            (number("CORDON_FUZZ_SEED", SEED)?, number("CORDON_FUZZ_REQUESTS", COUNT as u64)?);
        let cases = stage.open(2).await?;
        stage.wait_for(&cases).await?;
        let opened = stage.sandbox.calls().last();
        let (target, control) = (&cases[..1], &cases[1..]);
        ensure!(
            stage.click(&gateway.url, &control[0]).await.status == 200,
            "a genuine click is accepted before"
        );
        ensure!(stage.votes(control).await? == [1]);
        let woken_after = |number: u64| {
            stage.sandbox.calls().select(&CallFilter {
                after: Some(number),
                service: Some("states".into()),
                principal: Some(GATEWAY.into()),
                ..CallFilter::default()
            })
        };
        eventually("the wake-up", async || Ok((!woken_after(opened).is_empty()).then_some(()))).await?;

        let before = stage.sandbox.calls().last();
        let address = gateway.url.strip_prefix("http://").context("a URL")?;
        let mut chance = StdRng::seed_from_u64(seed);
        let requests = Requests::new(stage.sandbox.slack(), &target[0]);
        let answered = (0..count).map(|number| {
            let request = requests.next(&mut chance);
            async move {
                let status = ask(address, &request).await.with_context(|| request.about(number, seed))?;
                if !request.expected.holds(status) {
                    bail!("{} was answered with {status}", request.about(number, seed));
                }
                anyhow::Ok(status)
            }
        });
        let answers: Vec<u16> = stream::iter(answered).buffer_unordered(AT_ONCE).try_collect().await?;

        let case = stage.cases.get(&target[0].case_id).await?.context("the case is there")?;
        let touched = case.decision.is_some() || case.snooze.is_some() || case.escalation.is_some();
        let woken = woken_after(before);
        let accepted = case.votes.len() + usize::from(touched) + case.restores.len() + woken.len();
        let with = |status: u16| answers.iter().filter(|&&answer| answer == status).count();
        report(&format!(
            "PROOF gateway_fuzz requests={} accepted={accepted} refused_unparsed={} refused_by_parser={} seed={seed}",
            answers.len(),
            with(401),
            with(400),
        ));
        ensure!(accepted == 0, "{case:?} {woken:?}");
        let log = std::fs::read_to_string(gateway.process.log())?;
        ensure!(!log.contains("panicked"), "{}", gateway.process.end_of_log());
        ensure!(
            stage.click(&gateway.url, &target[0]).await.status == 200,
            "a genuine click is accepted after"
        );
        ensure!(stage.votes(target).await? == [1]);
        Ok(())
    })
}

/// Sends the bytes; the status of the answer, 0 where the connection was closed without one.
async fn ask(address: &str, request: &Request) -> Result<u16> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        // A connection that is closed in the middle of a request is an answer too.
        if stream.write_all(&request.bytes).await.is_ok() && request.expected == Expected::Refused {
            let _ = stream.shutdown().await;
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        anyhow::Ok(answer)
    };
    let answer: Vec<u8> = tokio::time::timeout(PATIENCE, asked).await.context("no answer, and no end")??;
    let line = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
    match line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)) {
        Some(status) => Ok(status.parse()?),
        None => Ok(0),
    }
}

impl Expected {
    fn holds(&self, status: u16) -> bool {
        match self {
            Self::Refused => !(200..400).contains(&status),
            Self::Exactly(expected) => status == *expected,
            Self::NoVote => [200, 400].contains(&status),
        }
    }
}
