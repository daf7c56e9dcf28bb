//! The C ABI over `reel-engine`: opaque handles, one file a noun, prefix `reel_`.
//!
//! This crate is empty on purpose. It keeps the place for backup products that link the library from C: sources that are
//! pushed, progress and cancel, restore to callbacks, errors with class, JET number, object and position. It comes with an
//! issue of its own; the rules it will keep are written down in `ARCHITECTURE.md`.
#![warn(missing_docs)]
