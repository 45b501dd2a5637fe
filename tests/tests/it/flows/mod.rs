//! What the state machines make of failures: the rendered ASL in the sandbox's Step Functions, with a test in the worker's
//! place, which answers each task as it likes. Neither Terraform nor Cordon is started.

mod disturbances;
mod failures;
mod harness;
