//! What is on a medium: sequential-access semantics, image containers, blocks, records and volumes.
//!
//! [`medium`] is anything with blocks, filemarks and an end of data; [`layout`] is what Reelmover's bytes look like
//! (`docs/format.md`); [`volume`] puts the two together. This crate serialises frames, segments, recipes and catalogs, and
//! knows nothing of how chunks are found, hashed or compressed.
//!
//! ```
//! use reel_tape::medium::{Medium, MemoryMedium, Read};
//!
//! let mut tape = MemoryMedium::new("tape");
//! tape.write(&[b"a ", b"block"])?;
//! tape.write_filemark()?;
//! tape.locate(0)?;
//! let mut block = Vec::new();
//! assert_eq!(tape.read(&mut block)?, Read::Block(7));
//! assert_eq!(tape.read(&mut block)?, Read::Filemark);
//! # Ok::<(), reel_tape::error::Error>(())
//! ```
#![warn(missing_docs)]

pub mod error;
pub mod layout;
pub mod medium;
pub mod volume;
