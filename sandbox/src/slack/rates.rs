//! The Web API's rate limits: posts by channel, updates and reads by method.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// What the workspace allows. The default is what Slack documents, with the short bursts that it tolerates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimits {
    /// chat.postMessage, in each channel.
    pub posts_per_second: f64,
    /// Posts in a channel that may come at once.
    pub post_burst: u32,
    /// chat.update and the conversations.* methods, each (Tier 3).
    pub calls_per_minute: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { posts_per_second: 1.0, post_burst: 10, calls_per_minute: 50 }
    }
}

/// One token bucket for each method and channel.
#[derive(Debug)]
pub(super) struct Rates {
    limits: Option<RateLimits>,
    buckets: HashMap<String, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Default for Rates {
    fn default() -> Self {
        Self::new(Some(RateLimits::default()))
    }
}

impl Rates {
    pub(super) fn new(limits: Option<RateLimits>) -> Self {
        Self { limits, buckets: HashMap::new() }
    }

    /// Counts a call at this time; if it is one too many, gives how long to wait.
    pub(super) fn admit(&mut self, method: &str, channel: &str, now: Instant) -> Result<(), Duration> {
        let Some(limits) = self.limits else { return Ok(()) };
        let tier_3 = (f64::from(limits.calls_per_minute) / 60.0, f64::from(limits.calls_per_minute));
        let (name, (per_second, burst)) = match method {
            "chat.postMessage" | "chat.postEphemeral" => {
                (format!("post {channel}"), (limits.posts_per_second, f64::from(limits.post_burst)))
            }
            "chat.update" | "conversations.history" | "conversations.replies" => (method.to_owned(), tier_3),
            _ => return Ok(()),
        };
        let bucket = self.buckets.entry(name).or_insert(Bucket { tokens: burst, at: now });
        let refilled = now.saturating_duration_since(bucket.at).as_secs_f64() * per_second;
        bucket.tokens = (bucket.tokens + refilled).min(burst);
        bucket.at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::try_from_secs_f64((1.0 - bucket.tokens) / per_second).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_come_in_a_burst_and_then_one_a_second_in_each_channel() {
        let limits = RateLimits { posts_per_second: 1.0, post_burst: 2, calls_per_minute: 50 };
        let mut rates = Rates::new(Some(limits));
        let start = Instant::now();
        let mut post = |channel: &str, after: u64| {
            rates
                .admit("chat.postMessage", channel, start + Duration::from_millis(after))
                .map_err(|wait| wait.as_millis())
        };
        assert_eq!(post("C1", 0), Ok(()));
        assert_eq!(post("C1", 0), Ok(()));
        assert_eq!(post("C1", 0), Err(1000));
        assert_eq!(post("C2", 0), Ok(()));
        assert_eq!(post("C1", 500), Err(500));
        assert_eq!(post("C1", 1000), Ok(()));
    }

    #[test]
    fn without_limits_everything_is_admitted() {
        let mut rates = Rates::new(None);
        let now = Instant::now();
        assert!((0..1000).all(|_| rates.admit("chat.postMessage", "C1", now).is_ok()));
    }
}
