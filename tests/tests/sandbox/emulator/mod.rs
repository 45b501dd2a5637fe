//! The AWS behavior that the overlay puts back into the emulator, or that the emulator has and Cordon leans on: one
//! test a behavior, through the public API and the front door, each named as the sentence that it proves.
//!
//! All tests share one sandbox without Terraform and are kept apart by the names of what they make.

mod activities;
mod annotations;
mod archives;
mod buckets;
mod callbacks;
mod checksums;
mod copies;
mod encryption;
mod events;
mod executions;
mod harness;
mod integrations;
mod keys;
mod multipart;
mod object_locks;
mod objects;
mod principals;
mod queues;
mod retries;
mod services;
mod terraform;
mod versions;
