//! When activities were polled with success last.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Tells whether a worker polls; see [`Worker::poll_health`](crate::Worker::poll_health).
#[derive(Clone, Debug, Default)]
pub struct PollHealth(Arc<Mutex<HashMap<&'static str, Polls>>>);

#[derive(Clone, Copy, Debug)]
enum Polls {
    /// The last good poll, or when polling began.
    GoodAt(Instant),
    /// All slots are taken, so there is no poll.
    Full,
}

impl PollHealth {
    /// How long ago the last good poll of an activity was, of the one that has waited longest. An activity whose slots are
    /// all taken is not polled, and counts as polled now; one that was never polled with success counts from the start.
    pub fn oldest_good_poll(&self) -> Duration {
        let ages = self
            .activities()
            .values()
            .map(|polls| match polls {
                Polls::GoodAt(at) => at.elapsed(),
                Polls::Full => Duration::ZERO,
            })
            .max();
        ages.unwrap_or_default()
    }

    pub(crate) fn good(&self, activity: &'static str) {
        self.activities().insert(activity, Polls::GoodAt(Instant::now()));
    }

    pub(crate) fn full(&self, activity: &'static str) {
        self.activities().insert(activity, Polls::Full);
    }

    fn activities(&self) -> MutexGuard<'_, HashMap<&'static str, Polls>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
