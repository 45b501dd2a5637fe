//! The alarm on tasks that nobody takes, as Terraform renders it: its expression evaluated over made-up series.
//!
//! CloudWatch itself is on no machine of ours, so what its documentation says is written out here: in arithmetic and
//! comparisons of two series a missing value counts as 0, where one of the two has a value; `IF` without a third argument
//! drops what is false; `FILL` fills gaps with a number or, by `REPEAT`, with the value before. Of an alarm the most recent
//! values count, as many as its evaluation periods; more periods than those are looked at, and where even they hold too few
//! values, `ignore` keeps the state as it is.
//! (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring: using-metric-math, alarm-evaluation)

use std::{collections::BTreeMap, sync::OnceLock};

use cordon_tests::Module;
use serde_json::Value;

use super::machines;

/// One value for each period, if there is one.
type Series = Vec<Option<f64>>;
/// Whose first tasks may wait although every slot is rightly taken: a restore lasts up to two hours.
const LONG_TASKS: [&str; 1] = ["object_restore"];
/// How many more periods than it evaluates CloudWatch looks at.
const FURTHER_PERIODS: usize = 2;

fn alarms() -> &'static Vec<Value> {
    static ALARMS: OnceLock<Vec<Value>> = OnceLock::new();
    ALARMS.get_or_init(|| {
        let resources = Module::copied().unwrap().resources("installation", "installs").unwrap();
        let alarms = resources.into_iter().filter(|resource| {
            resource["type"] == "aws_cloudwatch_metric_alarm" && resource["name"] == "tasks_not_taken"
        });
        alarms.map(|mut alarm| alarm["values"].take()).collect()
    })
}

fn queries(alarm: &Value) -> &[Value] {
    alarm["metric_query"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn query<'a>(alarm: &'a Value, id: &str) -> &'a Value {
    queries(alarm)
        .iter()
        .find(|query| query["id"] == id)
        .unwrap_or_else(|| panic!("no query {id} in {alarm}"))
}

#[test]
fn the_first_task_of_every_flow_that_begins_by_itself_has_an_alarm() {
    for (stem, machine) in machines().iter().filter(|(stem, _)| !LONG_TASKS.contains(&stem.as_str())) {
        let first = &machine["States"][machine["StartAt"].as_str().unwrap()]["Resource"];
        let alarm = alarms().iter().find(|alarm| {
            queries(alarm).iter().any(|query| query["metric"][0]["dimensions"]["ActivityArn"] == *first)
        });
        let alarm = alarm.unwrap_or_else(|| panic!("nobody hears of {first}, with which {stem} begins"));
        for (id, metric) in [("scheduled", "ActivitiesScheduled"), ("started", "ActivitiesStarted")] {
            let asked = &query(alarm, id)["metric"][0];
            assert_eq!((&asked["metric_name"], &asked["stat"]), (&metric.into(), &"Sum".into()), "{alarm}");
            assert_eq!(
                (&asked["namespace"], &asked["dimensions"]["ActivityArn"]),
                (&"AWS/States".into(), first)
            );
            assert_eq!(asked["period"], 300, "{alarm}");
        }
        assert_eq!(alarm["alarm_actions"][0], "arn:aws:sns:us-east-1:111122223333:cordon-operators");
        assert_eq!(queries(alarm).iter().filter(|query| query["return_data"] == true).count(), 1, "{alarm}");
    }
}

/// In alarm or not, at the end of each period.
fn states(scheduled: &[i32], started: &[i32]) -> Vec<bool> {
    let alarm = &alarms()[0];
    let both = [true, false].map(|fills_nothing| states_of(alarm, scheduled, started, fills_nothing));
    assert_eq!(both[0], both[1], "it depends on what FILL makes of a metric that was never reported");
    both[0].clone()
}

/// `GAP` is a period without a value.
const GAP: i32 = -1;

fn states_of(alarm: &Value, scheduled: &[i32], started: &[i32], fills_nothing: bool) -> Vec<bool> {
    let number =
        |field: &str| alarm[field].as_u64().unwrap_or_else(|| panic!("no {field} in {alarm}")) as usize;
    let (evaluated, needed) = (number("evaluation_periods"), number("datapoints_to_alarm"));
    assert_eq!(
        (&alarm["comparison_operator"], alarm["threshold"].as_f64(), &alarm["treat_missing_data"]),
        (&"GreaterThanOrEqualToThreshold".into(), Some(1.0), &"ignore".into()),
        "what this test knows to evaluate"
    );
    let series = |values: &[i32]| -> Series {
        values.iter().map(|value| (*value != GAP).then(|| f64::from(*value))).collect()
    };
    let (scheduled, started) = (series(scheduled), series(started));
    let mut is_alarm = false;
    let mut states = Vec::new();
    for now in 1..=scheduled.len() {
        let from = now.saturating_sub(evaluated + FURTHER_PERIODS);
        let metrics =
            BTreeMap::from([("scheduled", &scheduled[from..now]), ("started", &started[from..now])]);
        let returned = queries(alarm).iter().find(|query| query["return_data"] == true).unwrap();
        let values = Evaluation { alarm, metrics, fills_nothing, length: now - from }.query(returned);
        let known: Vec<_> = values.into_iter().flatten().collect();
        let recent = &known[known.len().saturating_sub(evaluated)..];
        let breaching = recent.iter().filter(|value| **value >= 1.0).count();
        if breaching >= needed {
            is_alarm = true;
        } else if recent.len() == evaluated {
            is_alarm = false;
        }
        states.push(is_alarm);
    }
    states
}

#[test]
fn a_task_that_nobody_takes_for_ten_minutes_is_an_alarm_until_one_is_taken() {
    let idle = [GAP; 30];
    let mut scheduled = idle;
    scheduled[3] = 1;
    let states = states(&scheduled, &idle);
    // Its own period and two whole ones: ten minutes, and fifteen at most.
    assert_eq!(states.iter().position(|is_alarm| *is_alarm), Some(5), "{states:?}");
    assert!(states[5..].iter().all(|is_alarm| *is_alarm), "it forgets: {states:?}");
}

#[test]
fn the_alarm_stays_while_more_tasks_come_and_ends_when_a_worker_takes_one() {
    // A cycle each quarter of an hour, a worker that dies after the first one and is back for the seventh.
    let scheduled: Vec<_> = (0..24).map(|n| if n % 3 == 0 { 1 } else { GAP }).collect();
    let mut started = vec![GAP; 24];
    (started[0], started[18], started[21]) = (1, 6, 1);
    let states = states(&scheduled, &started);
    let expected: Vec<_> = (0..24).map(|n| (5..18).contains(&n)).collect();
    assert_eq!(states, expected);
}

#[test]
fn a_worker_at_work_is_no_alarm_however_much_waits_for_it() {
    let never = |scheduled: &[i32], started: &[i32]| {
        let states = states(scheduled, started);
        assert!(states.iter().all(|is_alarm| !is_alarm), "{scheduled:?} {started:?}: {states:?}");
    };
    never(&[3, 2, 4, 1, 5, 2], &[3, 2, 4, 1, 5, 2]);
    // More comes than it can do.
    never(&[90, 90, 90, 90, 90, 90], &[2, 2, 2, 2, 2, 2]);
    // Taken just behind the border of a period, again and again.
    never(&[1, GAP, GAP, 1, GAP, GAP, 1, GAP], &[GAP, 1, GAP, GAP, 1, GAP, GAP, 1]);
    // A worker that is replaced within ten minutes.
    never(&[1, 1, GAP, GAP, GAP], &[GAP, GAP, 2, GAP, GAP]);
    // Nothing to do at all.
    never(&[GAP; 12], &[GAP; 12]);
}

#[test]
fn it_makes_no_difference_whether_nothing_is_reported_as_zero_or_not_at_all() {
    let states = states(&[0, 1, 0, 0, 0, 0, 0, 0, 0], &[0; 9]);
    assert_eq!(states.iter().position(|is_alarm| *is_alarm), Some(3), "{states:?}");
    assert!(states[3..].iter().all(|is_alarm| *is_alarm), "{states:?}");
}

/// Evaluates the queries of an alarm over one stretch of time.
struct Evaluation<'a> {
    alarm: &'a Value,
    metrics: BTreeMap<&'static str, &'a [Option<f64>]>,
    /// Whether FILL makes a series of a metric without any value in this stretch, which the documentation leaves open.
    fills_nothing: bool,
    length: usize,
}

/// A number, or a series.
enum Term {
    Scalar(f64),
    Series(Series),
}

impl Evaluation<'_> {
    fn query(&self, query: &Value) -> Series {
        if let Some(metric) = query["id"].as_str().and_then(|id| self.metrics.get(id)) {
            return metric.to_vec();
        }
        let text = query["expression"].as_str().unwrap_or_else(|| panic!("no expression in {query}"));
        let mut rest = text;
        let Term::Series(series) = self.comparison(&mut rest) else { panic!("{text} is no series") };
        assert!(rest.trim().is_empty(), "{rest:?} of {text} is not understood");
        series
    }

    fn comparison(&self, rest: &mut &str) -> Term {
        let left = self.sum(rest);
        for (sign, holds) in [("==", f64::eq as fn(&f64, &f64) -> bool), (">", |a: &f64, b: &f64| a > b)] {
            if skip(rest, sign) {
                return self.combine(left, self.sum(rest), |a, b| f64::from(u8::from(holds(&a, &b))));
            }
        }
        left
    }

    fn sum(&self, rest: &mut &str) -> Term {
        let mut left = self.factor(rest);
        while skip(rest, "+") {
            left = self.combine(left, self.factor(rest), |a, b| a + b);
        }
        left
    }

    fn factor(&self, rest: &mut &str) -> Term {
        let word: String =
            rest.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        assert!(skip(rest, &word) && !word.is_empty(), "{rest:?} is not understood");
        match word.as_str() {
            "FILL" => {
                assert!(skip(rest, "("));
                let Term::Series(series) = self.comparison(rest) else { panic!("FILL fills series") };
                assert!(skip(rest, ","));
                let filled = if skip(rest, "REPEAT") { repeated(&series) } else { self.filled(series, rest) };
                assert!(skip(rest, ")"), "{rest:?}");
                Term::Series(filled)
            }
            "IF" => {
                assert!(skip(rest, "("));
                let Term::Series(condition) = self.comparison(rest) else { panic!("IF asks a series") };
                assert!(skip(rest, ","));
                let Term::Series(then) = self.comparison(rest) else { panic!("IF takes from a series") };
                assert!(skip(rest, ")"), "an IF with another value where it is false: {rest:?}");
                let taken = condition.iter().zip(then).map(|(holds, then)| match holds {
                    Some(holds) if *holds != 0.0 => Some(then.unwrap_or(0.0)),
                    _ => None,
                });
                Term::Series(taken.collect())
            }
            number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                Term::Scalar(number.parse().unwrap())
            }
            id => Term::Series(self.query(query(self.alarm, id))),
        }
    }

    fn filled(&self, series: Series, rest: &mut &str) -> Series {
        let Term::Scalar(filler) = self.factor(rest) else { panic!("a number to fill with") };
        if series.iter().all(Option::is_none) && !self.fills_nothing {
            return series;
        }
        series.into_iter().map(|value| value.or(Some(filler))).collect()
    }

    fn combine(&self, left: Term, right: Term, with: impl Fn(f64, f64) -> f64) -> Term {
        let at = |term: &Term, n: usize| match term {
            Term::Scalar(number) => (Some(*number), false),
            Term::Series(series) => (series[n], series[n].is_some()),
        };
        if let (Term::Scalar(left), Term::Scalar(right)) = (&left, &right) {
            return Term::Scalar(with(*left, *right));
        }
        let values = (0..self.length).map(|n| {
            let ((left, by_left), (right, by_right)) = (at(&left, n), at(&right, n));
            (by_left || by_right).then(|| with(left.unwrap_or(0.0), right.unwrap_or(0.0)))
        });
        Term::Series(values.collect())
    }
}

/// Each gap filled with the value before it.
fn repeated(series: &[Option<f64>]) -> Series {
    let mut last = None;
    series
        .iter()
        .map(|value| {
            last = value.or(last);
            last
        })
        .collect()
}

fn skip(rest: &mut &str, token: &str) -> bool {
    match rest.trim_start().strip_prefix(token) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}
