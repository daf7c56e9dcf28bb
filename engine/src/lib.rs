//! Moves data to a medium and back. What stands so far: where the bytes come from ([`source`]) and what is kept
//! about a file besides its bytes ([`attributes`]).

#![warn(missing_docs)]

pub mod attributes;
pub mod error;
pub mod source;

pub use error::{Class, Error, Result};
