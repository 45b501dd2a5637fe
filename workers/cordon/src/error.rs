//! The one error type of activities, loops and gateway.
//!
//! AWS and Slack errors are classified into it once, where they enter, in [`crate::app::clients`].

use std::borrow::Cow;

use activity_worker::TaskError;
use cordon_domain::{Invalid, exposure::Failure};

/// Why an effect did not happen.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// May succeed when repeated: throttling, a server's fault, a time-out, a lost connection, a lost race.
    #[error("{0}")]
    Retryable(String),
    /// Repeating does not help; `cause` says in one sentence what is wrong and what to do.
    #[error("{cause}")]
    Terminal {
        /// The stable name of the reason.
        code: Code,
        /// One sentence for the person who reads it in the run, in Slack or in a log.
        cause: String,
    },
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        /// The stable names of terminal errors: what `SendTaskFailure` carries, what the state machines catch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $($(#[doc = $doc])+ $name),+ }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Code] = &[$(Code::$name),+];

            /// The name as the state machines spell it.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$name => stringify!($name)),+ }
            }
        }
    };
}

codes! {
    /// The finding is malformed, unknown to its service, or lacks what is needed to act on it.
    InvalidFinding,
    /// The object is not the one that the finding was about.
    ObjectChanged,
    /// The object is gone.
    ObjectMissing,
    /// Object Lock, a legal hold or MFA delete keeps the object where it is.
    ObjectLocked,
    /// The object is in an archive class and must be restored before it can be copied.
    ObjectArchived,
    /// AWS refused a call to Cordon's role.
    AccessDenied,
    /// The object's encryption cannot be read or written by Cordon.
    UnsupportedEncryption,
    /// The case holds no valid decision for what was asked.
    NotAuthorized,
    /// Somebody has paused all moves.
    Paused,
    /// Another object is where one is to be put back.
    ObjectExists,
    /// The bucket that an object is to be put back into is still shared.
    BucketExposed,
    /// A Macie job ended without having read everything.
    ScanFailed,
    /// Security Hub refused findings.
    ImportRejected,
    /// A service refused a request as invalid.
    RequestRejected,
}

/// The code of [`Error::Retryable`], the one that every activity state retries.
pub const RETRYABLE: &str = "Retryable";

impl Error {
    /// A terminal error.
    pub fn terminal(code: Code, cause: impl Into<String>) -> Self {
        Error::Terminal { code, cause: cause.into() }
    }

    /// The terminal code, if it is one.
    pub fn code(&self) -> Option<Code> {
        match self {
            Error::Terminal { code, .. } => Some(*code),
            Error::Retryable(_) => None,
        }
    }
}

impl TaskError for Error {
    fn code(&self) -> Cow<'static, str> {
        Cow::Borrowed(Error::code(self).map_or(RETRYABLE, Code::name))
    }

    fn cause(&self) -> String {
        self.to_string()
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::terminal(Code::InvalidFinding, invalid.0)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { code: error.code().map_or(RETRYABLE, Code::name).to_owned(), cause: error.to_string() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match Code::ALL.iter().find(|code| code.name() == failure.code) {
            Some(code) => Error::terminal(*code, failure.cause),
            None => Error::Retryable(failure.cause),
        }
    }
}

/// A result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_on_record_is_the_same_error_again() {
        for error in [Error::terminal(Code::ImportRejected, "No."), Error::Retryable("later".into())] {
            assert_eq!(Error::from(Failure::from(&error)), error);
        }
    }
}
