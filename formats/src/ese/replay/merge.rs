//! Redo of page merges (reference, replay.md section 4.2).

use super::image::before_image;
use super::lines::{Line, append, lines_of};
use super::redo::inconsistent;
use super::site::Site;
use crate::error::{Error, Result};
use crate::ese::log::record::{Merge, MergeType};
use crate::ese::page::edit::EditPage;

const JET_MISSING_IMAGE: i32 = -255;

/// Redoes the lowest of the merges of a macro.
pub(super) fn leaf(db: &mut Site<'_>, merge: &Merge<'_>) -> Result<()> {
    let op = &merge.page;
    let source_wants = db.needs_redo(op.pgno, op.dbtime, op.dbtime_before)?;
    let wants = |db: &mut Site<'_>, pgno, before| {
        if pgno == 0 { Ok(false) } else { db.needs_redo(pgno, op.dbtime, before) }
    };
    let right_wants = wants(db, merge.right, merge.right_dbtime_before)?;
    let left_wants = wants(db, merge.left, merge.left_dbtime_before)?;
    let to_right = matches!(merge.merge_type, MergeType::FULL_RIGHT | MergeType::PARTIAL_RIGHT);
    let to_left = matches!(merge.merge_type, MergeType::FULL_LEFT | MergeType::PARTIAL_LEFT);
    let moved = if to_right && right_wants || to_left && left_wants {
        moved_lines(db, merge, source_wants, to_right)?
    } else {
        Vec::new()
    };
    let unlinks =
        matches!(merge.merge_type, MergeType::FULL_RIGHT | MergeType::FULL_LEFT | MergeType::EMPTY_PAGE);
    if right_wants {
        db.changed(merge.right, op.dbtime, |page| {
            if to_right {
                prepend(page, &moved)?;
                page.set_uncommitted_free(merge.uncommitted_free_dest);
            }
            if unlinks {
                page.set_previous(merge.left);
            }
            Ok(())
        })?;
    }
    if left_wants {
        db.changed(merge.left, op.dbtime, |page| {
            if to_left {
                append(page, &moved)?;
                page.set_uncommitted_free(merge.uncommitted_free_dest);
            }
            if unlinks {
                page.set_next(merge.right);
            }
            Ok(())
        })?;
    }
    if source_wants {
        db.changed(op.pgno, op.dbtime, |page| change_source(page, merge))?;
    }
    Ok(())
}

/// The lines that move: not those flagged deleted.
fn moved_lines(db: &mut Site<'_>, merge: &Merge<'_>, from_page: bool, to_right: bool) -> Result<Vec<Line>> {
    let op = &merge.page;
    let lines = if from_page {
        db.read(op.pgno, |page| lines_of(page.view()))?
    } else if merge.has_image() {
        lines_of(before_image(merge.image, db.page_size(), op.pgno, op.dbtime_before)?.view())?
    } else {
        let found = format_args!("page {} merged already, its neighbour not", op.pgno);
        return Err(Error::format(format_args!("page {}", op.pgno), 0, found, "an image of it from before")
            .with_jet(JET_MISSING_IMAGE));
    };
    let at = usize::from(merge.merge_line);
    let range = if to_right { lines.get(at..) } else { lines.get(..=at) };
    let moved = range.ok_or_else(|| inconsistent(op.pgno, format_args!("no line {at}")))?;
    Ok(moved.iter().filter(|line| !line.is_deleted).cloned().collect())
}

fn prepend(page: &mut EditPage, lines: &[Line]) -> Result<()> {
    for (at, line) in lines.iter().enumerate() {
        page.insert_key(at, &line.key, &line.data, line.is_deleted)?;
    }
    Ok(())
}

/// What becomes of the page that was merged.
fn change_source(page: &mut EditPage, merge: &Merge<'_>) -> Result<()> {
    if merge.empties_page() {
        page.make_empty();
        return Ok(());
    }
    let at = usize::from(merge.merge_line);
    match merge.merge_type {
        MergeType::PARTIAL_RIGHT => {
            for line in (at..page.lines()).rev() {
                page.remove(line)?;
            }
        }
        MergeType::PARTIAL_LEFT => {
            for line in (0..=at.min(page.lines().saturating_sub(1))).rev() {
                page.remove(line)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Redoes a merge above; the lowest is `leaf`.
pub(super) fn above(db: &mut Site<'_>, merge: &Merge<'_>, leaf: &Merge<'_>) -> Result<()> {
    db.change(&merge.page, |page| change_internal(page, merge, leaf)).map(drop)
}

fn change_internal(page: &mut EditPage, merge: &Merge<'_>, leaf: &Merge<'_>) -> Result<()> {
    let line = usize::from(merge.page.line);
    let above = || inconsistent(merge.page.pgno, format_args!("no line before line {line}"));
    if merge.deletes_node() && merge.changes_key() {
        page.replace(line, &leaf.left.to_le_bytes())?;
        page.remove(line.checked_sub(1).ok_or_else(above)?)?;
    } else if merge.deletes_node() {
        let was_last = page.view().node(line)?.key().is_empty();
        page.remove(line)?;
        if was_last && page.lines() > 0 {
            rekey(page, page.lines() - 1, &[])?;
        }
    } else if merge.changes_key() {
        let is_partial_left = leaf.merge_type == MergeType::PARTIAL_LEFT;
        let line = if is_partial_left { line.checked_sub(1).ok_or_else(above)? } else { line };
        rekey(page, line, leaf.separator)?;
    }
    if merge.empties_page() {
        page.make_empty();
    }
    Ok(())
}

/// Gives a line another key.
fn rekey(page: &mut EditPage, line: usize, key: &[u8]) -> Result<()> {
    let data = page.view().node(line)?.data().to_vec();
    page.remove(line)?;
    page.insert_key(line, key, &data, false)
}
