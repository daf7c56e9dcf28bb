//! Where the bytes of a backup come from: files and devices of a directory tree ([`Tree`]), any reader
//! ([`ReadSource`]), or a program that pushes ([`push`]).
//!
//! Sources only read. They never follow a symbolic link below a path they were given, and never change what they
//! read: not even the access time, where the system allows that.
//!
//! ```no_run
//! use reel_engine::source::{Entry, Item, Tree, TreeOptions};
//!
//! for item in Tree::new(&["/srv/mail".into()], TreeOptions::default())? {
//!     match item {
//!         Item::Entry(Entry::Meta { name, .. }) => println!("{}", name.escape_ascii()),
//!         Item::Entry(Entry::Stream(mut source)) => {
//!             let mut buffer = vec![0; 1 << 20];
//!             while source.read(&mut buffer)? > 0 {}
//!             if let Some(change) = source.changed()? {
//!                 eprintln!("{}: {change}", source.name().escape_ascii());
//!             }
//!         }
//!         Item::Finding(finding) => eprintln!("{finding}"),
//!     }
//! }
//! # Ok::<(), reel_engine::Error>(())
//! ```

mod exclude;
mod file;
mod push;
mod tree;

pub use crate::io::PositionedRead;
pub use file::FileSource;
pub use push::{PushReader, PushWriter, ReadSource, push};
pub use tree::{Finding, FindingKind, Item, Tree, TreeOptions};

use std::ops::Range;
use std::sync::Arc;

use crate::attributes::Attributes;
use crate::error::{Class, Error, Result};

/// One stream to be backed up, with its bytes.
pub trait Source: Send {
    /// The stream name: raw bytes, `/` between components, the first of which is the top name.
    fn name(&self) -> &[u8];

    /// What is kept besides the bytes.
    fn attributes(&self) -> &Attributes;

    /// Length in bytes when the stream was opened, or `None` where only its end will tell (a pipe).
    fn len(&self) -> Option<u64>;

    /// Whether the stream is known to have no bytes.
    fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Reads the next bytes into `buf`, all of it unless the stream ends first; 0 only at the end or for an empty `buf`.
    ///
    /// No more than [`Source::len`] bytes are given, even if a file has grown since; fewer if it was cut short, which
    /// [`Source::changed`] then tells.
    ///
    /// # Errors
    /// When the bytes cannot be read, or the side that pushes them has gone before it said that they are complete. What
    /// stands in `buf` then is not to be used, and the stream is lost from there on.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize>;

    /// The same bytes for reading at any place from any thread, without moving the place of [`Source::read`]. Files and
    /// devices have it, pipes do not.
    fn positioned(&self) -> Option<Arc<dyn PositionedRead>> {
        None
    }

    /// The next range without data that starts or goes on at or after byte `from`, as the file system reports it; it reads as
    /// zeros. `None` if there is no further one or the file system does not tell.
    fn holes(&self, from: u64) -> Result<Option<Range<u64>>> {
        let _ = from;
        Ok(None)
    }

    /// After reading: what shows that the bytes were changed meanwhile, as a sentence, or `None` if nothing does.
    ///
    /// Device, inode, size, modification and change time are held against those at opening.
    fn changed(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}

/// One entry of a backup set, on its way there.
pub enum Entry {
    /// An entry without bytes: a directory, a link of either kind, or an empty file.
    Meta {
        /// The stream name, as [`Source::name`] gives it.
        name: Vec<u8>,
        /// What is kept.
        attributes: Attributes,
    },
    /// A stream and its bytes.
    Stream(Box<dyn Source>),
}

impl Entry {
    /// The stream name.
    pub fn name(&self) -> &[u8] {
        match self {
            Self::Meta { name, .. } => name,
            Self::Stream(source) => source.name(),
        }
    }

    /// What is kept besides the bytes.
    pub fn attributes(&self) -> &Attributes {
        match self {
            Self::Meta { attributes, .. } => attributes,
            Self::Stream(source) => source.attributes(),
        }
    }
}

/// Refuses a name that is no stream name: empty, with a NUL byte, or with a component that is empty, `.` or `..` (so
/// neither absolute nor leading out of the folder it is restored to).
pub fn check_name(name: &[u8]) -> Result<()> {
    let bad = name
        .split(|&byte| byte == b'/')
        .find(|component| matches!(*component, b"" | b"." | b"..") || component.contains(&0));
    match bad {
        None => Ok(()),
        Some(component) => Err(Error::new(
            Class::Argument,
            format!("stream name \"{}\"", name.escape_ascii()),
            format!(
                "has the component \"{}\", expected components that are neither empty, \".\" nor \"..\", without NUL",
                component.escape_ascii()
            ),
        )),
    }
}

/// The stream name as messages show it.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_of_their_folder_are_refused() {
        for name in [&b"a"[..], b"a/b.edb", b"a/...", b"\xff/\xfe"] {
            assert!(check_name(name).is_ok(), "{}", name.escape_ascii());
        }
        for name in [&b""[..], b"/a", b"a/", b"a//b", b"../a", b"a/..", b"a/./b", b"a\0b"] {
            assert!(check_name(name).is_err(), "{}", name.escape_ascii());
        }
    }
}
