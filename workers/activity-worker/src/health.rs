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
    /// How long ago the last good poll of any activity was. One whose slots are all taken is not polled, and counts as polled
    /// now; before the first good poll it is the time since the start. Not the age of the activity that has waited longest: a
    /// single one that cannot be polled is no reason to end a worker that does everything else.
    pub fn last_good_poll(&self) -> Duration {
        let ages = self
            .activities()
            .values()
            .map(|polls| match polls {
                Polls::GoodAt(at) => at.elapsed(),
                Polls::Full => Duration::ZERO,
            })
            .min();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_activity_that_cannot_be_polled_does_not_make_a_worker_unwell() {
        let health = PollHealth::default();
        health.good("polled");
        health.good("denied");
        tokio::time::advance(Duration::from_secs(600)).await;
        assert_eq!(health.last_good_poll(), Duration::from_secs(600));
        health.good("polled");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(health.last_good_poll(), Duration::from_secs(5));
    }
}
