//! The one place where records get their time from.

use cordon_domain::time;
use jiff::Timestamp;

/// Now, as [`time::stored`].
pub fn now() -> String {
    time::stored(Timestamp::now())
}
