use cordon_domain::{
    case::{Decision, Restore, RestoreResult},
    finding::Incomplete,
    fixtures::{self, case, closing, time, vote},
};

use super::*;

fn decided(mut case: Case) -> Case {
    case.approval.decided = Some(fixtures::decided(Decision::Quarantine));
    case.approval.votes = vec![vote("U0ALICE001", &case.approval.plan_hash)];
    case
}

fn buttons(message: &Message) -> usize {
    message.blocks.as_array().unwrap().iter().filter(|block| block["type"] == "actions").count()
}

#[test]
fn a_case_of_a_policy_in_shadow_mode_is_marked_and_has_no_buttons() {
    for disposition in [Disposition::Review, Disposition::Quarantine] {
        let mut case = case(disposition).with_plan(|plan| plan.shadow = true);
        for closed in [false, true] {
            if closed {
                case.status = Status::Closed;
                case.closing = Some(closing(OutcomeResult::Shadow, "Policy alone would move it."));
            }
            let message = render(&case);
            let header = message.blocks[0]["text"]["text"].as_str().unwrap();
            assert!(header.starts_with("[SHADOW]") && message.text.starts_with("[SHADOW]"), "{message:?}");
            assert_eq!(buttons(&message), 0);
            assert_eq!(message.blocks.to_string().contains("would move it"), closed);
        }
    }
}

#[test]
fn once_decided_there_are_no_buttons() {
    assert_eq!(buttons(&render(&case(Disposition::Review))), 1);
    assert_eq!(buttons(&render(&decided(case(Disposition::Review)))), 0);
    assert_eq!(buttons(&render(&case(Disposition::Quarantine))), 0);
}

#[test]
fn a_closed_case_names_outcome_and_decider() {
    let mut case = decided(case(Disposition::Review));
    case.status = Status::Closed;
    case.closing = Some(closing(OutcomeResult::Quarantined, "Moved to quarantine."));
    let blocks = render(&case).blocks.to_string();
    assert!(blocks.contains("Quarantined.") && blocks.contains("<@U0ALICE001>"), "{blocks}");
}

#[test]
fn nothing_from_outside_can_mention_link_or_format() {
    let mut case = case(Disposition::Review);
    case.finding.object.key = "<!channel> <http://evil|x> `*_~ &amp;\n\u{202e}".into();
    let case = case.with_plan(|plan| plan.rule = "<!here>".into());
    let blocks = render(&case).blocks.to_string();
    for forbidden in ["<!channel>", "<http://evil", "<!here>", "\\n\u{202e}"] {
        assert!(!blocks.contains(forbidden), "{forbidden} in {blocks}");
    }
}

#[test]
fn a_question_about_a_key_of_any_length_and_script_is_within_slacks_limits() {
    for key in ["%".repeat(800), "字".repeat(341), "&".repeat(1_024), "\u{1}".repeat(1_024)] {
        let mut case = case(Disposition::Review);
        case.finding.object.key.clone_from(&key);
        let case = case.with_plan(|plan| plan.object.key = key);
        let message = render(&case);
        assert_eq!(crate::slack::blocks::limits::exceeded(&message), Vec::<String>::new());
        assert_eq!(buttons(&message), 1);
    }
}

#[test]
fn who_decides_is_told_what_macie_could_not_read() {
    let mut case = case(Disposition::Review);
    let told = |case: &Case| render(case).blocks.to_string().contains("Macie could read only a part");
    assert!(!told(&case));
    case.finding.incomplete = Incomplete::of(Some("PARTIAL"), Some("ARCHIVE_CONTAINS_UNPROCESSED_FILES"));
    let blocks = render(&case).blocks.to_string();
    let says = "Macie could read only a part of this object (ARCHIVE_CONTAINS_UNPROCESSED_FILES).";
    assert!(blocks.contains(says) && told(&decided(case)), "{blocks}");
}

#[test]
fn a_key_that_is_too_long_shows_both_ends_and_says_so_and_a_link_is_whole_or_left_out() {
    let shown = |key: &str| {
        let mut case = case(Disposition::Review);
        case.finding.object.key = key.into();
        render(&case).blocks.to_string()
    };
    let whole = shown("exports/card.txt");
    assert!(whole.contains("prefix=exports%2Fcard.txt|S3 object>") && !whole.contains("in part"), "{whole}");
    let key = format!("exports/{}/card.txt", "&".repeat(1_000));
    let cut = shown(&key);
    assert!(cut.contains("`exports/&amp;") && cut.contains("&amp;/card.txt`"), "{cut}");
    assert!(cut.contains("The key has 1017 characters and is shown in part."), "{cut}");
    assert!(cut.contains("s3/buckets/finance?region=us-east-1|S3 bucket>"), "{cut}");
    assert!(!cut.contains("s3/object/"), "no link that leads elsewhere: {cut}");
}

#[test]
fn a_case_that_was_restored_often_with_long_reasons_is_within_slacks_limits() {
    let mut case = decided(case(Disposition::Review));
    case.status = Status::Closed;
    let detail = "&".repeat(2_000);
    case.closing = Some(closing(OutcomeResult::Quarantined, &detail));
    let failed = |requested_by: &str| Restore {
        request_id: "r".into(),
        execution_arn: "arn".into(),
        requested_by: requested_by.into(),
        reason: detail.clone(),
        replace: false,
        even_if_exposed: false,
        copy_generation: None,
        requested_at: time("2026-03-11T10:00:00.000Z"),
        mac: None,
        versions_restored: 0,
        last_restored: None,
        outcome: Some(cordon_domain::case::RestoreOutcome {
            result: RestoreResult::Failed,
            detail: detail.clone(),
            code: None,
            at: time("2026-03-11T10:01:00.000Z"),
        }),
    };
    case.quarantine.restores = (0..7).map(|_| failed("slack:T0CORDON01/U0ALICE001")).collect();
    let message = render(&case);
    assert_eq!(crate::slack::blocks::limits::exceeded(&message), Vec::<String>::new());
}
