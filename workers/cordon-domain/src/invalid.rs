//! Input that is not what it should be.

/// What is wrong with an input, and what was expected, in one sentence for the person who reads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// A result with [`Invalid`].
pub(crate) type Result<T> = std::result::Result<T, Invalid>;
