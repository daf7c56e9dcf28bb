//! Moves data to a medium and back. What stands so far: what is kept about a file besides its bytes ([`attributes`]).

#![warn(missing_docs)]

pub mod attributes;
pub mod error;

pub use error::{Class, Error, Result};
