//! Answers of Slack that are remembered for a while. However many ask at once, Slack is asked once; and whoever does not
//! wait for its answer does not end the question.

use std::{
    collections::HashMap,
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::SlackError;

/// How long an answer counts. A person who has left a group may decide no longer than this.
const FRESH: Duration = Duration::from_secs(60);
/// From then on an answer that is used is renewed, and nobody waits for that.
const RENEWED: Duration = Duration::from_secs(30);
/// How long Slack is not asked again after it gave no answer, unless it says how long.
const REST: Duration = Duration::from_secs(2);

/// What was asked, by what it was about.
pub(in crate::slack) struct Lookups<T>(Arc<Mutex<HashMap<String, Entry<T>>>>);

struct Entry<T> {
    known: Option<(Instant, T)>,
    asked: Option<Asked<T>>,
    failed: Option<(Instant, SlackError)>,
}

/// A question on its way.
type Asked<T> = Shared<BoxFuture<'static, Result<T, SlackError>>>;

impl<T> Default for Lookups<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self { known: None, asked: None, failed: None }
    }
}

impl<T> fmt::Debug for Lookups<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lookups").finish_non_exhaustive()
    }
}

impl<T: Clone + Send + Sync + 'static> Lookups<T> {
    /// The answer about this, which `ask` fetches if it is not known.
    pub(in crate::slack) async fn get(
        &self,
        about: &str,
        ask: impl Future<Output = Result<T, SlackError>> + Send + 'static,
    ) -> Result<T, SlackError> {
        let asked = {
            let mut entries = self.entries();
            let entry = entries.entry(about.to_owned()).or_default();
            if let Some((at, known)) = &entry.known
                && at.elapsed() < FRESH
            {
                let (old, known) = (at.elapsed() >= RENEWED, known.clone());
                if old && entry.asked.is_none() && entry.failure().is_none() {
                    entry.asked = Some(self.start(about, ask));
                }
                return Ok(known);
            }
            match (&entry.asked, entry.failure()) {
                (Some(asked), _) => asked.clone(),
                (None, Some(error)) => return Err(error),
                (None, None) => entry.asked.insert(self.start(about, ask)).clone(),
            }
        };
        asked.await
    }

    fn start(
        &self,
        about: &str,
        ask: impl Future<Output = Result<T, SlackError>> + Send + 'static,
    ) -> Asked<T> {
        let (lookups, about) = (Self(Arc::clone(&self.0)), about.to_owned());
        let asking = tokio::spawn(async move {
            let asked = AssertUnwindSafe(ask).catch_unwind().await;
            let answer = asked.unwrap_or_else(|_| Err(SlackError::Unreachable("the question failed".into())));
            let mut entries = lookups.entries();
            let entry = entries.entry(about).or_default();
            entry.asked = None;
            match &answer {
                Ok(known) => (entry.known, entry.failed) = (Some((Instant::now(), known.clone())), None),
                Err(error) => {
                    let rest = match error {
                        SlackError::RateLimited(wait) => *wait,
                        _ => REST,
                    };
                    entry.failed = Some((Instant::now() + rest, error.clone()));
                }
            }
            drop(entries);
            answer
        });
        let ended = asking.map(|ended| {
            ended.unwrap_or_else(|_| Err(SlackError::Unreachable("the question was cut off".into())))
        });
        ended.boxed().shared()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Entry<T> {
    /// Why Slack is not asked at the moment.
    fn failure(&self) -> Option<SlackError> {
        self.failed.as_ref().filter(|(until, _)| *until > Instant::now()).map(|(_, error)| error.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn however_many_ask_at_once_one_question_is_asked() {
        let lookups = Lookups::<u32>::default();
        let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let ask = || {
            let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
            async move {
                asked.fetch_add(1, Ordering::Relaxed);
                answer.notified().await;
                Ok(7)
            }
        };
        let impatient = tokio::time::timeout(Duration::from_millis(20), lookups.get("g", ask())).await;
        assert!(impatient.is_err(), "whoever does not wait is not kept waiting");
        let waiting = async { tokio::join!(lookups.get("g", ask()), lookups.get("g", ask())) };
        let (answers, ()) = tokio::join!(waiting, async { answer.notify_one() });
        assert_eq!(answers, (Ok(7), Ok(7)));
        assert_eq!(lookups.get("g", ask()).await, Ok(7), "it is remembered");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn after_a_failure_slack_is_left_in_peace_and_nobody_waits() {
        let lookups = Lookups::<u32>::default();
        let limited = SlackError::RateLimited(Duration::from_secs(60));
        let failing = limited.clone();
        assert_eq!(lookups.get("g", async move { Err(failing) }).await, Err(limited.clone()));
        assert_eq!(lookups.get("g", async { Ok(7) }).await, Err(limited), "it is not asked");
        assert_eq!(lookups.get("h", async { Ok(8) }).await, Ok(8), "of others it is");
    }

    #[tokio::test]
    async fn a_panic_in_a_question_is_a_failure_and_no_hang() {
        let lookups = Lookups::<u32>::default();
        let panics = async { panic!("on purpose") };
        assert!(lookups.get("g", panics).await.is_err());
        assert!(lookups.get("g", async { Ok(7) }).await.is_err(), "it is asked again after a rest");
        assert!(lookups.entries()["g"].asked.is_none());
    }
}
