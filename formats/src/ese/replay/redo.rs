//! Redo of single records, as far as they change pages (reference, replay.md section 4).

use super::site::Site;
use super::version::Change;
use crate::error::{Error, Result};
use crate::ese::log::diff;
use crate::ese::log::record::{EmptiedPage, NodeOp, Record};
use crate::ese::page::edit::EditPage;
use crate::le::put;

const JET_INCONSISTENT: i32 = -626;
const FLAG_LEAF: u32 = 0x2;
const FLAG_PARENT_OF_LEAF: u32 = 0x4;
const FLAG_SCRUBBED: u32 = 0x4000;

/// What a change of a line came to, as far as it must be known to take it back.
#[derive(Default)]
pub(super) struct Done {
    /// The change was made here; it was not there already.
    pub was_redone: bool,
    /// The line before, if it was asked for.
    pub before: Option<Before>,
}

/// Key and data of a line before a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Before {
    pub key: Vec<u8>,
    /// Its data; empty where its key alone names it and its data stay.
    pub data: Vec<u8>,
}

/// Redoes a record that changes one node or one page.
pub(super) fn node(db: &mut Site<'_>, record: &Record<'_>, keeps_before: bool) -> Result<Done> {
    match *record {
        Record::Insert { node, prefix, suffix, data } => {
            let line = usize::from(node.page.line);
            db.change(&node.page, |page| {
                if !page.view().external_header()?.starts_with(prefix) {
                    return Err(inconsistent(node.page.pgno, "another key prefix"));
                }
                page.insert(line, prefix.len(), suffix, data, false)
            })?;
        }
        Record::FlagInsert { node, .. } => {
            db.change(&node.page, |page| page.set_deleted(usize::from(node.page.line), false))?;
        }
        Record::FlagInsertAndReplaceData { node, data, .. } => {
            return change_line(db, &node, keeps_before, |page, line| {
                page.set_deleted(line, false)?;
                page.replace(line, data)
            });
        }
        Record::FlagDelete { node } => {
            let mut done = change_line(db, &node, keeps_before, |page, line| page.set_deleted(line, true))?;
            if let Some(before) = done.before.as_mut().filter(|_| node.page.flags.is_unique()) {
                before.data = Vec::new();
            }
            return Ok(done);
        }
        Record::Replace { node, new_len, data, .. } => {
            if usize::from(new_len) != data.len() {
                let found = format_args!("{} bytes of data for {new_len}", data.len());
                return Err(inconsistent(node.page.pgno, found));
            }
            return change_line(db, &node, keeps_before, |page, line| page.replace(line, data));
        }
        Record::ReplaceD { node, new_len, diff, wide, .. } => {
            return change_line(db, &node, keeps_before, |page, line| {
                let data = diff::apply(page.view().node(line)?.data(), diff, wide, usize::from(new_len))?;
                page.replace(line, &data)
            });
        }
        Record::Delete { node } => {
            db.change(&node.page, |page| page.remove(usize::from(node.page.line)))?;
        }
        Record::Delta { node, delta, offset, wide, .. } => {
            let (offset, width) = (usize::from(offset), delta_width(wide));
            db.change(&node.page, |page| add(page, usize::from(node.page.line), offset, width, delta))?;
        }
        Record::SetExternalHeader { node, data } => {
            db.change(&node.page, |page| set_external_header(page, data))?;
        }
        Record::EmptyTree { node, .. } => empty_root(db, &node)?,
        Record::Scrub { node, unused_page, .. } => {
            db.change(&node.page, |page| scrub(page, unused_page))?;
        }
        _ => {}
    }
    Ok(Done::default())
}

/// Bytes of the number that a Delta record raises.
pub(super) fn delta_width(is_wide: bool) -> usize {
    if is_wide { 8 } else { 4 }
}

/// Changes a line of which it may have to be known what it was.
fn change_line(
    db: &mut Site<'_>,
    node: &NodeOp,
    keeps_before: bool,
    change: impl FnOnce(&mut EditPage, usize) -> Result<()>,
) -> Result<Done> {
    let line = usize::from(node.page.line);
    let mut before = None;
    let was_redone = db.change(&node.page, |page| {
        if keeps_before {
            let there = page.view().node(line)?;
            before = Some(Before { key: there.key(), data: there.data().to_vec() });
        }
        change(page, line)
    })?;
    Ok(Done { was_redone, before })
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

/// Redoes what a logged undo did; `change` is what it takes back, if that is known.
pub(super) fn undo(db: &mut Site<'_>, node: &NodeOp, change: Option<&Change>) -> Result<()> {
    db.change(&node.page, |page| match change {
        Some(change) => take_back(page, usize::from(node.page.line), change),
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

/// Empties one page of a tree that is emptied.
pub(super) fn empty(db: &mut Site<'_>, root: &NodeOp, emptied: EmptiedPage) -> Result<()> {
    if db.needs_redo(emptied.pgno, root.page.dbtime, emptied.dbtime_before)? {
        db.changed(emptied.pgno, root.page.dbtime, |page| {
            page.make_empty();
            Ok(())
        })?;
    }
    Ok(())
}

fn empty_root(db: &mut Site<'_>, root: &NodeOp) -> Result<()> {
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
