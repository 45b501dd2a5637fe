//! Points in time, as records hold them.

use std::{
    fmt,
    ops::{Add, Sub},
    str::FromStr,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::quoted::quoted;

/// A point in time, in whole milliseconds, so that it is the same before it was stored and after it was read.
///
/// Its text is `2026-03-11T09:46:53.031Z`: UTC, fixed width, so that texts sort as times do. It is read with or without
/// fraction or offset: Access Analyzer writes `…Z` in events and `…+00:00` in its API; Macie writes with and without
/// milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Timestamp);

impl Time {
    /// The last one that there is.
    pub const MAX: Self = Self(Timestamp::constant(253_402_207_200, 999_000_000));

    /// With this library's operations.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Time {
    fn from(timestamp: Timestamp) -> Self {
        let milliseconds = timestamp.as_nanosecond().div_euclid(1_000_000) * 1_000_000;
        Self(Timestamp::from_nanosecond(milliseconds).unwrap_or(timestamp))
    }
}

impl FromStr for Time {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<Timestamp>().map(Self::from)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        f.pad(&text)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Stops at the last time that there is.
impl Add<SignedDuration> for Time {
    type Output = Self;

    fn add(self, length: SignedDuration) -> Self {
        self.0.saturating_add(length).map_or(Self::MAX, Self::from)
    }
}

/// Stops at the first time that there is.
impl Sub<SignedDuration> for Time {
    type Output = Self;

    fn sub(self, length: SignedDuration) -> Self {
        self.0.saturating_sub(length).map_or(Self(Timestamp::MIN), Self::from)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| {
            de::Error::custom(format!("{} is not a time such as 2026-03-11T09:46:53Z", quoted(&text)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_that_aws_writes_becomes_the_same_time() {
        for text in ["2024-04-20T18:19:10Z", "2024-04-20T18:19:10.000Z", "2024-04-20T18:19:10.000000+00:00"] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), "2024-04-20T18:19:10.000Z");
        }
        let refused = serde_json::from_str::<Time>("\"yesterday\"").unwrap_err().to_string();
        assert!(refused.contains("\"yesterday\" is not a time such as 2026-03-11T09:46:53Z"), "{refused}");
    }

    #[test]
    fn no_time_is_later_than_the_last() {
        assert_eq!(Time::from(Timestamp::MAX), Time::MAX);
        assert_eq!(Time::MAX + SignedDuration::from_secs(1), Time::MAX);
    }

    fn any_time() -> impl Strategy<Value = Time> {
        (0..253_402_000_000_000_000_000i128)
            .prop_map(|nanosecond| Timestamp::from_nanosecond(nanosecond).unwrap().into())
    }

    proptest! {
        #[test]
        fn a_time_is_the_same_once_it_was_stored(time in any_time()) {
            prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
            let json = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), time);
        }

        #[test]
        fn texts_sort_as_times_do(one in any_time(), other in any_time()) {
            prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
        }
    }
}
