//! Cordon as a whole, and what the tests of the whole lean on. `tests/README.md` says what is proved where.

mod browser;
mod cli;
mod crashes;
mod documents;
mod end_to_end;
mod flows;
mod quarantine_model;
mod service_roles;
mod sizes;
mod state_machines;
mod terraform;
mod terraform_policy;
mod terraform_tables;
