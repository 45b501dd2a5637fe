//! The action ids of the buttons: by them a click is read again.

/// The action id prefix of the button that quarantines; the case's approval id follows.
pub const QUARANTINE_ACTION: &str = "quarantine:";
/// The action id prefix of the button that leaves the object where it is.
pub const DISMISS_ACTION: &str = "dismiss:";
/// The action id prefix of the button that has people asked later.
pub const SNOOZE_ACTION: &str = "snooze:";
/// The action id prefix of the button that puts a quarantined object back.
pub const RESTORE_ACTION: &str = "restore:";
/// The action id prefix of the buttons that turn the page of a digest; the page follows.
pub const PAGE_ACTION: &str = "page:";
