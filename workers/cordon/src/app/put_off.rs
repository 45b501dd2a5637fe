//! What is due in Slack channels that take nothing at the moment: nothing is read or written of it meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The channels of due records, as one worker knows them.
#[derive(Clone, Debug, Default)]
pub struct PutOff(Arc<Mutex<HashMap<String, String>>>);

impl PutOff {
    /// Remembers that the record which is due under `key` waits for a channel.
    pub(super) fn remember(&self, key: &str, channel: &str) {
        self.channels().insert(key.to_owned(), channel.to_owned());
    }

    /// The channel that a record waits for.
    pub(super) fn channel(&self, key: &str) -> Option<String> {
        self.channels().get(key).cloned()
    }

    /// Forgets it: the channel may be tried.
    pub(super) fn forget(&self, key: &str) {
        self.channels().remove(key);
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
