//! What a new finding means for an object version that has a case already.
//!
//! A person's decision is undone by nothing but a really stricter finding or a person, and then people are asked: an
//! object that somebody has left where it is, or put back, is never moved by policy alone.

use super::{Case, OutcomeResult, Past, Restore};
use crate::policy::{Disposition, answer::PolicyAnswer};

/// How a known case stands when a new finding comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Its run is at work, or waits for people.
    Open,
    /// Nobody decided.
    Expired,
    /// A person left the object where it is.
    Dismissed,
    /// A person had the object put back from quarantine.
    Restored,
    /// It failed, its run died, or the object had been written again meanwhile.
    Failed,
    /// It was quarantined, and the object is at its place again.
    Back,
    /// There is nothing left to do: the object is gone, or there never was one (a sample).
    Settled,
}

/// What a new finding brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// Policy says the same, or less.
    Same,
    /// Policy is stricter, and people are to be asked.
    StricterAsks,
    /// Policy is stricter, and moves the object.
    StricterQuarantines,
    /// More people can reach the bucket than before.
    Exposure,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Nothing: the finding joins the case.
    Join,
    /// As the rule's `after_restore` says: it joins the case, or people are asked.
    AfterRestore,
    /// People are asked, even where the rule would move the object.
    Ask,
    /// What policy says now, within its limits: people are asked, or the object is moved.
    AsPolicySays,
}

impl Response {
    /// In words, as a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Join => "The finding joins the case, and nothing happens.",
            Self::AfterRestore => {
                "The rule's after_restore decides: the finding joins the case, or people are asked."
            }
            Self::Ask => "People are asked; policy alone moves nothing.",
            Self::AsPolicySays => "What policy says of the finding happens, within the hourly limits.",
        }
    }
}

impl Standing {
    /// In words, after "The case is".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Expired => "expired",
            Self::Dismissed => "dismissed by a person",
            Self::Restored => "restored by a person",
            Self::Failed => "failed",
            Self::Back => "quarantined, and the object is there again",
            Self::Settled => "settled",
        }
    }

    /// How a case stands. `running` says whether its run is; `object_is_there` whether the object of a case that was
    /// quarantined is at its place (again).
    pub fn of(case: &Case, running: bool, object_is_there: bool) -> Self {
        if running {
            return Self::Open;
        }
        match case.outcome().map(|outcome| outcome.result) {
            Some(OutcomeResult::Quarantined | OutcomeResult::ObjectMissing) => match object_is_there {
                true if case.has_restored(case.object()) => Self::Restored,
                true => Self::Back,
                false => Self::Settled,
            },
            Some(OutcomeResult::Dismissed) => Self::Dismissed,
            Some(OutcomeResult::Expired) => Self::Expired,
            Some(OutcomeResult::Sample | OutcomeResult::Shadow) => Self::Settled,
            Some(OutcomeResult::ObjectChanged | OutcomeResult::Failed) | None => Self::Failed,
        }
    }
}

impl Event {
    /// In words, as a sentence's end.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Same => "this finding is not stricter than what the case answers",
            Self::StricterAsks => "this finding is stricter, and its rule asks people",
            Self::StricterQuarantines => "this finding is stricter, and its rule quarantines",
            Self::Exposure => "the bucket is exposed, which it was not known to be before",
        }
    }

    /// What the newest answer of policy brings to a case whose last one is on record.
    pub fn of(before: &PolicyAnswer, now: &PolicyAnswer) -> Self {
        match (now.is_stricter_than(before), now.disposition) {
            (true, Disposition::Quarantine) => Self::StricterQuarantines,
            (true, Disposition::Review | Disposition::Ignore) => Self::StricterAsks,
            (false, _) if now.is_more_exposed_than(before) => Self::Exposure,
            (false, _) => Self::Same,
        }
    }
}

/// The table *Known cases and new events* of docs/ARCHITECTURE.md. `left_by_person` says whether a person has last said
/// that the object stays, in whichever generation: see [`is_left_by_person`].
pub const fn response(standing: Standing, event: Event, left_by_person: bool) -> Response {
    let by_table = match (standing, event) {
        (Standing::Settled, _) | (Standing::Open | Standing::Dismissed, Event::Same) => Response::Join,
        (Standing::Restored, Event::Same) => Response::AfterRestore,
        (Standing::Dismissed | Standing::Restored, _) => Response::Ask,
        (Standing::Expired, Event::Same) => Response::Ask,
        (Standing::Open | Standing::Expired | Standing::Failed | Standing::Back, Event::StricterAsks) => {
            Response::Ask
        }
        (Standing::Open | Standing::Expired, Event::StricterQuarantines | Event::Exposure)
        | (Standing::Failed | Standing::Back, _) => Response::AsPolicySays,
    };
    match by_table {
        Response::AsPolicySays if left_by_person => Response::Ask,
        other => other,
    }
}

/// Whether a person has last said that the object stays where it is: dismissed it, or had it put back, and nobody has
/// had it moved since. `made_by_restore` says whether a restore of another case has made this object version.
pub fn is_left_by_person(case: &Case, made_by_restore: bool) -> bool {
    let generations =
        std::iter::once((case.outcome(), &case.quarantine.restores)).chain(case.history.iter().rev().map(
            |past: &Past| (past.closing.as_ref().map(|closing| &closing.outcome), &past.quarantine.restores),
        ));
    for (outcome, restores) in generations {
        if restores.iter().any(Restore::is_successful) {
            return true;
        }
        match outcome.map(|outcome| outcome.result) {
            Some(OutcomeResult::Dismissed) => return true,
            Some(OutcomeResult::Quarantined) => return false,
            _ => {}
        }
    }
    made_by_restore
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{case, closing, time};
    use crate::{
        case::{Closing, RestoreOutcome, RestoreResult},
        policy::answer::tests::any_answer,
    };

    /// The table of the architecture document, cell by cell: same finding again, stricter and the rule asks, stricter
    /// and the rule quarantines, exposure.
    const TABLE: [(Standing, [&str; 4]); 6] = [
        (Standing::Open, ["join", "ask", "policy", "policy"]),
        (Standing::Expired, ["ask", "ask", "policy", "policy"]),
        (Standing::Dismissed, ["join", "ask", "ask", "ask"]),
        (Standing::Restored, ["after_restore", "ask", "ask", "ask"]),
        (Standing::Failed, ["policy", "ask", "policy", "policy"]),
        (Standing::Back, ["policy", "ask", "policy", "policy"]),
    ];
    const EVENTS: [Event; 4] =
        [Event::Same, Event::StricterAsks, Event::StricterQuarantines, Event::Exposure];

    fn word(response: Response) -> &'static str {
        match response {
            Response::Join => "join",
            Response::AfterRestore => "after_restore",
            Response::Ask => "ask",
            Response::AsPolicySays => "policy",
        }
    }

    fn any_standing() -> impl Strategy<Value = Standing> {
        prop::sample::select(
            TABLE.map(|(standing, _)| standing).into_iter().chain([Standing::Settled]).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn every_cell_of_the_table_holds() {
        for (standing, cells) in TABLE {
            for (event, cell) in EVENTS.into_iter().zip(cells) {
                assert_eq!(word(response(standing, event, false)), cell, "{standing:?}, {event:?}");
            }
        }
        for event in EVENTS {
            assert_eq!(response(Standing::Settled, event, false), Response::Join);
        }
    }

    proptest! {
        #[test]
        fn what_a_person_has_left_is_never_moved_by_policy(
            standing in any_standing(), before in any_answer(), now in any_answer(),
        ) {
            let event = Event::of(&before, &now);
            prop_assert_ne!(response(standing, event, true), Response::AsPolicySays);
            if matches!(standing, Standing::Dismissed | Standing::Restored) {
                prop_assert_ne!(response(standing, event, false), Response::AsPolicySays);
            }
        }

        #[test]
        fn nothing_new_reopens_no_decision_of_a_person(standing in any_standing(), answer in any_answer()) {
            let event = Event::of(&answer, &answer);
            prop_assert_eq!(event, Event::Same);
            let quiet = [Response::Join, Response::AfterRestore].contains(&response(standing, event, false));
            let decided = [Standing::Open, Standing::Dismissed, Standing::Restored, Standing::Settled];
            prop_assert_eq!(quiet, decided.contains(&standing));
        }

        #[test]
        fn an_answer_that_is_not_stricter_is_no_stricter_event(before in any_answer(), now in any_answer()) {
            let event = Event::of(&before, &now);
            let stricter = matches!(event, Event::StricterAsks | Event::StricterQuarantines);
            prop_assert_eq!(stricter, now.is_stricter_than(&before));
            prop_assert!(event != Event::StricterQuarantines || now.disposition == Disposition::Quarantine);
        }
    }

    fn ended(result: OutcomeResult) -> Option<Closing> {
        Some(closing(result, ""))
    }

    #[test]
    fn a_case_stands_as_its_record_says() {
        let mut case = case(Disposition::Review);
        assert_eq!(Standing::of(&case, true, false), Standing::Open);
        assert_eq!(Standing::of(&case, false, false), Standing::Failed, "its run has died");
        for (result, there, standing) in [
            (OutcomeResult::Dismissed, true, Standing::Dismissed),
            (OutcomeResult::Expired, true, Standing::Expired),
            (OutcomeResult::Failed, true, Standing::Failed),
            (OutcomeResult::ObjectChanged, false, Standing::Failed),
            (OutcomeResult::Quarantined, false, Standing::Settled),
            (OutcomeResult::Quarantined, true, Standing::Back),
            (OutcomeResult::ObjectMissing, true, Standing::Back),
            (OutcomeResult::Sample, false, Standing::Settled),
            (OutcomeResult::Shadow, false, Standing::Settled),
        ] {
            case.closing = ended(result);
            assert_eq!(Standing::of(&case, false, there), standing, "{result:?}");
        }
    }

    #[test]
    fn a_persons_decision_is_remembered_over_generations_until_the_object_is_moved() {
        let generation = |result, earlier: Option<Case>| {
            let mut next = match earlier {
                Some(earlier) => case(Disposition::Review).after(earlier),
                None => case(Disposition::Review),
            };
            next.closing = ended(result);
            next
        };
        let dismissed = generation(OutcomeResult::Dismissed, None);
        assert!(is_left_by_person(&dismissed, false));
        let then_failed = generation(OutcomeResult::Failed, Some(dismissed));
        assert!(is_left_by_person(&then_failed, false));
        let mut then_moved = generation(OutcomeResult::Quarantined, Some(then_failed));
        assert!(!is_left_by_person(&then_moved, false));
        then_moved.quarantine.restores.push(Restore {
            request_id: "r".into(),
            execution_arn: "arn:run".into(),
            requested_by: "arn:alice".into(),
            reason: "a test".into(),
            replace: false,
            even_if_exposed: false,
            copy_generation: None,
            requested_at: time("2026-03-11T09:50:00.000Z"),
            mac: None,
            versions_restored: 0,
            last_restored: None,
            outcome: Some(RestoreOutcome {
                result: RestoreResult::Restored,
                detail: String::new(),
                code: None,
                at: time("2026-03-11T09:50:00.000Z"),
            }),
        });
        assert!(is_left_by_person(&then_moved, false));
        assert!(is_left_by_person(&generation(OutcomeResult::Expired, Some(then_moved)), false));
        let failed = generation(OutcomeResult::Failed, None);
        assert!(!is_left_by_person(&failed, false) && is_left_by_person(&failed, true));
    }
}
