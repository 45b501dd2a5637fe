//! What a state of a state machine failed with: what its Catch leaves behind, and what a Fail state ends a run with.

use serde::{Deserialize, Serialize};

/// An error as Step Functions writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The code of the activity, or the name that Step Functions has for it.
    #[serde(rename = "Error")]
    pub code: String,
    /// A sentence for people. Step Functions knows none for a task that timed out.
    #[serde(rename = "Cause", default)]
    pub cause: String,
}

impl Failure {
    /// The cause, or a sentence in its place.
    pub fn sentence(&self) -> String {
        if self.cause.is_empty() { format!("A step ended with {}.", self.code) } else { self.cause.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_cause_still_has_a_sentence() {
        let failure: Failure = serde_json::from_str(r#"{"Error": "States.Timeout"}"#).unwrap();
        assert_eq!(failure.sentence(), "A step ended with States.Timeout.");
        let failure = Failure { cause: "AWS refused.".into(), ..failure };
        assert_eq!(failure.sentence(), "AWS refused.");
    }
}
