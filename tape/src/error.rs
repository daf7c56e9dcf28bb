//! The error type of this crate: what was found, what was expected, and where.

use std::io;

/// What an operation of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of trouble an [`Error`] is, for callers that decide and do not print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The caller asked for something that can never be done.
    Argument,
    /// The request does not fit the state of the medium or volume.
    State,
    /// The operating system refused.
    Io,
    /// The medium could not deliver what stands on it, or does not hold what was asked for.
    Medium,
    /// The bytes do not follow the format.
    Format,
    /// The bytes follow the format, but a check value says that they changed.
    Checksum,
    /// The medium is full.
    NoSpace,
}

/// An error of this crate. Each variant that concerns a medium carries its name and the object number.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a call.
    #[error("{medium}: {what}: {source}")]
    Io {
        /// Name of the medium.
        medium: String,
        /// What was tried, with its place in bytes where it has one.
        what: String,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// An object stands on the medium but cannot be read.
    #[error("{medium}: object {object} cannot be read: {what}")]
    Medium {
        /// Name of the medium.
        medium: String,
        /// Number of the object.
        object: u64,
        /// Why.
        what: String,
    },
    /// An object beyond the end of data was asked for (BLANK CHECK).
    #[error("{medium}: object {object} was asked for, but data end at object {end}")]
    BeyondEnd {
        /// Name of the medium.
        medium: String,
        /// Number of the object asked for.
        object: u64,
        /// Number that the next written object would get.
        end: u64,
    },
    /// Spacing over filemarks met an end of the medium before the last of them.
    #[error("{medium}: spacing stopped at object {object} with {missing} filemarks left to pass")]
    MarksMissing {
        /// Name of the medium.
        medium: String,
        /// Object number at which it stopped: 0, or the end of data.
        object: u64,
        /// Filemarks that were not found (the residual).
        missing: u64,
    },
    /// Bytes on the medium do not follow the format.
    #[error("{medium}: object {object}{}: {what}", at_byte(*.byte))]
    Format {
        /// Name of the medium.
        medium: String,
        /// Number of the object, or the number that it would have.
        object: u64,
        /// Byte offset in the image, where there is an image.
        byte: Option<u64>,
        /// What was found and what was expected.
        what: String,
    },
    /// A check value does not match the bytes that it covers.
    #[error("{medium}: object {object}{}: {what}", at_byte(*.byte))]
    Checksum {
        /// Name of the medium.
        medium: String,
        /// Number of the object.
        object: u64,
        /// Byte offset in the image, where there is an image.
        byte: Option<u64>,
        /// What was found and what was expected.
        what: String,
    },
    /// The medium is full; the object was not written.
    #[error("{medium}: no space for object {object}: {what}")]
    NoSpace {
        /// Name of the medium.
        medium: String,
        /// Number that the next object would get: everything before it stands.
        object: u64,
        /// What limit was met.
        what: String,
    },
    /// The request does not fit the state of the medium.
    #[error("{medium}: {what}")]
    State {
        /// Name of the medium.
        medium: String,
        /// What the state is and what the request needs.
        what: String,
    },
    /// The request can never be done.
    #[error("{what}")]
    Argument {
        /// What was given and what is allowed.
        what: String,
    },
}

impl Error {
    /// What is wrong, without the place, for a message that names the place itself.
    pub fn what(&self) -> String {
        match self {
            Self::Medium { what, .. } | Self::Format { what, .. } | Self::Checksum { what, .. } => {
                what.clone()
            }
            other => other.to_string(),
        }
    }

    /// The kind of trouble.
    pub fn class(&self) -> Class {
        match self {
            Self::Io { .. } => Class::Io,
            Self::Medium { .. } | Self::BeyondEnd { .. } | Self::MarksMissing { .. } => Class::Medium,
            Self::Format { .. } => Class::Format,
            Self::Checksum { .. } => Class::Checksum,
            Self::NoSpace { .. } => Class::NoSpace,
            Self::State { .. } => Class::State,
            Self::Argument { .. } => Class::Argument,
        }
    }
}

fn at_byte(byte: Option<u64>) -> String {
    byte.map(|byte| format!(" at byte {byte}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_medium_object_and_byte() {
        let error = Error::Format {
            medium: "a.tap".into(),
            object: 7,
            byte: Some(512),
            what: "trailing length 3, expected 4".into(),
        };
        assert_eq!(error.to_string(), "a.tap: object 7 at byte 512: trailing length 3, expected 4");
        assert_eq!(error.class(), Class::Format);
    }
}
