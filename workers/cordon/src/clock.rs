//! The one place where records get their time from.

use cordon_domain::time::Time;
use jiff::Timestamp;

/// Now.
pub fn now() -> Time {
    Time::from(Timestamp::now())
}
