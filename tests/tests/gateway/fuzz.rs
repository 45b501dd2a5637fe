//! Raw requests of every bad kind against the running binary: none is accepted, none is parsed before it is verified,
//! and none makes it panic. `CORDON_FUZZ_SEED` chooses other requests.
//!
//! That the parser comes last shows in the answers: what it is given here it would refuse with 400, so a request that is
//! not signed and gets a 401 has not been parsed. (That nothing else can reach it is a matter of types: it takes only
//! what `signature::verify` gives back.)

mod requests;

use std::{env, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use cordon_sandbox::CallFilter;
use cordon_tests::{
    Size,
    clicks::{GATEWAY, GatewayEnv},
    eventually, report, run_test,
};
use futures::{StreamExt, TryStreamExt, stream};
use rand::{SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use self::requests::{Expected, Request, Requests};

const SEED: u64 = 20_260_311;
const MAX_CONCURRENCY: usize = 24;
/// Past every limit of the gateway.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn no_request_but_a_genuine_click_is_accepted() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[("CORDON_LOG", "error")]).await?;
        let seed = env::var("CORDON_FUZZ_SEED").map_or(Ok(SEED), |text| text.parse::<u64>())?;
        let size = Size::of_this_run();
        let count: u64 = size.pick(30_000, 30_000, 1_000_000);
        let cases = env.open(2).await?;
        env.wait_for(&cases).await?;
        let opened = env.sandbox.calls().last();
        let (target, control) = (&cases[..1], &cases[1..]);
        ensure!(
            env.click(&gateway.url, &control[0]).await.status == 200,
            "a genuine click is accepted before"
        );
        ensure!(env.votes(control).await? == [1]);
        let woken_after = |number: u64| {
            env.sandbox.calls().select(&CallFilter {
                after: Some(number),
                service: Some("states".into()),
                principal: Some(GATEWAY.into()),
                ..CallFilter::default()
            })
        };
        eventually("the wake-up", async || Ok((!woken_after(opened).is_empty()).then_some(()))).await?;

        let before = env.sandbox.calls().last();
        let address = gateway.url.strip_prefix("http://").context("a URL")?;
        let mut chance = StdRng::seed_from_u64(seed);
        let requests = Requests::new(env.sandbox.slack(), &target[0]);
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
        let answers: Vec<u16> =
            stream::iter(answered).buffer_unordered(MAX_CONCURRENCY).try_collect().await?;

        let case = env.cases.get(&target[0].case_id).await?.context("the case is there")?;
        let touched = case.approval.decided.is_some()
            || case.approval.snooze.is_some()
            || case.approval.escalation.is_some();
        let woken = woken_after(before);
        let accepted =
            case.approval.votes.len() + usize::from(touched) + case.quarantine.restores.len() + woken.len();
        let with = |status: u16| answers.iter().filter(|&&answer| answer == status).count();
        report(&format!(
            "PROOF gateway_fuzz size={size} requests={} accepted={accepted} refused_unparsed={} refused_by_parser={} seed={seed}",
            answers.len(),
            with(401),
            with(400),
        ));
        ensure!(accepted == 0, "{case:?} {woken:?}");
        let log = std::fs::read_to_string(gateway.process.log())?;
        ensure!(!log.contains("panicked"), "{}", gateway.process.end_of_log());
        ensure!(env.click(&gateway.url, &target[0]).await.status == 200, "a genuine click is accepted after");
        ensure!(env.votes(target).await? == [1]);
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
    let answer: Vec<u8> =
        tokio::time::timeout(ANSWER_DEADLINE, asked).await.context("no answer, and no end")??;
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
