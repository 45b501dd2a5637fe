//! All of Cordon on one machine, without an AWS account.
//!
//! [`Sandbox::start`] brings up, on the loopback address only, an emulator of the AWS services (MiniStack with the
//! patches in `emulator/`), our own doubles of the three services that no emulator has ([`doubles`]), a Slack
//! workspace ([`slack`]), and one front door that speaks for all of AWS. The endpoint and the credentials are the
//! only differences from AWS: signatures, policies and task-role credentials work as they do there.
//!
//! [`deployment`] applies the real Terraform to it; [`ecs`] then runs the real `cordon` binary as that declares. [`child`] sees to it that nothing
//! that was started here outlives the process that started it.

pub mod cli;
mod demo;
pub mod deployment;
mod directions;
pub mod doubles;
pub mod ecs;
mod front_door;
pub mod operator;
mod process;
mod sandbox;
pub mod slack;

pub use front_door::calls::{CallFilter, CallRecord, Calls};
pub use front_door::faults::{Fault, FaultRule, Faults};
pub use front_door::intercepting_proxy::{InterceptedCall, InterceptingProxy, Intervention};
pub use front_door::records::directory as records_directory;
pub use process::child;
pub use process::emulator::Emulator;
pub use sandbox::{Options, Sandbox, emulator_python, python};
