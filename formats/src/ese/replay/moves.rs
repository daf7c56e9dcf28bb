//! Redo of page moves (reference, replay.md sections 4.3 and 4.4).

use super::image::moved_image;
use super::redo::{inconsistent, set_space_header};
use super::site::Site;
use crate::error::Result;
use crate::ese::log::record::{NodeOp, PageMove};
use crate::ese::page::edit::EditPage;

const FLAG_PREINITIALISED: u32 = 0x20000;
const FDP_DELETED: u32 = 0x40000;
const MOVES_ROOT: u32 = 1;
const MOVES_OWNED: u32 = 2;
/// Where a space header names the root of the owned extents.
const OWNED_AT: usize = 12;

/// Redoes the move of a page that is no root.
pub(super) fn page(db: &mut Site<'_>, moved: &PageMove<'_>) -> Result<()> {
    let op = &moved.page;
    let source_wants = db.needs_redo(op.pgno, op.dbtime, op.dbtime_before)?;
    if db.needs_creation(moved.dest, op.dbtime)? {
        let source = if source_wants {
            db.read(op.pgno, |page| Ok(page.copy_as(moved.dest)))?
        } else {
            moved_image(moved.header, moved.trailer, db.page_size(), op.pgno)?.copy_as(moved.dest)
        };
        let mut dest = source;
        dest.set_dbtime(op.dbtime);
        db.create(dest)?;
    }
    if db.needs_redo(moved.parent, op.dbtime, moved.parent_dbtime_before)? {
        let line = usize::try_from(moved.parent_line)
            .map_err(|_| inconsistent(moved.parent, format_args!("line {}", moved.parent_line)))?;
        db.changed(moved.parent, op.dbtime, |page| page.replace(line, &moved.dest.to_le_bytes()))?;
    }
    if moved.left != 0 && db.needs_redo(moved.left, op.dbtime, moved.left_dbtime_before)? {
        db.changed(moved.left, op.dbtime, |page| {
            page.set_next(moved.dest);
            Ok(())
        })?;
    }
    if moved.right != 0 && db.needs_redo(moved.right, op.dbtime, moved.right_dbtime_before)? {
        db.changed(moved.right, op.dbtime, |page| {
            page.set_previous(moved.dest);
            Ok(())
        })?;
    }
    if source_wants {
        db.changed(op.pgno, op.dbtime, |page| {
            page.make_empty();
            Ok(())
        })?;
    }
    Ok(())
}

/// Whether the page is the root of the owned extents of a tree whose root moves.
pub(super) fn is_owned_root(moved: &PageMove<'_>) -> bool {
    moved.flags & MOVES_OWNED != 0
}

/// Where a child of a tree whose root moves finds it.
pub(super) fn child_header(db: &mut Site<'_>, node: &NodeOp, header: &[u8]) -> Result<()> {
    let space = space_header_of(header)
        .ok_or_else(|| inconsistent(node.page.pgno, format_args!("a header of {} bytes", header.len())))?;
    db.change(&node.page, |page| set_space_header(page, space)).map(drop)
}

/// Replaces rows of the catalog that lie on one page, which the first of them decides.
pub(super) fn rows<'a>(db: &mut Site<'_>, rows: impl Iterator<Item = (NodeOp, &'a [u8])>) -> Result<()> {
    let mut was_redone = false;
    for (node, data) in rows {
        let (op, line) = (&node.page, usize::from(node.page.line));
        let replace = |page: &mut EditPage| page.replace(line, data);
        if was_redone {
            db.changed(op.pgno, op.dbtime, replace)?;
        } else {
            was_redone = db.change(op, replace)?;
        }
    }
    Ok(())
}

/// What becomes of a page whose content a root's move put elsewhere.
pub(super) fn root_left(db: &mut Site<'_>, dbtime: u64, moved: &PageMove<'_>) -> Result<()> {
    let op = &moved.page;
    if db.needs_redo(op.pgno, dbtime, op.dbtime_before)? {
        db.changed(op.pgno, dbtime, |page| {
            page.make_empty();
            Ok(())
        })?;
    }
    Ok(())
}

/// Builds a page where a root's move puts it; `new_owned` is where that puts the root of the owned extents.
pub(super) fn root_page(
    db: &mut Site<'_>,
    dbtime: u64,
    moved: &PageMove<'_>,
    new_owned: Option<u32>,
) -> Result<()> {
    if !db.needs_creation(moved.dest, dbtime)? {
        return Ok(());
    }
    let source_flags = db.read(moved.page.pgno, |page| Ok(page.view().flags().0)).ok();
    let mut dest =
        moved_image(moved.header, moved.trailer, db.page_size(), moved.page.pgno)?.copy_as(moved.dest);
    let flags = dest.view().flags().0 & !FLAG_PREINITIALISED;
    dest.set_flags(match source_flags {
        Some(source) => flags & !FDP_DELETED | source & FDP_DELETED,
        None => flags,
    });
    dest.set_dbtime(dbtime);
    if moved.flags & MOVES_ROOT != 0
        && let Some(owned) = new_owned
    {
        let header = dest.view().external_header()?;
        let mut space = space_header_of(header).ok_or_else(|| {
            inconsistent(moved.page.pgno, format_args!("a header of {} bytes", header.len()))
        })?;
        space[OWNED_AT..].copy_from_slice(&owned.to_le_bytes());
        set_space_header(&mut dest, space)?;
    }
    db.create(dest)
}

/// The 16 bytes of a space header; in the newer form a byte that names the fields stands before it.
fn space_header_of(header: &[u8]) -> Option<[u8; 16]> {
    let at = usize::from(header.len() != 16);
    crate::le::array_at(header, at)
}
