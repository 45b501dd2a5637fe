//! Which rule decides on a finding, and why no other does. Deciding and explaining are one function, so that they
//! cannot differ.

use std::cmp::Ordering;

use super::{Disposition, OnExpiry, Policy, Rule, Versions, criteria::Mismatch};
use crate::finding::Finding;

/// Which rule decides on a finding, and why no earlier one does.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation<'a> {
    /// The rules before the one that decides, in order; all rules where none does.
    pub passed: Vec<Passed<'a>>,
    /// The rule that decides.
    pub rule: Option<&'a Rule>,
    /// Whether it decides because nobody knows if the bucket is exposed, and knowing could have made another decide.
    pub unsure: bool,
}

/// A rule that does not match.
#[derive(Clone, Debug, PartialEq)]
pub struct Passed<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Why not; at least one reason.
    pub mismatches: Vec<Mismatch>,
}

impl Policy {
    /// Which rule decides on a finding about an object in a bucket that is `exposed`, is not, or of which that is
    /// unknown.
    ///
    /// When it is unknown, both answers are looked at, and the stricter one counts: what is exposed must not be left
    /// lying because a table could not be read, and what is moved without need can be put back.
    pub fn explain(&self, finding: &Finding, exposed: Option<bool>) -> Explanation<'_> {
        match exposed {
            Some(exposed) => self.explain_known(finding, exposed),
            None => stricter(self.explain_known(finding, true), self.explain_known(finding, false)),
        }
    }

    fn explain_known(&self, finding: &Finding, exposed: bool) -> Explanation<'_> {
        let mut passed = Vec::new();
        for rule in &self.rules {
            let mismatches = rule.criteria.mismatches(finding, exposed);
            if mismatches.is_empty() {
                return Explanation { passed, rule: Some(rule), unsure: false };
            }
            passed.push(Passed { rule, mismatches });
        }
        Explanation { passed, rule: None, unsure: false }
    }

    /// Whether some rule asks whether the bucket is exposed.
    pub fn asks_about_exposure(&self) -> bool {
        self.rules.iter().any(|rule| rule.criteria.exposed.is_some())
    }
}

/// Of two answers the stricter, and of two that are as strict the one that an earlier rule gives.
fn stricter<'a>(one: Explanation<'a>, other: Explanation<'a>) -> Explanation<'a> {
    let unsure = one.passed.len() != other.passed.len();
    let earlier = other.passed.len() < one.passed.len();
    let other_counts = match other.strictness().cmp(&one.strictness()) {
        Ordering::Less => false,
        Ordering::Equal => earlier,
        Ordering::Greater => true,
    };
    let mut counts = if other_counts { other } else { one };
    counts.unsure = unsure;
    for mismatch in counts.passed.iter_mut().flat_map(|passed| &mut passed.mismatches) {
        if mismatch.member == "exposed" {
            mismatch.why = "nobody knows whether the bucket is exposed, so the stricter rule counts".into();
        }
    }
    counts
}

impl Explanation<'_> {
    fn strictness(&self) -> (Disposition, OnExpiry, Versions) {
        let review = (Disposition::Review, OnExpiry::default(), Versions::default());
        self.rule
            .map_or(review, |rule| (rule.effect.disposition, rule.effect.on_expiry, rule.effect.versions))
    }
}

#[cfg(test)]
mod tests;
