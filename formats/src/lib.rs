//! What is inside the user's files: ESE databases, their transaction logs and checkpoints, and SQLite databases.
//!
//! This crate parses and verifies; it opens no file, starts no thread and prints nothing. Every function takes bytes
//! that may come from a damaged or hostile file: it answers or returns an [`error::Error`], and never panics.
//!
//! ```
//! use reel_formats::ese::page::checksum::{self, PageState};
//!
//! let mut page = vec![0u8; 32768];
//! assert_eq!(checksum::verify(&page, 7), PageState::Zero);
//! page[100] = 1;
//! checksum::store(&mut page, 7)?;
//! assert_eq!(checksum::verify(&page, 7), PageState::Good);
//! # Ok::<(), reel_formats::error::Error>(())
//! ```
#![warn(missing_docs)]

pub mod error;
pub mod ese;
pub mod le;
pub mod recognise;
pub mod sqlite;

pub use recognise::{Kind, recognise};
