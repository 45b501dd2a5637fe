//! Processes on this machine: what the sandbox starts, what started it, and the files that a run leaves.

pub mod child;
pub(crate) mod emulator;
pub(crate) mod loopback;
pub(crate) mod parent;
pub(crate) mod python;
pub(crate) mod run_directory;
pub(crate) mod running;
pub(crate) mod stop;
pub(crate) mod supervisor;
