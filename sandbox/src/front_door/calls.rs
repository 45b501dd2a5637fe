//! The record of every call that went through the front door.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;

/// Older calls are forgotten.
const MAX_CALLS: usize = 100_000;
/// Stands for an answer that nobody waited for: the client hung up.
const CLIENT_HUNG_UP: u16 = 499;

/// One call.
#[derive(Debug, Clone, Serialize)]
pub struct CallRecord {
    /// Counts up from 1.
    pub n: u64,
    /// When it came, RFC 3339.
    pub at: String,
    /// The service in the credential scope, such as `states`; `-` for an unsigned call.
    pub service: String,
    /// The API name, such as `CopyObject`; method and path where it is not known.
    pub operation: String,
    /// HTTP method.
    pub method: String,
    /// Path as it came, without the query.
    pub path: String,
    /// Access key that signed it.
    pub access_key: Option<String>,
    /// ARN of the caller; none for the root user and for unknown keys.
    pub principal: Option<String>,
    /// Of a DynamoDB call the texts by which it names items, such as `case#…`; empty for other services.
    pub items: Vec<String>,
    /// HTTP status of the answer; 499 when the client hung up before, 0 when a fault cut the connection.
    pub status: u16,
    /// From the request's head to the answer's head.
    pub duration_ms: u64,
}

/// Which calls are asked for. Everything that is given has to fit.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Only calls after this number.
    pub after: Option<u64>,
    /// The service, exactly.
    pub service: Option<String>,
    /// The operation, exactly.
    pub operation: Option<String>,
    /// A part of the principal's ARN, such as a role's name.
    pub principal: Option<String>,
}

impl CallFilter {
    fn fits(&self, call: &CallRecord) -> bool {
        self.after.is_none_or(|after| call.n > after)
            && self.service.as_ref().is_none_or(|service| *service == call.service)
            && self.operation.as_ref().is_none_or(|operation| *operation == call.operation)
            && self
                .principal
                .as_ref()
                .is_none_or(|part| call.principal.as_ref().is_some_and(|arn| arn.contains(part)))
    }
}

/// The recorded calls, in the order in which they ended.
#[derive(Debug, Default)]
pub struct Calls {
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    last: u64,
    calls: VecDeque<CallRecord>,
}

impl Calls {
    /// The calls that fit, oldest first.
    pub fn select(&self, filter: &CallFilter) -> Vec<CallRecord> {
        self.ring().calls.iter().filter(|call| filter.fits(call)).cloned().collect()
    }

    /// The number of the newest call, to be used as [`CallFilter::after`] later.
    pub fn last(&self) -> u64 {
        self.ring().last
    }

    /// Begins a record. It is kept when the returned value is dropped, also if the client hangs up.
    pub(super) fn begin(
        &self,
        service: &str,
        method: &str,
        path: &str,
        access_key: Option<&str>,
    ) -> Open<'_> {
        let record = CallRecord {
            n: 0,
            at: jiff::Timestamp::now().to_string(),
            service: service.to_owned(),
            operation: String::new(),
            method: method.to_owned(),
            path: path.to_owned(),
            access_key: access_key.map(str::to_owned),
            principal: None,
            items: Vec::new(),
            status: CLIENT_HUNG_UP,
            duration_ms: 0,
        };
        Open { calls: self, record, since: Instant::now() }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that has not been answered yet.
pub(super) struct Open<'a> {
    calls: &'a Calls,
    pub(super) record: CallRecord,
    since: Instant,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut record = self.record.clone();
        record.duration_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut ring = self.calls.ring();
        ring.last += 1;
        record.n = ring.last;
        if ring.calls.len() == MAX_CALLS {
            ring.calls.pop_front();
        }
        ring.calls.push_back(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_nobody_waited_for_is_recorded_as_hung_up() {
        let calls = Calls::default();
        drop(calls.begin("states", "POST", "/", Some("ASIA1")));
        assert_eq!(calls.select(&CallFilter::default())[0].status, CLIENT_HUNG_UP);
    }

    #[test]
    fn a_filter_wants_everything_that_it_names() {
        let calls = Calls::default();
        for (operation, principal) in
            [("GetObject", Some("arn:x:assumed-role/cordon-mover/1")), ("GetObject", None)]
        {
            let mut call = calls.begin("s3", "GET", "/b/k", None);
            call.record.operation = operation.into();
            call.record.principal = principal.map(str::to_owned);
        }
        let by_mover = CallFilter { principal: Some("cordon-mover".into()), ..CallFilter::default() };
        assert_eq!(calls.select(&by_mover).len(), 1);
        let after =
            CallFilter { after: Some(1), operation: Some("GetObject".into()), ..CallFilter::default() };
        assert_eq!(calls.select(&after).len(), 1);
        let other = CallFilter { service: Some("sqs".into()), ..by_mover };
        assert!(calls.select(&other).is_empty());
    }
}
