//! What tests across crates share.
//!
//! [`oracle`] is a second, plain implementation of the tape format: what the engine writes must equal it byte for byte. It
//! never calls the engine, and of the tape crate it takes only media and the layout of single structures.
#![warn(missing_docs)]

pub mod oracle;
