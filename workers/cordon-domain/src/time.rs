//! Times as they are stored: UTC, fixed width, so that their text sorts as they do.

use jiff::{Timestamp, tz::TimeZone};

use super::quoted::quoted;
use crate::invalid::{Invalid, Result};

/// `2026-03-11T09:46:53.031Z`, always with milliseconds.
pub fn stored(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Reads a time with or without fraction or offset minutes, and normalizes it to the [`stored`] form.
///
/// Access Analyzer writes `…Z` in events and `…+00:00` in its API; Macie writes with and without milliseconds.
///
/// # Errors
/// Naming `field`.
pub fn normalized(field: &str, text: &str) -> Result<String> {
    text.parse::<Timestamp>().map(stored).map_err(|_| {
        Invalid(format!(
            "The finding's {field} is not a time: {}. Expected a form like 2026-03-11T09:46:53Z.",
            quoted(text)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_aws_writes_becomes_the_same_text() {
        for text in ["2024-04-20T18:19:10Z", "2024-04-20T18:19:10.000Z", "2024-04-20T18:19:10.000000+00:00"] {
            assert_eq!(normalized("updatedAt", text).unwrap(), "2024-04-20T18:19:10.000Z");
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused_by_name() {
        let error = normalized("updatedAt", "yesterday").unwrap_err();
        assert!(error.to_string().contains("updatedAt"), "{error}");
    }
}
