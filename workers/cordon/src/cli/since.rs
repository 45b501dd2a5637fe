//! Lengths of time as people write them.

use jiff::{Span, Timestamp, Zoned, tz::TimeZone};

/// When a length of time that ends now began, such as 90m, 24h or 7d.
///
/// # Errors
/// When it is none.
pub(super) fn beginning(length: &str) -> Result<Timestamp, String> {
    let length: Span =
        length.parse().map_err(|_| "it is no length of time such as 90m, 24h or 7d".to_owned())?;
    if !length.is_positive() {
        return Err("it must lie in the past: give it without a minus sign".into());
    }
    // Days have 24 hours in UTC, whatever the clocks did here. What began before there were times began always.
    let began = Zoned::now().with_time_zone(TimeZone::UTC).checked_sub(length);
    Ok(began.map_or(Timestamp::UNIX_EPOCH, |began| began.timestamp().max(Timestamp::UNIX_EPOCH)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_read_as_people_write_it() {
        let now = Timestamp::now();
        for length in ["90m", "24h", "7d", "2 weeks", "1h30m", "9999 years", "19998 years"] {
            assert!(beginning(length).unwrap() < now, "{length}");
        }
        for wrong in ["", "yesterday", "7", "-7d", "0s"] {
            assert!(beginning(wrong).is_err(), "{wrong}");
        }
    }
}
