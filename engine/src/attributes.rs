//! What is kept about a file besides its bytes: read by sources, set by targets.
//!
//! Access and change times are not kept: reading a file must not make two otherwise equal backups differ. Nor is
//! anything the file system decides for itself (allocation, the size of a directory).

mod accounts;
mod apply;

pub use accounts::Accounts;
pub use apply::ApplyOptions;
pub use reel_tape::layout::recipe::NodeKind;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use xattr::FileExt;

use crate::error::{Class, Error, Result};

/// The most bytes of extended attributes, names and values together, that are kept for one entry.
///
/// Some file systems store any number of 64 KiB values on one file; a catalog does not.
pub const MAX_XATTR_BYTES: usize = 1 << 20;

/// Names of the extended attributes in which Linux shows the POSIX ACLs of a file and those new files in a directory get.
const ACL_NAMES: [&str; 2] = ["system.posix_acl_access", "system.posix_acl_default"];

/// The attributes of one entry of a backup set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// What the entry is.
    pub kind: NodeKind,
    /// Permission bits with set-user-id, set-group-id and sticky: the low 12 bits of `st_mode`.
    pub mode: u32,
    /// Number of the owner where the entry was read.
    pub uid: u32,
    /// Number of the group where the entry was read.
    pub gid: u32,
    /// Name of the owner, empty when unknown.
    pub owner: Vec<u8>,
    /// Name of the group, empty when unknown.
    pub group: Vec<u8>,
    /// Time of the last change to the contents: seconds since 1970 (negative before), and nanoseconds below 10^9.
    pub mtime: (i64, u32),
    /// The text of a symbolic link, or the stream name of the first link of a [`NodeKind::HardLink`].
    pub link_target: Option<Vec<u8>>,
    /// Extended attributes sorted by name, POSIX ACLs among them (`system.posix_acl_access` and `_default`).
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes of contents; 0 for entries without contents of their own (directories and links of both kinds).
    pub size: u64,
}

impl Attributes {
    /// The attributes of what stands at `path`, itself and not what a symbolic link there leads to.
    ///
    /// `metadata` is that of [`std::fs::symlink_metadata`]. Extended attributes that cannot be read, or that pass
    /// [`MAX_XATTR_BYTES`], are left out and told in `issues`.
    ///
    /// # Errors
    /// When the entry is of a kind that has no contents to back up (a named pipe, a socket, a character device), or
    /// the text of a symbolic link cannot be read.
    pub fn read(
        path: &Path,
        metadata: &Metadata,
        accounts: &Accounts,
        issues: &mut Vec<AttributeIssue>,
    ) -> Result<Self> {
        let mut attributes = Self::without_xattrs(path, metadata, accounts)?;
        if attributes.kind == NodeKind::Symlink {
            let text = fs::read_link(path)
                .map_err(|e| Error::io(path.display().to_string(), "cannot read the symbolic link", e))?;
            attributes.link_target = Some(text.into_os_string().into_vec());
        }
        attributes.xattrs = read_xattrs(path, xattr::list(path), |name| xattr::get(path, name), issues);
        Ok(attributes)
    }

    /// The attributes of an open regular file, directory or block device; `path` only names it in messages.
    ///
    /// Everything is read through `file`, so that it belongs to the very file whose bytes will be read.
    ///
    /// # Errors
    /// As [`Attributes::read`].
    pub fn read_open(
        file: &File,
        path: &Path,
        metadata: &Metadata,
        accounts: &Accounts,
        issues: &mut Vec<AttributeIssue>,
    ) -> Result<Self> {
        let mut attributes = Self::without_xattrs(path, metadata, accounts)?;
        attributes.xattrs = read_xattrs(path, file.list_xattr(), |name| file.get_xattr(name), issues);
        Ok(attributes)
    }

    /// The attributes of a stream that no file holds: nothing is known, and nothing will be set when it is restored.
    pub fn pushed() -> Self {
        Self {
            kind: NodeKind::Pushed,
            mode: 0o600,
            uid: 0,
            gid: 0,
            owner: Vec::new(),
            group: Vec::new(),
            mtime: (0, 0),
            link_target: None,
            xattrs: Vec::new(),
            size: 0,
        }
    }

    /// The same attributes for a further name of a file whose first stream name in the set is `first`.
    pub fn into_hard_link(self, first: Vec<u8>) -> Self {
        Self { kind: NodeKind::HardLink, link_target: Some(first), size: 0, ..self }
    }

    fn without_xattrs(path: &Path, metadata: &Metadata, accounts: &Accounts) -> Result<Self> {
        let kind = kind_of(metadata)
            .map_err(|why| Error::new(Class::Argument, path.display().to_string(), why.to_string()))?;
        let (uid, gid) = (metadata.uid(), metadata.gid());
        Ok(Self {
            kind,
            mode: metadata.mode() & 0o7777,
            uid,
            gid,
            owner: accounts.user_name(uid).to_vec(),
            group: accounts.group_name(gid).to_vec(),
            mtime: (metadata.mtime(), metadata.mtime_nsec() as u32),
            link_target: None,
            xattrs: Vec::new(),
            size: if kind == NodeKind::File { metadata.len() } else { 0 },
        })
    }
}

/// What `metadata` belongs to, or why that cannot be backed up.
pub(crate) fn kind_of(metadata: &Metadata) -> std::result::Result<NodeKind, &'static str> {
    let kind = metadata.file_type();
    if kind.is_file() {
        Ok(NodeKind::File)
    } else if kind.is_dir() {
        Ok(NodeKind::Directory)
    } else if kind.is_symlink() {
        Ok(NodeKind::Symlink)
    } else if kind.is_block_device() {
        Ok(NodeKind::BlockDevice)
    } else if kind.is_fifo() {
        Err("refused: a named pipe has no contents to back up")
    } else if kind.is_socket() {
        Err("refused: a socket has no contents to back up")
    } else if kind.is_char_device() {
        Err("refused: a character device has no contents to back up")
    } else {
        Err("refused: a file of a kind this program does not know")
    }
}

/// An attribute that could not be read or set. The entry itself is not lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeIssue {
    /// The entry it belongs to.
    pub path: PathBuf,
    /// Which attribute: `owner`, `mode`, `modification time`, or the name of an extended attribute.
    pub attribute: String,
    /// Why.
    pub why: String,
}

impl AttributeIssue {
    pub(crate) fn new(path: &Path, attribute: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { path: path.to_path_buf(), attribute: attribute.into(), why: why.to_string() }
    }
}

impl fmt::Display for AttributeIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.path.display(), self.attribute, self.why)
    }
}

/// All extended attributes `names` lists, sorted by name.
fn read_xattrs(
    path: &Path,
    names: io::Result<impl Iterator<Item = OsString>>,
    get: impl Fn(&OsStr) -> io::Result<Option<Vec<u8>>>,
    issues: &mut Vec<AttributeIssue>,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut names: Vec<OsString> = match names {
        Ok(names) => names.collect(),
        // A file system without extended attributes has none to lose.
        Err(e) if Errno::from_io_error(&e) == Some(Errno::OPNOTSUPP) => return Vec::new(),
        Err(e) => {
            issues.push(AttributeIssue::new(path, "extended attributes", e));
            return Vec::new();
        }
    };
    names.sort();
    let mut kept = Vec::with_capacity(names.len());
    let mut room = MAX_XATTR_BYTES;
    for name in names {
        match get(&name) {
            Ok(Some(value)) => match room.checked_sub(name.len() + value.len()) {
                Some(left) => {
                    room = left;
                    kept.push((name.into_vec(), value));
                }
                None => issues.push(AttributeIssue::new(
                    path,
                    name.to_string_lossy(),
                    format!("left out: the extended attributes pass {MAX_XATTR_BYTES} bytes"),
                )),
            },
            // Removed since it was listed.
            Ok(None) => {}
            Err(e) => issues.push(AttributeIssue::new(path, name.to_string_lossy(), e)),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_attributes_that_pass_the_limit_are_left_out_and_told() {
        let names = ["user.c", "user.a", "user.b", "user.d"].map(OsString::from);
        let get = |name: &OsStr| match name.to_str() {
            Some("user.b") => Ok(Some(vec![0; MAX_XATTR_BYTES])),
            Some("user.d") => Ok(None),
            _ => Ok(Some(b"value".to_vec())),
        };
        let mut issues = Vec::new();
        let kept = read_xattrs("f".as_ref(), Ok(names.into_iter()), get, &mut issues);
        assert_eq!(kept, ["user.a", "user.c"].map(|name| (name.into(), b"value".to_vec())));
        assert_eq!(issues.len(), 1);
        assert!(issues[0].to_string().starts_with("f: user.b: left out"), "{}", issues[0]);
    }
}
