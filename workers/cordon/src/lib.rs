//! Cordon finds sensitive data in Amazon S3 that lies where it should not, or is shared with whom it should not be,
//! and gets it out of reach.
//!
//! Floors, top to bottom; nothing imports upwards, and entries do not import each other:
//! [`cli`], [`gateway`], [`loops`] → [`app`] → [`slack`], [`store`], [`aws`] → [`cordon_domain`].

pub mod app;
pub mod aws;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
#[cfg(test)]
mod floors;
pub mod gateway;
pub mod health;
pub mod loops;
pub mod slack;
pub mod store;
pub mod telemetry;
