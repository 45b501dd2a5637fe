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
    /// usergroups.users.list (Tier 2).
    pub tier_2_per_minute: u32,
    /// chat.update, bots.info and the conversations.* methods, each (Tier 3).
    pub tier_3_per_minute: u32,
    /// chat.postEphemeral, users.info and views.open, each (Tier 4).
    pub tier_4_per_minute: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            posts_per_second: 1.0,
            post_burst: 10,
            tier_2_per_minute: 20,
            tier_3_per_minute: 50,
            tier_4_per_minute: 100,
        }
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
        let tier =
            |per_minute: u32| (method.to_owned(), (f64::from(per_minute) / 60.0, f64::from(per_minute)));
        let (name, (per_second, burst)) = match method {
            "chat.postMessage" => {
                (format!("post {channel}"), (limits.posts_per_second, f64::from(limits.post_burst)))
            }
            "usergroups.users.list" => tier(limits.tier_2_per_minute),
            "bots.info"
            | "chat.update"
            | "conversations.history"
            | "conversations.info"
            | "conversations.replies" => tier(limits.tier_3_per_minute),
            "chat.postEphemeral" | "users.info" | "views.open" => tier(limits.tier_4_per_minute),
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
        let limits = RateLimits { post_burst: 2, ..RateLimits::default() };
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
    fn each_method_has_the_rate_of_its_tier() {
        for (method, per_minute) in [
            ("usergroups.users.list", 20),
            ("chat.update", 50),
            ("chat.postEphemeral", 100),
            ("views.open", 100),
        ] {
            let mut rates = Rates::default();
            let now = Instant::now();
            let admitted = (0..200).take_while(|_| rates.admit(method, "C1", now).is_ok()).count();
            assert_eq!(admitted, per_minute, "{method}");
        }
    }

    #[test]
    fn without_limits_everything_is_admitted() {
        let mut rates = Rates::new(None);
        let now = Instant::now();
        assert!((0..1000).all(|_| rates.admit("chat.postMessage", "C1", now).is_ok()));
    }
}
