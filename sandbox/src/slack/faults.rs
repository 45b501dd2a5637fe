//! How single methods of the Web API go wrong on request, beside an [`Outage`](super::Outage) of all of them.

use std::time::Duration;

/// What some calls of the Web API meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodFault {
    /// The method, such as `views.open`; every one if absent.
    pub method: Option<String>,
    /// The channel that the call names; every one if absent.
    pub channel: Option<String>,
    /// What they meet.
    pub kind: MethodFaultKind,
    /// How many calls meet it; all of them if absent.
    pub times: Option<u32>,
}

/// What a call meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MethodFaultKind {
    /// HTTP 200 with `ok: false` and this error; nothing is done.
    Refused(String),
    /// HTTP 429; nothing is done.
    RateLimited {
        /// Seconds in `Retry-After`.
        retry_after: u64,
    },
    /// Nothing happens for so long; then the call goes on as it would.
    Hangs(Duration),
}

#[derive(Debug, Default)]
pub(super) struct MethodFaults(Vec<MethodFault>);

impl MethodFaults {
    pub(super) fn add(&mut self, fault: MethodFault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault for a call, which is then used up once.
    pub(super) fn next_for(&mut self, method: &str, channel: Option<&str>) -> Option<MethodFaultKind> {
        let concerns = |of: &Option<String>, what: Option<&str>| of.is_none() || of.as_deref() == what;
        let fault = self.0.iter_mut().find(|fault| {
            fault.times != Some(0)
                && concerns(&fault.method, Some(method))
                && concerns(&fault.channel, channel)
        })?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.kind.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_concerns_its_method_and_channel_and_so_many_calls() {
        let kind = MethodFaultKind::Refused("is_archived".into());
        let mut faults = MethodFaults::default();
        faults.add(MethodFault {
            method: Some("chat.update".into()),
            channel: Some("C1".into()),
            kind: kind.clone(),
            times: Some(1),
        });
        assert_eq!(faults.next_for("chat.postMessage", Some("C1")), None);
        assert_eq!(faults.next_for("chat.update", Some("C2")), None);
        assert_eq!(faults.next_for("chat.update", Some("C1")), Some(kind.clone()));
        assert_eq!(faults.next_for("chat.update", Some("C1")), None, "it is used up");
        faults.add(MethodFault { method: None, channel: None, kind: kind.clone(), times: None });
        assert!((0..3).all(|_| faults.next_for("users.info", None) == Some(kind.clone())));
        faults.clear();
        assert_eq!(faults.next_for("users.info", None), None);
    }
}
