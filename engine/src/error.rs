//! The one error type of the crate: what kind of failure, on which object, where, and a sentence.

use std::fmt;
use std::io;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure an [`Error`] is: what a caller decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The caller asked for something that cannot be.
    Argument,
    /// The request does not fit the present state of a pool or a run.
    State,
    /// The operating system failed to read or write.
    Io,
    /// A medium failed or is not the one that was expected.
    Medium,
    /// Bytes are not what their format requires.
    Format,
    /// Bytes do not match their checksum or digest.
    Checksum,
    /// A transaction log that is needed is not there.
    MissingLog,
    /// The caller cancelled the run.
    Cancelled,
    /// A target, medium or spool is full.
    NoSpace,
    /// A key is missing or wrong.
    Key,
    /// A limit of the format or of this build was reached.
    Limit,
    /// A bug of this crate.
    Internal,
}

/// A failure: its class, the object it happened on, the byte position where one is known, and a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{object}{at}: {sentence}{number}", at = At(*.position), number = Number(*.jet))]
pub struct Error {
    class: Class,
    object: String,
    position: Option<u64>,
    sentence: String,
    jet: Option<i32>,
    source: Option<io::Error>,
}

impl Error {
    /// A failure of `class` on `object` (a file, stream or volume, as its owner would name it).
    pub fn new(class: Class, object: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            class,
            object: object.into(),
            position: None,
            sentence: sentence.into(),
            jet: None,
            source: None,
        }
    }

    /// A failure the operating system reported while `doing` something to `object`.
    ///
    /// The class is [`Class::NoSpace`] where the system says so, otherwise [`Class::Io`].
    pub fn io(object: impl Into<String>, doing: &str, source: io::Error) -> Self {
        let class = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Class::NoSpace,
            _ => Class::Io,
        };
        let sentence = format!("{doing}: {source}");
        Self { class, object: object.into(), position: None, sentence, jet: None, source: Some(source) }
    }

    /// What `reel-formats` says of bytes of `file`: [`Class::Checksum`] where bytes do not match their checksum,
    /// [`Class::Io`] where they could not be read, otherwise [`Class::Format`].
    pub fn inside(file: &str, error: reel_formats::error::Error) -> Self {
        use reel_formats::error::Error as Formats;
        match error {
            Formats::Format { object, position, found, expected, jet } => {
                let class = jet.map_or(Class::Format, Self::class_of_jet);
                let sentence = format!("found {found}, expected {expected}");
                Self { jet, ..Self::new(class, format!("{file}, {object}"), sentence).at(position) }
            }
            Formats::Read { object, position, source } => {
                Self::io(format!("{file}, {object}"), "cannot read", source).at(position)
            }
            Formats::Write { object, position, source } => {
                Self::io(format!("{file}, {object}"), "cannot write", source).at(position)
            }
            other => Self::new(Class::Format, file, other.to_string()),
        }
    }

    /// The class of a failure that has a number of ESE's: checksum for -1018, missing log for logs that are not there,
    /// state for files that do not belong together, otherwise format.
    pub fn class_of_jet(jet: i32) -> Class {
        match jet {
            -1018 => Class::Checksum,
            -509 | -515 | -528 | -543 | -557 | -565 | -582 => Class::MissingLog,
            -532..=-530 | -539 | -544 | -550 | -551 | -566 | -567 | -590 | -615 | -625 | -1216 => {
                Class::State
            }
            _ => Class::Format,
        }
    }

    /// The same failure, with the byte offset in its object.
    pub fn at(self, position: u64) -> Self {
        Self { position: Some(position), ..self }
    }

    /// The same failure, as the caller's where it is that the object is not there: the caller named it.
    pub fn argument_if_missing(self) -> Self {
        let missing = self.io_kind() == Some(io::ErrorKind::NotFound);
        Self { class: if missing { Class::Argument } else { self.class }, ..self }
    }

    /// The same failure, with the number by which ESE's administrators know it.
    pub fn with_jet(self, jet: i32) -> Self {
        Self { jet: Some(jet), ..self }
    }

    /// The ESE error number, where one exists.
    pub fn jet(&self) -> Option<i32> {
        self.jet
    }

    /// What kind of failure this is.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The file, stream or volume it happened on.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The byte offset in the object, where one is known.
    pub fn position(&self) -> Option<u64> {
        self.position
    }

    /// What happened, without the object and the position.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// What the operating system reported, if the failure came from there.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        self.source.as_ref().map(io::Error::kind)
    }
}

/// Shows a position, if there is one, behind the name of its object.
struct At(Option<u64>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |position| write!(f, " at byte {position}"))
    }
}

/// Shows the number that administrators know, if there is one.
struct Number(Option<i32>);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |number| write!(f, " (ESE error {number})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_object_its_position_and_its_cause() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = Error::io("a.edb", "cannot read", denied).at(4096);
        assert_eq!(error.to_string(), "a.edb at byte 4096: cannot read: permission denied");
        assert_eq!(error.class(), Class::Io);
        assert_eq!(Error::new(Class::Limit, "x", "too deep").to_string(), "x: too deep");
    }

    #[test]
    fn a_full_file_system_has_its_own_class() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(Error::io("a", "cannot write", full).class(), Class::NoSpace);
    }
}
