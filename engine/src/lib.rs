//! Moves data to a medium and back.

#![warn(missing_docs)]

pub mod error;

pub use error::{Class, Error, Result};
