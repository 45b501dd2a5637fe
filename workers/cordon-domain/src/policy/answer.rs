//! What policy said of a finding, kept apart from what was done about it, so that its next answer can be compared.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Decided, Disposition, Versions};
use crate::finding::Finding;

/// What policy said of a finding, as far as one answer can be stricter than another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyAnswer {
    /// What is to happen.
    pub disposition: Disposition,
    /// Which versions of the key it is about.
    pub versions: Versions,
    /// How many people have to agree.
    pub approvals: u32,
    /// The categories of sensitive data, as Macie names them; a custom identifier as `CUSTOM_IDENTIFIER/<its name>`.
    pub categories: BTreeSet<String>,
    /// Whether somebody outside could reach the bucket; `None` where that was unknown or no rule asked.
    pub exposed: Option<bool>,
}

impl PolicyAnswer {
    /// What policy decided on a finding in a bucket that is, or is not, `exposed`.
    pub fn new(finding: &Finding, decided: &Decided, exposed: Option<bool>) -> Self {
        Self {
            disposition: decided.effect.disposition,
            versions: decided.effect.versions,
            approvals: decided.effect.approvals,
            categories: categories(finding),
            exposed,
        }
    }

    /// Whether this answer is stricter than an earlier one: by disposition; where that is the same, by versions; then by
    /// approvals; then by categories that were not seen before. Another rule alone is not stricter.
    pub fn is_stricter_than(&self, earlier: &Self) -> bool {
        let rank = |answer: &Self| (answer.disposition, answer.versions, answer.approvals);
        match rank(self).cmp(&rank(earlier)) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => !self.categories.is_subset(&earlier.categories),
        }
    }

    /// Whether more people can reach the bucket than when the earlier answer was given. Unknown counts as fewer: what was
    /// decided without knowing is looked at again.
    pub fn is_more_exposed_than(&self, earlier: &Self) -> bool {
        self.exposed == Some(true) && earlier.exposed != Some(true)
    }
}

/// What was found, by category.
pub fn categories(finding: &Finding) -> BTreeSet<String> {
    let category = |category: &str, name: &str| match category {
        "CUSTOM_IDENTIFIER" => format!("{category}/{name}"),
        other => other.to_owned(),
    };
    finding.detections.iter().map(|detection| category(&detection.category, &detection.name)).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_answer() -> impl Strategy<Value = PolicyAnswer> {
        let disposition =
            prop::sample::select(vec![Disposition::Ignore, Disposition::Review, Disposition::Quarantine]);
        let versions = prop::sample::select(vec![Versions::Reported, Versions::All]);
        let categories = prop::collection::btree_set("CREDENTIALS|FINANCIAL_INFORMATION|PERSONAL", 0..3);
        (disposition, versions, 1u32..=2, categories, any::<Option<bool>>()).prop_map(
            |(disposition, versions, approvals, categories, exposed)| PolicyAnswer {
                disposition,
                versions,
                approvals,
                categories,
                exposed,
            },
        )
    }

    proptest! {
        #[test]
        fn no_answer_is_stricter_than_itself(answer in any_answer()) {
            prop_assert!(!answer.is_stricter_than(&answer) && !answer.is_more_exposed_than(&answer));
        }

        #[test]
        fn the_disposition_outweighs_everything_else(mut a in any_answer(), mut b in any_answer()) {
            (a.disposition, b.disposition) = (Disposition::Quarantine, Disposition::Review);
            prop_assert!(a.is_stricter_than(&b) && !b.is_stricter_than(&a));
        }

        #[test]
        fn the_versions_outweigh_the_approvals(mut a in any_answer(), mut b in any_answer()) {
            b.disposition = a.disposition;
            (a.versions, b.versions) = (Versions::All, Versions::Reported);
            prop_assert!(a.is_stricter_than(&b) && !b.is_stricter_than(&a));
        }

        #[test]
        fn the_approvals_outweigh_the_categories(mut a in any_answer(), mut b in any_answer()) {
            (b.disposition, b.versions) = (a.disposition, a.versions);
            (a.approvals, b.approvals) = (2, 1);
            prop_assert!(a.is_stricter_than(&b) && !b.is_stricter_than(&a));
        }

        #[test]
        fn a_category_that_was_not_seen_before_is_stricter_and_fewer_are_not(mut a in any_answer()) {
            let mut more = a.clone();
            more.categories.insert("SOMETHING_NEW".into());
            prop_assert!(more.is_stricter_than(&a) && !a.is_stricter_than(&more));
            a.categories.clear();
            prop_assert!(!a.is_stricter_than(&more));
        }

        #[test]
        fn exposure_makes_no_answer_stricter(mut a in any_answer(), exposed in any::<Option<bool>>()) {
            let b = a.clone();
            a.exposed = exposed;
            prop_assert!(!a.is_stricter_than(&b) && !b.is_stricter_than(&a));
        }
    }
}
