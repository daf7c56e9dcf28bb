//! What is on a medium: sequential-access semantics, image containers, blocks, records and volumes.
#![warn(missing_docs)]

pub mod error;
pub mod medium;
