//! What tests across crates share.
//!
//! [`oracle`] is a second, plain implementation of the tape format: what the engine writes must equal it byte for byte. It
//! never calls the engine, and of the tape crate it takes only media and the layout of single structures.
//! [`memory`] backs up to an image in memory and restores from it, every byte held against what went in; [`image`] takes such an
//! image apart and changes it; [`small`] is what the damage tests back up.
#![warn(missing_docs)]

pub mod image;
pub mod memory;
pub mod oracle;
pub mod small;
