//! Redo of single records (reference, replay.md section 4).

use super::database::Rebuilt;
use super::session::Session;
use super::version::{Change, Version};
use crate::error::{Error, Result};
use crate::ese::log::diff;
use crate::ese::log::record::{EmptiedPages, NodeOp, Record};
use crate::ese::page::edit::EditPage;
use crate::le::put;
use std::collections::HashMap;

const JET_INCONSISTENT: i32 = -626;
/// Operations as UndoInfo and Undo number them.
mod oper {
    pub const INSERT: u16 = 1;
    pub const REPLACE: u16 = 2;
    pub const FLAG_DELETE: u16 = 3;
    pub const DELTA: u16 = 4;
    pub const DELTA64: u16 = 9;
}
const FLAG_LEAF: u32 = 0x2;
const FLAG_PARENT_OF_LEAF: u32 = 0x4;
const FLAG_SCRUBBED: u32 = 0x4000;

/// Versions that an earlier replay left open, by database and number.
pub(super) type Earlier = HashMap<(usize, u32), Version>;

/// Where a record is redone: the database, and who did it.
pub(super) struct Place<'a> {
    pub db: &'a mut Rebuilt,
    /// The database, by its place among the bases.
    pub database: usize,
    pub session: &'a mut Session,
    pub earlier: &'a Earlier,
}

impl Place<'_> {
    /// Remembers how to take back a change.
    fn version(&mut self, node: &NodeOp, key: Vec<u8>, data: Vec<u8>, change: Change) {
        self.version_as(node.rceid, node, key, data, change);
    }

    /// Remembers a change that the page has already: what was there before comes from an earlier replay, or from an
    /// UndoInfo record that is to come.
    pub fn defer(&mut self, id: u32, node: &NodeOp) {
        match self.earlier.get(&(self.database, id)).filter(|version| version.fdp == node.fdp) {
            Some(version) => self.session.versions.push(version.clone()),
            None => self.session.versions.defer(id),
        }
    }

    pub fn version_as(&mut self, id: u32, node: &NodeOp, key: Vec<u8>, data: Vec<u8>, change: Change) {
        let data = if node.page.flags.is_unique() { Vec::new() } else { data };
        let level = node.page.level.clamp(1, self.session.level.max(1));
        let (database, fdp) = (self.database, node.fdp);
        self.session.versions.push(Version { id, level, database, fdp, key, data, change });
    }
}

/// Redoes a record that changes one node or one page; answers whether it was one.
pub(super) fn node(place: &mut Place<'_>, record: &Record<'_>) -> Result<bool> {
    match *record {
        Record::Insert { node, prefix, suffix, data } => {
            let line = usize::from(node.page.line);
            place.db.change(&node.page, |page| {
                if !page.view().external_header()?.starts_with(prefix) {
                    return Err(inconsistent(node.page.pgno, "another key prefix"));
                }
                page.insert(line, prefix.len(), suffix, data, false)
            })?;
            if node.page.flags.is_versioned() {
                place.version(&node, [prefix, suffix].concat(), data.to_vec(), Change::Insert);
            }
        }
        Record::FlagInsert { node, key, data } => {
            place.db.change(&node.page, |page| page.set_deleted(usize::from(node.page.line), false))?;
            if node.page.flags.is_versioned() {
                place.version(&node, key.to_vec(), data.to_vec(), Change::Insert);
            }
        }
        Record::FlagInsertAndReplaceData { node, rceid_replace, key, data } => {
            flag_insert_and_replace(place, &node, rceid_replace, key, data)?;
        }
        Record::FlagDelete { node } => flag_delete(place, &node)?,
        Record::Replace { node, new_len, data, .. } => {
            if usize::from(new_len) != data.len() {
                return Err(inconsistent(
                    node.page.pgno,
                    format_args!("{} bytes of data for {new_len}", data.len()),
                ));
            }
            replace(place, &node, |_| Ok(data.to_vec()))?;
        }
        Record::ReplaceD { node, new_len, diff, wide, .. } => {
            replace(place, &node, |old| diff::apply(old, diff, wide, usize::from(new_len)))?;
        }
        Record::Delete { node } => {
            place.db.change(&node.page, |page| page.remove(usize::from(node.page.line)))?;
        }
        Record::Delta { node, delta, offset, wide, key, bookmark_data } => {
            let (offset, width) = (usize::from(offset), if wide { 8 } else { 4 });
            place
                .db
                .change(&node.page, |page| add(page, usize::from(node.page.line), offset, width, delta))?;
            if node.page.flags.is_versioned() {
                let change = Change::Delta { offset, width, amount: delta };
                place.version(&node, key.to_vec(), bookmark_data.to_vec(), change);
            }
        }
        Record::SetExternalHeader { node, data } => {
            place.db.change(&node.page, |page| set_external_header(page, data))?;
        }
        Record::UndoInfo { node, oper, key, bookmark_data, data, .. } => {
            let change = match oper {
                oper::REPLACE => Change::Replace(data.to_vec()),
                _ => Change::FlagDelete,
            };
            if place.session.level > 0 {
                let level = node.page.level.clamp(1, place.session.level);
                let data = if node.page.flags.is_unique() { Vec::new() } else { bookmark_data.to_vec() };
                let (id, database, fdp, key) = (node.rceid, place.database, node.fdp, key.to_vec());
                place.session.versions.supply(Version { id, level, database, fdp, key, data, change });
            }
        }
        Record::Undo { node, oper, .. } => undo(place, &node, oper)?,
        Record::EmptyTree { node, pages } => empty_tree(place.db, &node, pages)?,
        Record::Scrub { node, unused_page, .. } => {
            place.db.change(&node.page, |page| scrub(page, unused_page))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn flag_insert_and_replace(
    place: &mut Place<'_>,
    node: &NodeOp,
    id: u32,
    key: &[u8],
    data: &[u8],
) -> Result<()> {
    let line = usize::from(node.page.line);
    let mut old = Vec::new();
    let redone = place.db.change(&node.page, |page| {
        old = page.view().node(line)?.data().to_vec();
        page.set_deleted(line, false)?;
        page.replace(line, data)
    })?;
    if node.page.flags.is_versioned() {
        place.version(node, key.to_vec(), data.to_vec(), Change::Insert);
        if redone {
            place.version_as(id, node, key.to_vec(), data.to_vec(), Change::Replace(old));
        } else {
            place.defer(id, node);
        }
    }
    Ok(())
}

fn flag_delete(place: &mut Place<'_>, node: &NodeOp) -> Result<()> {
    let line = usize::from(node.page.line);
    let versioned = node.page.flags.is_versioned();
    let mut bookmark = (Vec::new(), Vec::new());
    let redone = place.db.change(&node.page, |page| {
        if versioned {
            let node = page.view().node(line)?;
            bookmark = (node.key(), node.data().to_vec());
        }
        page.set_deleted(line, true)
    })?;
    if versioned && redone {
        place.version(node, bookmark.0, bookmark.1, Change::FlagDelete);
    } else if versioned {
        place.defer(node.rceid, node);
    }
    Ok(())
}

fn replace(place: &mut Place<'_>, node: &NodeOp, new: impl FnOnce(&[u8]) -> Result<Vec<u8>>) -> Result<()> {
    let line = usize::from(node.page.line);
    let versioned = node.page.flags.is_versioned();
    let mut before = (Vec::new(), Vec::new());
    let redone = place.db.change(&node.page, |page| {
        let there = page.view().node(line)?;
        let data = new(there.data())?;
        if versioned {
            before = (there.key(), there.data().to_vec());
        }
        page.replace(line, &data)
    })?;
    if versioned && redone {
        // Data are replaced in trees with unique keys only.
        place.version(node, before.0, Vec::new(), Change::Replace(before.1));
    } else if versioned {
        place.defer(node.rceid, node);
    }
    Ok(())
}

/// Adds to a counter in the data of a line.
pub(super) fn add(page: &mut EditPage, line: usize, offset: usize, width: usize, amount: i64) -> Result<()> {
    let pgno = page.pgno();
    let data = page.data_mut(line)?;
    let there = data.len();
    let place = data.get_mut(offset..).and_then(|rest| rest.get_mut(..width));
    match place {
        Some(counter) if width == 8 => {
            let value = counter.first_chunk().map_or(0, |b| i64::from_le_bytes(*b)).wrapping_add(amount);
            counter.copy_from_slice(&value.to_le_bytes());
        }
        Some(counter) if width == 4 => {
            let value =
                counter.first_chunk().map_or(0, |b| i32::from_le_bytes(*b)).wrapping_add(amount as i32);
            counter.copy_from_slice(&value.to_le_bytes());
        }
        _ => return Err(inconsistent(pgno, format_args!("{there} bytes of data for a counter at {offset}"))),
    }
    Ok(())
}

fn set_external_header(page: &mut EditPage, header: &[u8]) -> Result<()> {
    let flags = page.view().flags();
    if !flags.is_root() && !flags.is_space_tree() {
        let old = page.view().external_header()?;
        let shared = old.iter().zip(header).take_while(|(a, b)| a == b).count();
        for node in page.view().nodes() {
            if node?.key_prefix().len() > shared {
                return Err(inconsistent(page.pgno(), "a node with a longer prefix than the new header has"));
            }
        }
    }
    page.set_external_header(header)
}

/// What is overwritten is no longer part of the data. An unused page loses its lines and keeps its external header: so
/// the engine leaves page 313 of case scan-scrub-8k.
fn scrub(page: &mut EditPage, is_unused: bool) -> Result<()> {
    if is_unused {
        while let Some(last) = page.lines().checked_sub(1) {
            page.remove(last)?;
        }
    }
    page.set_flags(page.view().flags().0 | FLAG_SCRUBBED);
    Ok(())
}

fn undo(place: &mut Place<'_>, node: &NodeOp, oper: u16) -> Result<()> {
    if place.session.level == 0 {
        return Ok(());
    }
    let version = place.session.versions.take(node.rceid, place.database, node.fdp, |change| match oper {
        oper::INSERT => *change == Change::Insert,
        oper::REPLACE => matches!(change, Change::Replace(_)),
        oper::FLAG_DELETE => *change == Change::FlagDelete,
        oper::DELTA | oper::DELTA64 => matches!(change, Change::Delta { .. }),
        _ => true,
    });
    place.session.versions.undone(node.rceid);
    place.db.change(&node.page, |page| match version {
        Some(version) => take_back(page, usize::from(node.page.line), &version.change),
        None => {
            let found = format_args!("no version {} to take back", node.rceid);
            Err(Error::format("transaction log", 0, found, "the change that a logged undo takes back")
                .with_jet(-501))
        }
    })?;
    Ok(())
}

/// Takes back what was done to a line (replay.md section 5). An inserted line is flagged, not removed: the engine will.
pub(super) fn take_back(page: &mut EditPage, line: usize, change: &Change) -> Result<()> {
    match change {
        Change::Insert => page.set_deleted(line, true),
        Change::Replace(data) => page.replace(line, data),
        Change::FlagDelete => page.set_deleted(line, false),
        Change::Delta { offset, width, amount } => add(page, line, *offset, *width, amount.wrapping_neg()),
    }
}

fn empty_tree(db: &mut Rebuilt, root: &NodeOp, pages: EmptiedPages<'_>) -> Result<()> {
    for emptied in pages.iter() {
        if db.needs_redo(emptied.pgno, root.page.dbtime, emptied.dbtime_before)? {
            db.changed(emptied.pgno, root.page.dbtime, |page| {
                page.make_empty();
                Ok(())
            })?;
        }
    }
    db.change(&root.page, |page| {
        page.remove(0)?;
        let flags = page.view().flags().0;
        page.set_flags(flags & !FLAG_PARENT_OF_LEAF | FLAG_LEAF);
        Ok(())
    })?;
    Ok(())
}

/// Replaces the 16 bytes of a root's space header; a leading field byte and what follows it stay (database.md section 5).
pub(super) fn set_space_header(page: &mut EditPage, space: [u8; 16]) -> Result<()> {
    let mut header = page.view().external_header()?.to_vec();
    let at = usize::from(header.len() != 16);
    if put(&mut header, at, space) {
        page.set_external_header(&header)
    } else {
        Err(inconsistent(page.pgno(), format_args!("a root's header of {} bytes", header.len())))
    }
}

pub(super) fn inconsistent(pgno: u32, found: impl std::fmt::Display) -> Error {
    Error::format(format_args!("page {pgno}"), 0, found, "a page as the log record describes it")
        .with_jet(JET_INCONSISTENT)
}
