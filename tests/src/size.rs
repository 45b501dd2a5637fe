//! How large the tests are that try many of a thing.

use std::{env, fmt};

/// The size of this run, from `CORDON_TEST_SIZE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// `make test`: every behavior.
    Test,
    /// `make prove`: every point of each sweep, and a thousand open approvals.
    Prove,
    /// `make soak`: what only patience can try.
    Soak,
}

impl Size {
    /// The size of this run; without the variable that of `make test`.
    ///
    /// # Panics
    /// When the variable has another value: a proof of the wrong size would be taken for one.
    pub fn of_this_run() -> Size {
        match env::var("CORDON_TEST_SIZE").as_deref() {
            Err(_) | Ok("test") => Size::Test,
            Ok("prove") => Size::Prove,
            Ok("soak") => Size::Soak,
            Ok(other) => panic!("CORDON_TEST_SIZE is {other:?}; it is test, prove or soak"),
        }
    }

    /// One of three numbers.
    pub fn pick<T>(self, test: T, prove: T, soak: T) -> T {
        match self {
            Size::Test => test,
            Size::Prove => prove,
            Size::Soak => soak,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pick("test", "prove", "soak"))
    }
}
