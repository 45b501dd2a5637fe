//! Cordon end to end: the real Terraform, the real state machines, the real binary over real HTTP.

mod approvals;
mod copies;
mod deciding;
mod doctor;
mod exposures;
mod failures;
mod figures;
mod known_cases;
mod moves;
mod policy;
mod responses;
mod restores;
mod upgrades;
mod wake_ups;
