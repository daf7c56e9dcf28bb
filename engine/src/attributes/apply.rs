//! Sets attributes on what a restore has written.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Timespec, Timestamps, Uid};

use super::{ACL_NAMES, Accounts, AttributeIssue, Attributes, NodeKind};

const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;

/// How attributes are set: one value for a whole restore.
#[derive(Debug)]
pub struct ApplyOptions {
    /// The users and groups of this machine.
    pub accounts: Accounts,
    /// Whether owners are set at all; only a privileged process can.
    pub owners: bool,
    /// Set once it was reported that owners are not set: one line says it as well as a million.
    owners_reported: AtomicBool,
}

impl ApplyOptions {
    /// What this process may do, with the accounts of this machine.
    pub fn of_this_process() -> Self {
        Self {
            accounts: Accounts::load(),
            owners: rustix::process::geteuid().is_root(),
            owners_reported: AtomicBool::new(false),
        }
    }
}

impl Attributes {
    /// Sets these attributes on what stands at `path`, never following a symbolic link there.
    ///
    /// The owner is set by name where the name exists on this machine, by number otherwise, and only with
    /// [`ApplyOptions::owners`]; then the extended attributes, the mode (not of a symbolic link, which has none), and
    /// the modification time last, so a directory is done after its entries. A POSIX ACL that was not
    /// recorded but inherited from the new parent is removed. Set-id bits are not given to an owner other than the
    /// recorded one. Hard links have the attributes of their first name, and neither a device nor a pushed stream
    /// carries any to set: for these three nothing is done.
    ///
    /// What could not be set is returned, each with its reason; the rest is set all the same.
    pub fn apply(&self, path: &Path, options: &ApplyOptions) -> Vec<AttributeIssue> {
        let mut issues = Vec::new();
        if matches!(self.kind, NodeKind::HardLink | NodeKind::BlockDevice | NodeKind::Pushed) {
            return issues;
        }
        // Each step comes before those it would undo: a change of owner clears set-id bits and file capabilities, an
        // ACL changes the group's bits of the mode, and a mode without write permission forbids `user.` attributes.
        let set_id_bits = self.apply_owner(path, options, &mut issues);
        self.apply_xattrs(path, &mut issues);
        if self.kind != NodeKind::Symlink
            && let Err(e) = set_mode(path, self.mode & (0o1777 | set_id_bits))
        {
            issues.push(AttributeIssue::new(path, "mode", e));
        }
        if let Err(e) = set_mtime(path, self.mtime) {
            issues.push(AttributeIssue::new(path, "modification time", e));
        }
        issues
    }

    /// Sets owner and group, and returns the set-id bits that may be set now.
    fn apply_owner(&self, path: &Path, options: &ApplyOptions, issues: &mut Vec<AttributeIssue>) -> u32 {
        let uid = options.accounts.uid(&self.owner).unwrap_or(self.uid);
        let gid = options.accounts.gid(&self.group).unwrap_or(self.gid);
        let before = match fs::symlink_metadata(path) {
            Ok(metadata) => (metadata.uid(), metadata.gid()),
            Err(e) => {
                issues.push(AttributeIssue::new(path, "owner", e));
                return 0;
            }
        };
        let mut now = before;
        if before != (uid, gid) {
            if options.owners {
                match set_owner(path, uid, gid) {
                    Ok(()) => now = (uid, gid),
                    Err(e) => issues.push(AttributeIssue::new(path, "owner", e)),
                }
            } else if !options.owners_reported.swap(true, Ordering::Relaxed) {
                let why = "not set, here and on further files: only a privileged process can give files away";
                issues.push(AttributeIssue::new(path, "owner", why));
            }
        }
        let mut allowed = 0;
        if now.0 == uid {
            allowed |= SET_USER_ID;
        }
        // On a directory the bit makes new files inherit the group: it gives nobody rights.
        if now.1 == gid || self.kind == NodeKind::Directory {
            allowed |= SET_GROUP_ID;
        }
        if self.kind != NodeKind::Symlink && self.mode & (SET_USER_ID | SET_GROUP_ID) & !allowed != 0 {
            issues.push(AttributeIssue::new(path, "mode", "set-id bits left out: the owner is another one"));
        }
        allowed
    }

    fn apply_xattrs(&self, path: &Path, issues: &mut Vec<AttributeIssue>) {
        for name in ACL_NAMES {
            let recorded = self.xattrs.iter().any(|(kept, _)| kept == name.as_bytes());
            if !recorded
                && let Ok(Some(_)) = xattr::get(path, name)
                && let Err(e) = xattr::remove(path, name)
            {
                issues.push(AttributeIssue::new(path, name, e));
            }
        }
        for (name, value) in &self.xattrs {
            let os_name = OsStr::from_bytes(name);
            // What the system gave already (an SELinux label, an inherited ACL) needs no right to be set again.
            if xattr::get(path, os_name).ok().flatten().as_ref() == Some(value) {
                continue;
            }
            if let Err(e) = xattr::set(path, os_name, value) {
                issues.push(AttributeIssue::new(path, os_name.to_string_lossy(), e));
            }
        }
    }
}

fn set_owner(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    // To the system call this number means "leave as it is".
    if uid == u32::MAX || gid == u32::MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "4294967295 is not a user or group number"));
    }
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    Ok(rustix::fs::chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Changes the mode of what stands at `path`, refusing a symbolic link.
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    // Linux has no call that changes a mode without following links on every kernel in use, but a handle that pins the
    // file without opening it, seen through /proc, does the same, and needs no permission to read the file.
    let handle = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    fs::set_permissions(format!("/proc/self/fd/{}", handle.as_raw_fd()), Permissions::from_mode(mode))
}

fn set_mtime(path: &Path, (seconds, nanoseconds): (i64, u32)) -> io::Result<()> {
    // Larger values have meanings of their own to the system call ("now", "leave").
    if nanoseconds >= 1_000_000_000 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{nanoseconds} nanoseconds are recorded, expected less than 1000000000"),
        ));
    }
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() },
    };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
