//! The logs of a rebuild: found by what they are, put in order, decoded ahead of their use.

use super::bases::{files_of, head_of};
use crate::error::{Class, Error, Result};
use crate::logs::open;
use reel_formats::ese::log::chain::Member;
use reel_formats::ese::log::header::LogHeader;
use reel_formats::ese::log::reader::LogFile;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;

/// Logs that wait to be replayed; with the one in use and the one being decoded that is four at a time.
const AHEAD: usize = 2;

/// A log file of a rebuild.
#[derive(Clone, Debug)]
pub struct LogPath {
    /// Where it is.
    pub path: PathBuf,
    /// What its header says.
    pub header: LogHeader,
}

/// The logs in `paths`, by their headers: each is a log, or a folder of which every log is taken. Temporary and reserve
/// logs are never replayed, whatever is in them (log.md section 1).
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<(LogPath, Member)>> {
    let mut found = Vec::new();
    for path in paths {
        let (files, is_folder) =
            if path.is_dir() { (files_of(path)?, true) } else { (vec![path.clone()], false) };
        for file in files {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if is_folder && !is_log_name(&name) {
                continue;
            }
            let (head, len) = head_of(&file)?;
            match LogHeader::parse(&head) {
                Ok(header) => {
                    let member = Member::of_header(&name, len, header.clone());
                    found.push((LogPath { path: file, header }, member));
                }
                Err(error) if is_folder && error.jet() == Some(NOT_A_LOG) => {}
                Err(error) => return Err(Error::inside(&file.display().to_string(), error)),
            }
        }
    }
    tell_apart(&mut found)?;
    if found.is_empty() {
        let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Error::new(Class::Argument, shown.join(", "), "no transaction logs are here"));
    }
    Ok(found)
}

/// Several files may hold one generation: the log that was being written, and the same when it was closed. Only such are
/// read to their ends, to know which goes further.
fn tell_apart(found: &mut [(LogPath, Member)]) -> Result<()> {
    let mut times = HashMap::new();
    for (log, _) in found.iter() {
        *times.entry((log.header.signature, log.header.generation)).or_insert(0) += 1;
    }
    for (log, member) in found.iter_mut() {
        if times.get(&(log.header.signature, log.header.generation)).is_some_and(|times| *times > 1) {
            let shown = log.path.display().to_string();
            let bytes = fs::read(&log.path).map_err(|e| Error::io(&shown, "cannot read", e))?;
            let name = member.name.clone();
            *member = Member::open(name, bytes).map_err(|e| Error::inside(&shown, e))?;
        }
    }
    Ok(())
}

/// What a file that begins with no good header at all gives.
const NOT_A_LOG: i32 = -501;

/// Whether a file of a folder can be a log that is replayed.
fn is_log_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let Some((stem, extension)) = lower.rsplit_once('.') else { return false };
    matches!(extension, "log" | "jtx") && !stem.ends_with("tmp") && !matches!(stem, "res1" | "res2")
}

/// Reads and decodes logs in order on a thread of its own and gives them to `replay`, which answers whether it wants more.
pub(super) fn decode_ahead(
    logs: &[LogPath],
    mut replay: impl FnMut(&Path, &LogFile) -> Result<bool>,
) -> Result<()> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD);
        scope.spawn(move || {
            for log in logs {
                let decoded = open(&log.path);
                let failed = decoded.is_err();
                if sender.send((log, decoded)).is_err() || failed {
                    break;
                }
            }
        });
        // Dropped with an error or early, the receiver ends the other thread.
        for (log, decoded) in receiver {
            if !replay(&log.path, &decoded?)? {
                break;
            }
        }
        Ok(())
    })
}
