//! Undo: what transactions that were never committed changed is taken back (reference, replay.md section 5).

use super::database::Rebuilt;
use super::lines::first_from;
use super::redo::take_back;
use super::session::Session;
use super::version::Version;
use crate::error::{Error, Result};
use crate::ese::page::Page;
use std::collections::BTreeMap;

/// The engine's own limit is 8.
const MAX_DEPTH: usize = 16;
const JET_CORRUPTED: i32 = -1206;
const JET_LOG_CORRUPT: i32 = -501;

/// Takes back the changes of all open transactions; answers how many changes there were. Every step gets an update
/// counter of its own. The error is a change whose before-image is not known, or a tree that does not hold it.
pub(super) fn run(databases: &mut [Rebuilt], sessions: &mut BTreeMap<u16, Session>) -> Result<u64> {
    for (procid, session) in sessions.iter() {
        if session.level > 0 && session.versions.deferred() > 0 {
            let found = format_args!(
                "{} changes of session {procid} whose earlier data is in logs that are not here",
                session.versions.deferred()
            );
            return Err(
                Error::format("undo", 0, found, "an UndoInfo record for each").with_jet(JET_LOG_CORRUPT)
            );
        }
    }
    let mut steps = 0;
    for session in sessions.values_mut() {
        session.macros.clear();
        for version in session.versions.drain_newest_first() {
            let db = databases.get_mut(version.database).expect("versions name databases that were attached");
            step(db, &version)?;
            steps += 1;
        }
        session.level = 0;
        session.versions.clear();
    }
    Ok(steps)
}

fn step(db: &mut Rebuilt, version: &Version) -> Result<()> {
    let (pgno, line) = find(db, version)?;
    let dbtime = db.next_dbtime()?;
    let page = db.pages.edit(pgno)?;
    take_back(page, line, &version.change)?;
    page.set_dbtime(dbtime);
    Ok(())
}

/// The page and the line of a version's node.
fn find(db: &mut Rebuilt, version: &Version) -> Result<(u32, usize)> {
    let mut pgno = version.fdp;
    for _ in 0..MAX_DEPTH {
        let page = db.pages.read(pgno)?.view();
        let whole = if page.flags().is_non_unique() {
            [&version.key[..], &version.data[..]].concat()
        } else {
            version.key.clone()
        };
        if page.flags().is_leaf() {
            let line = find_line(page, version)?;
            return line
                .map(|line| (pgno, line))
                .ok_or_else(|| lost(pgno, "no node with the key of an open change"));
        }
        pgno = child(page, &whole)?;
    }
    Err(lost(version.fdp, "a tree without leaves"))
}

/// The child that may hold a key: the first whose separator is greater; the last one's is empty and means infinity.
fn child(page: Page<'_>, key: &[u8]) -> Result<u32> {
    let line = first_from(page, |own| own > key)?;
    let node = page.node(line)?;
    node.data()
        .as_array()
        .map(|number| u32::from_le_bytes(*number))
        .ok_or_else(|| lost(0, "a pointer of another length"))
}

fn find_line(page: Page<'_>, version: &Version) -> Result<Option<usize>> {
    let non_unique = page.flags().is_non_unique();
    let (mut low, mut high) = (0, page.line_count());
    while low < high {
        let middle = low.midpoint(high);
        let node = page.node(middle)?;
        let key = node.key();
        let order = key.as_slice().cmp(&version.key);
        let order = if non_unique { order.then_with(|| node.data().cmp(&version.data)) } else { order };
        match order {
            std::cmp::Ordering::Equal => return Ok(Some(middle)),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Ok(None)
}

fn lost(pgno: u32, found: &str) -> Error {
    Error::format(format_args!("page {pgno}"), 0, found, "the node of a change to take back")
        .with_jet(JET_CORRUPTED)
}
