//! Moves data to a medium and back: sources, chunking, dedup, the backup pipeline, the forward-pass restore.

#![warn(missing_docs)]

pub mod attributes;
pub mod backup;
pub mod chunk;
pub mod database;
pub mod diff;
pub mod digest;
pub mod error;
pub mod frame;
pub mod index;
pub mod info;
pub mod integrity;
pub mod io;
pub mod list;
pub mod logs;
pub mod memory;
pub mod plan;
pub mod pool;
pub mod progress;
pub mod rebuild;
pub mod restore;
pub mod root;
pub mod source;
pub mod verify;

pub use error::{Class, Error, Result};
