//! What the bytes on a volume look like: `docs/format.md`, section by section.
//!
//! Each structure with a fixed part is a plain-old-data type whose size is checked at compile time; the
//! functions beside it turn a body into bytes and bytes back into a checked body. Nothing here reads or writes a medium.

pub mod block;
pub mod catalog;
pub mod frame;
pub mod label;
pub mod recipe;
pub mod record;
pub mod segment;
pub mod set;
mod stream;
pub mod trailer;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes that do not follow the format: a sentence that says what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// Result of taking bytes apart.
pub type Result<T> = std::result::Result<T, Malformed>;

pub(crate) fn malformed<T>(what: impl Into<String>) -> Result<T> {
    Err(Malformed(what.into()))
}

/// A plain-old-data structure of a body: little-endian, without alignment.
pub trait Plain: FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned {}
impl<T: FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned> Plain for T {}

/// Takes a body apart from front to back; every step is bounded by what is left.
pub(crate) struct Fields<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(what: &'static str, body: &'a [u8]) -> Self {
        Fields { what, rest: body }
    }

    pub(crate) fn one<T: Plain>(&mut self) -> Result<&'a T> {
        match T::ref_from_prefix(self.rest) {
            Ok((value, rest)) => {
                self.rest = rest;
                Ok(value)
            }
            Err(_) => self.short(size_of::<T>()),
        }
    }

    pub(crate) fn many<T: Plain>(&mut self, count: u32) -> Result<&'a [T]> {
        match <[T]>::ref_from_prefix_with_elems(self.rest, count as usize) {
            Ok((values, rest)) => {
                self.rest = rest;
                Ok(values)
            }
            Err(_) => self.short((count as usize).saturating_mul(size_of::<T>())),
        }
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(len) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => self.short(len),
        }
    }

    pub(crate) fn text(&mut self, len: u16) -> Result<String> {
        match std::str::from_utf8(self.bytes(usize::from(len))?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => malformed(format!("a text in the {} is not UTF-8", self.what)),
        }
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn finish(&self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        malformed(format!("the {} goes on for {} bytes past its end", self.what, self.rest.len()))
    }

    fn short<T>(&self, wanted: usize) -> Result<T> {
        malformed(format!("the {} ends {} bytes early", self.what, wanted.saturating_sub(self.rest.len())))
    }
}

/// Cuts a text to what a 16-bit length can say, at a character border.
pub(crate) fn short_text(text: &str) -> &str {
    &text[..text.floor_char_boundary(usize::from(u16::MAX))]
}
