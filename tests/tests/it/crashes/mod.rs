//! The promise of a move, proved by breaking it off everywhere.
//!
//! A process does one task, and all its AWS calls go through an intercepting proxy. The tests find out by themselves which calls these
//! are: at each of them a process is killed before the call is carried out, another after, and others have the call
//! meet faults, or two processes are at the same task. Each time a successor has to end the task as if nothing had
//! happened. No worker runs beside it.

mod approvals;
mod descriptions;
mod dismissals;
mod exposures;
pub(super) mod fixture;
mod forgeries;
mod lost_answers;
mod promise;
mod rate_limits;
mod repeats;
mod requests;
mod rescans;
mod scenario;
mod stopped;
mod two_workers;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result, ensure};
use cordon_sandbox::{Fault, InterceptedCall, Intervention};
use cordon_tests::{Size, report, run_test};
use fixture::Fixture;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use scenario::{SCENARIOS, Scenario};
use tokio::task::JoinSet;

/// How many of their calls are.
const RANDOM_SHARE: f64 = 0.2;

#[test]
fn a_process_killed_before_or_after_any_call_loses_nothing_and_its_successor_ends_the_task() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let (mut sweep, mut tried) = (JoinSet::new(), Tried::new(Size::of_this_run()));
        for (scenario, calls) in fixture.undisturbed().await? {
            for (last, next) in calls.iter().zip(&calls[1..]).filter(|(last, next)| differ(last, next)) {
                if tried.is_wanted(format!("{} {}", last.operation, next.operation)) {
                    sweep.spawn(killed_between(fixture, scenario, last.n, next.n));
                }
            }
            if let Some(last) = calls.last().filter(|last| last.writes())
                && tried.is_wanted(last.operation.clone())
            {
                sweep.spawn(killed_after(fixture, scenario, calls.len()));
            }
        }
        let mut points = Points::default();
        for tried in sweep.join_all().await {
            points.extend(tried?);
        }
        points.prove("crash_points", "total=")
    })
}

#[test]
fn a_small_object_takes_at_most_ten_requests() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let (_, calls) = fixture
            .undisturbed()
            .await?
            .iter()
            .find(|(one, _)| one.name == "small")
            .context("it is there")?;
        let requests: Vec<_> =
            calls.iter().filter(|call| matches!(call.service.as_str(), "s3" | "sts")).collect();
        ensure!((1..=10).contains(&requests.len()), "{} requests: {requests:#?}", requests.len());
        Ok(())
    })
}

/// Whether a process that is killed between two calls leaves something else behind than one that was killed before
/// the first of them. An answered read changes nothing: so the kills before it and after it are one, and are counted
/// once, as the kill after the write before it. Before the first write, nothing is left behind.
fn differ(last: &InterceptedCall, next: &InterceptedCall) -> bool {
    last.writes() || !next.alone
}

/// Kills a process before a call, which is also after the one before, if that had its answer: in between, a process
/// does nothing that lasts. Where calls are made side by side, one more process is killed after the one before.
async fn killed_between(
    fixture: &'static Fixture,
    scenario: &'static Scenario,
    last: usize,
    next: usize,
) -> Result<Points> {
    let (mut points, alone) = killed(fixture, scenario, next, Intervention::Instead(Fault::Hang)).await?;
    if !alone {
        points.extend(killed_after(fixture, scenario, last).await?);
    }
    Ok(points)
}

/// Kills a process after its `n`th call was carried out, and before it knows.
async fn killed_after(fixture: &'static Fixture, scenario: &'static Scenario, n: usize) -> Result<Points> {
    Ok(killed(fixture, scenario, n, Intervention::After(Fault::Hang)).await?.0)
}

/// Kills a process at its `n`th call, and says whether that was its only one under way.
async fn killed(
    fixture: &Fixture,
    scenario: &Scenario,
    n: usize,
    moment: Intervention,
) -> Result<(Points, bool)> {
    let _turn = fixture.turn().await;
    let task = scenario.prepare(fixture).await?;
    let run = fixture.run(&task, move |call| if call.n == n { moment } else { Intervention::Pass }).await?;
    let call = run.calls.get(n - 1).with_context(|| format!("{}: there is no call {n}", scenario.name))?;
    let survived = async {
        ensure!(run.answer.is_none(), "it was not killed");
        promise::nothing_is_lost(fixture, &task).await.context("when it was killed")?;
        let answer = fixture.run_to_the_end(&task, |_| Intervention::Pass).await?;
        promise::is_kept(fixture, &task, &answer).await.context("after the successor")
    };
    let mut points = Points::default();
    points.count(scenario, &format!("{call:?} {moment:?}"), survived.await);
    Ok((points, call.alone))
}

#[test]
fn every_fault_at_every_call_is_ridden_out() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let undisturbed = fixture.undisturbed().await?.iter();
        let calls: Vec<_> = undisturbed
            .flat_map(|(scenario, calls)| calls.iter().map(|call| (*scenario, call.clone())))
            .collect();
        let mut disturbed = JoinSet::new();
        let mut tried = Tried::new(Size::of_this_run());
        for (scenario, call, fault) in faults_in_turn(&calls) {
            if !tried.is_wanted(format!("{} {fault:?}", call.operation)) {
                continue;
            }
            disturbed.spawn(async move {
                let what = format!("{call:?} {fault:?}");
                let met = Arc::new(AtomicBool::new(false));
                let meet = move |came: &InterceptedCall| {
                    let meets = came.n == call.n
                        && came.operation == call.operation
                        && !met.swap(true, Ordering::Relaxed);
                    if meets { fault } else { Intervention::Pass }
                };
                (scenario, what, ends_well(fixture, scenario, meet).await)
            });
        }
        let mut points = Points::default();
        for (scenario, what, result) in disturbed.join_all().await {
            points.count(scenario, &what, result);
        }
        points.prove("fault_points", "total=")
    })
}

/// Every call meets one fault, and calls of the same name all that there are, one after the other; what is left then
/// meets the first call of the name. Every write loses its answer too: what that means depends on the scenario.
fn faults_in_turn(
    calls: &[(&'static Scenario, InterceptedCall)],
) -> Vec<(&'static Scenario, InterceptedCall, Intervention)> {
    let mut turns: BTreeMap<&str, usize> = BTreeMap::new();
    let mut points = Vec::new();
    for (scenario, call) in calls {
        let (faults, turn) = (call.faults(), turns.entry(&call.operation).or_default());
        let fault = faults[*turn % faults.len()];
        points.push((*scenario, call.clone(), fault));
        *turn += 1;
        let lost = Intervention::After(Fault::Cut);
        if call.writes() && fault != lost {
            points.push((*scenario, call.clone(), lost));
        }
    }
    for (scenario, call) in calls {
        let turn = turns.insert(&call.operation, usize::MAX).unwrap_or_default();
        points.extend(call.faults().into_iter().skip(turn).map(|fault| (*scenario, call.clone(), fault)));
    }
    points
}

#[test]
fn faults_at_random_are_ridden_out() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let seed = match env::var("CORDON_FAULT_SEED") {
            Ok(seed) => seed.parse().context("CORDON_FAULT_SEED is a number")?,
            Err(_) => rand::random::<u32>().into(),
        };
        let mut runs = JoinSet::new();
        // Tasks that are disturbed at random.
        let count = Size::of_this_run().pick(24, 96, 2_000);
        for (seed, scenario) in (seed..seed + count).zip(SCENARIOS.iter().cycle()) {
            let rng = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
            let meet = move |call: &InterceptedCall| {
                let mut rng = rng.lock().expect("no panic");
                let meets = rng.random_bool(RANDOM_SHARE);
                call.faults().choose(&mut rng).copied().filter(|_| meets).unwrap_or(Intervention::Pass)
            };
            runs.spawn(async move { (scenario, seed, ends_well(fixture, scenario, meet).await) });
        }
        let mut points = Points::default();
        for (scenario, seed, result) in runs.join_all().await {
            points.count(scenario, &format!("CORDON_FAULT_SEED={seed}"), result);
        }
        points.prove("random_faults", &format!("seed={seed} runs="))
    })
}

/// Does a task whose calls meet this, repeated as Step Functions repeats it, and checks the promise.
async fn ends_well(
    fixture: &Fixture,
    scenario: &Scenario,
    meet: impl Fn(&InterceptedCall) -> Intervention + Clone + Send + 'static,
) -> Result<()> {
    let _turn = fixture.turn().await;
    let task = scenario.prepare(fixture).await?;
    let answer = fixture.run_to_the_end(&task, meet).await?;
    promise::is_kept(fixture, &task, &answer).await
}

/// Which points of a sweep are tried. `make test` tries each kind of point once, in the scenario in which it comes first;
/// otherwise each is tried in every scenario.
struct Tried {
    size: Size,
    kinds: BTreeSet<String>,
}

impl Tried {
    fn new(size: Size) -> Self {
        Self { size, kinds: BTreeSet::new() }
    }

    fn is_wanted(&mut self, kind: String) -> bool {
        self.kinds.insert(kind) || self.size != Size::Test
    }
}

/// What was tried, and what of it broke the promise.
#[derive(Default)]
struct Points {
    total: usize,
    broken: Vec<String>,
}

impl Points {
    fn count(&mut self, scenario: &Scenario, what: &str, result: Result<()>) {
        self.note(format!("{}, {what}", scenario.name), result);
    }

    fn note(&mut self, what: String, result: Result<()>) {
        self.total += 1;
        self.broken.extend(result.err().map(|error| format!("{what}: {error:#}")));
    }

    fn extend(&mut self, other: Points) {
        self.total += other.total;
        self.broken.extend(other.broken);
    }

    fn prove(self, name: &str, total: &str) -> Result<()> {
        let Points { total: tried, broken } = self;
        let size = Size::of_this_run();
        report(&format!("PROOF {name} size={size} {total}{tried} survived={}", tried - broken.len()));
        ensure!(broken.is_empty() && tried > 0, "the promise was broken:\n{}", broken.join("\n"));
        Ok(())
    }
}
