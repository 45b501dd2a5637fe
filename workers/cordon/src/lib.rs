//! Cordon finds sensitive data in Amazon S3 that lies where it should not, or is shared with whom it should not be,
//! and gets it out of reach.
//!
//! Floors, top to bottom; nothing imports upwards:
//! [`cli`] → [`activities`], [`loops`], [`gateway`] → [`clients`] → [`domain`].

pub mod activities;
pub mod cli;
pub mod clients;
pub mod config;
pub mod domain;
pub mod error;
pub mod gateway;
pub mod loops;
pub mod telemetry;
