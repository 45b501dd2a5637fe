//! The sandbox itself: its program, its emulator and its doubles. Neither Terraform nor Cordon is started.
//!
//! A binary of its own, because many of these tests hold the emulator to a second or two, for which the machine may not be
//! busy with installations.

mod doubles;
mod emulator;
mod program;
