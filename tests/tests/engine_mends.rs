//! The AWS behaviour that the overlay puts back into the emulator, or that the emulator has and Cordon leans on: one
//! test a behaviour, through the public API and the front door, each named as the sentence that it proves.
//!
//! All tests share one sandbox without Terraform and are kept apart by the names of what they make.

#[path = "engine_mends/activities.rs"]
mod activities;
#[path = "engine_mends/annotations.rs"]
mod annotations;
#[path = "engine_mends/archives.rs"]
mod archives;
#[path = "engine_mends/buckets.rs"]
mod buckets;
#[path = "engine_mends/callbacks.rs"]
mod callbacks;
#[path = "engine_mends/checksums.rs"]
mod checksums;
#[path = "engine_mends/copies.rs"]
mod copies;
#[path = "engine_mends/encryption.rs"]
mod encryption;
#[path = "engine_mends/events.rs"]
mod events;
#[path = "engine_mends/executions.rs"]
mod executions;
#[path = "engine_mends/harness.rs"]
mod harness;
#[path = "engine_mends/integrations.rs"]
mod integrations;
#[path = "engine_mends/keys.rs"]
mod keys;
#[path = "engine_mends/multipart.rs"]
mod multipart;
#[path = "engine_mends/object_locks.rs"]
mod object_locks;
#[path = "engine_mends/objects.rs"]
mod objects;
#[path = "engine_mends/principals.rs"]
mod principals;
#[path = "engine_mends/retries.rs"]
mod retries;
#[path = "engine_mends/terraform.rs"]
mod terraform;
#[path = "engine_mends/versions.rs"]
mod versions;
