//! Exponential back-off with full jitter.

use std::time::Duration;

/// Delays that double up to a limit, each drawn at random below its bound, so that many workers do not retry in step.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    limit: Duration,
}

impl Backoff {
    /// Delays from `first` to `limit`.
    pub fn new(first: Duration, limit: Duration) -> Self {
        Self { next: first, first, limit }
    }

    /// The next delay: between half of its bound and the bound.
    pub fn delay(&mut self) -> Duration {
        let bound = self.next;
        self.next = (self.next * 2).min(self.limit);
        bound.mul_f64(rand::random_range(0.5..1.0))
    }

    /// Starts again from the first delay, after a success.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_limit_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        assert!(backoff.delay() <= Duration::from_millis(100));
        for _ in 0..10 {
            backoff.delay();
        }
        assert!((Duration::from_millis(500)..=Duration::from_secs(1)).contains(&backoff.delay()));
        backoff.reset();
        assert!(backoff.delay() <= Duration::from_millis(100));
    }
}
