//! Cordon end to end: the real Terraform, the real state machines, the real binary over real HTTP.

mod approvals;
mod exposures;
mod failures;
mod figures;
mod moves;
mod responses;
mod restores;
