//! Redo of page splits (reference, replay.md section 4.1).

use super::image::before_image;
use super::lines::{Line, append, find_child, lines_of};
use super::redo::{Before, Done, inconsistent};
use super::site::Site;
use crate::error::{Error, Result};
use crate::ese::log::diff;
use crate::ese::log::record::{Record, Split, SplitOper, SplitType};
use crate::ese::page::edit::EditPage;

const JET_MISSING_IMAGE: i32 = -255;

/// Marker of a root whose tree is being deleted; it outlives a split of the root.
const FDP_DELETED: u32 = 0x40000;

/// The node operation that splits were made for, as far as it is not that of their lowest.
pub(super) enum Cause<'a> {
    Insert { prefix: &'a [u8], suffix: &'a [u8], data: &'a [u8] },
    Replace { data: &'a [u8] },
    ReplaceDiff { diff: &'a [u8], is_wide: bool, new_len: usize },
    FlagInsertAndReplace { data: &'a [u8] },
}

impl<'a> Cause<'a> {
    /// The operation of a record, if splits are made for it.
    pub fn of(record: &Record<'a>) -> Option<Self> {
        Some(match *record {
            Record::Insert { prefix, suffix, data, .. } => Self::Insert { prefix, suffix, data },
            Record::Replace { data, .. } => Self::Replace { data },
            Record::ReplaceD { diff, wide, new_len, .. } => {
                Self::ReplaceDiff { diff, is_wide: wide, new_len: usize::from(new_len) }
            }
            Record::FlagInsertAndReplaceData { data, .. } => Self::FlagInsertAndReplace { data },
            _ => return None,
        })
    }
}

/// Redoes one level of the splits of a macro. `child` is the level below, whose logged fields are all that is needed of
/// it; the lowest has none, but may have the operation that the splits were made for.
pub(super) fn level(
    db: &mut Site<'_>,
    split: &Split<'_>,
    child: Option<&Split<'_>>,
    cause: Option<&Cause<'_>>,
    keeps_before: bool,
) -> Result<Done> {
    if split.new != 0 {
        return divide(db, split, child, cause, keeps_before);
    }
    child.map_or(Ok(()), |child| follow(db, split, child))?;
    Ok(Done::default())
}

/// The page to the right whose link changes; 0 for none.
pub(super) fn relinked(split: &Split<'_>, is_leaf: bool) -> u32 {
    if is_leaf && split.split_type != SplitType::VERTICAL { split.right } else { 0 }
}

/// A level that is not split itself gets a pointer to its child's new page.
fn follow(db: &mut Site<'_>, split: &Split<'_>, child: &Split<'_>) -> Result<()> {
    db.change(&split.page, |page| {
        let Some(line) = find_child(page.view(), child.separator, child.page.pgno)? else {
            return Err(inconsistent(
                split.page.pgno,
                format_args!("no pointer to page {}", child.page.pgno),
            ));
        };
        page.insert_key(line, child.separator, &child.page.pgno.to_le_bytes(), false)?;
        page.replace(line + 1, &child.new.to_le_bytes())
    })?;
    Ok(())
}

fn divide(
    db: &mut Site<'_>,
    split: &Split<'_>,
    child: Option<&Split<'_>>,
    cause: Option<&Cause<'_>>,
    keeps_before: bool,
) -> Result<Done> {
    let op = &split.page;
    let is_leaf = child.is_none();
    let source_wants = db.needs_redo(op.pgno, op.dbtime, op.dbtime_before)?;
    let new_wants = db.needs_creation(split.new, op.dbtime)?;
    if !source_wants && !new_wants {
        relink_right(db, split, is_leaf)?;
        return Ok(Done::default());
    }
    let (split_line, oper_line) = (usize::from(split.split_line), usize::from(split.oper_line));
    let old = source_lines(db, split, source_wants)?;
    let changed = old.as_deref().filter(|_| keeps_before).and_then(|lines| lines.get(oper_line));
    let before = changed.map(|line| Before { key: line.key.clone(), data: line.data.clone() });
    let only_the_new = old.is_none();
    let combined = combine(split, child, cause, old)?;
    // Without old lines there is the inserted one alone, which is the first that moves.
    let moves_from = if only_the_new { 0 } else { split_line };
    if moves_from > combined.len() || (!only_the_new && combined.len() != usize::from(split.lines)) {
        let found = format_args!("{} lines in a split of {}", combined.len(), split.lines);
        return Err(inconsistent(op.pgno, found));
    }
    let moved_line = |line: i32| {
        usize::try_from(line).ok().and_then(|line| combined.get(moves_from + line)).map(|l| l.key.clone())
    };
    if new_wants {
        let mut page = EditPage::create(db.page_size(), split.new, split.objid, split.new_flags, op.dbtime)?;
        if split.prefix_line_new >= 0 {
            let prefix = moved_line(split.prefix_line_new)
                .ok_or_else(|| inconsistent(split.new, "a prefix line that does not move"))?;
            page.set_external_header(&prefix)?;
        }
        append(&mut page, &combined[moves_from..])?;
        if is_leaf {
            page.set_uncommitted_free(split.uncommitted_free_dest as u16);
            if split.split_type != SplitType::VERTICAL {
                page.set_previous(op.pgno);
                page.set_next(split.right);
            }
        }
        db.create(page)?;
    }
    if source_wants {
        let stay = &combined[..moves_from.min(combined.len())];
        db.changed(op.pgno, op.dbtime, |page| change_source(page, split, stay, is_leaf))?;
    }
    relink_right(db, split, is_leaf)?;
    let stays = oper_line < split_line && split.split_type != SplitType::VERTICAL;
    Ok(Done { was_redone: if stays { source_wants } else { new_wants }, before })
}

/// The lines of the split page before the split: its own, or those of the logged image where it was split already. `None`
/// where neither is needed: the new page gets nothing but the inserted line.
fn source_lines(db: &mut Site<'_>, split: &Split<'_>, source_wants: bool) -> Result<Option<Vec<Line>>> {
    let op = &split.page;
    if source_wants {
        return db.read(op.pgno, |page| lines_of(page.view()).map(Some));
    }
    let only_inserted = split.oper == SplitOper::INSERT
        && split.split_line == split.oper_line
        && split.lines.checked_sub(1) == Some(split.oper_line);
    match split.split_type {
        SplitType::APPEND => return Ok(None),
        SplitType::RIGHT if only_inserted => return Ok(None),
        _ => {}
    }
    if !split.has_image() {
        let found = format_args!("page {} split already, page {} not built", op.pgno, split.new);
        return Err(Error::format(format_args!("page {}", op.pgno), 0, found, "an image of it from before")
            .with_jet(JET_MISSING_IMAGE));
    }
    let image = before_image(split.image, db.page_size(), op.pgno, op.dbtime_before)?;
    Ok(Some(lines_of(image.view())?))
}

/// The lines of both pages after the operation.
fn combine(
    split: &Split<'_>,
    child: Option<&Split<'_>>,
    cause: Option<&Cause<'_>>,
    old: Option<Vec<Line>>,
) -> Result<Vec<Line>> {
    let pgno = split.page.pgno;
    let oper_line = usize::from(split.oper_line);
    let at = if old.is_some() { oper_line } else { 0 };
    let has_old = old.is_some();
    let mut lines = old.unwrap_or_default();
    let missing = || inconsistent(pgno, format_args!("no line {oper_line}"));
    if let Some(child) = child {
        if split.oper == SplitOper::INSERT {
            if at > lines.len() {
                return Err(missing());
            }
            let data = child.page.pgno.to_le_bytes().to_vec();
            lines.insert(at, Line { key: child.separator.to_vec(), data, is_deleted: false });
            match lines.get_mut(at + 1) {
                Some(next) => next.data = child.new.to_le_bytes().to_vec(),
                None if has_old => return Err(missing()),
                None => {}
            }
        }
        return Ok(lines);
    }
    let Some(cause) = cause.filter(|_| split.oper != SplitOper::NONE) else { return Ok(lines) };
    // A replaced line that stays is made anew; one that moves keeps its flags.
    let stays = split.oper_line < split.split_line && split.split_type != SplitType::VERTICAL;
    let mut replace = |data: Option<Vec<u8>>, clears: bool| match lines.get_mut(at) {
        Some(line) => {
            if let Some(data) = data {
                line.data = data;
            }
            line.is_deleted &= !(clears || stays);
            Ok(())
        }
        None => Err(missing()),
    };
    match *cause {
        Cause::Insert { prefix, suffix, data } => {
            if at > lines.len() {
                return Err(missing());
            }
            lines.insert(at, Line { key: [prefix, suffix].concat(), data: data.to_vec(), is_deleted: false });
        }
        Cause::Replace { data } => replace(Some(data.to_vec()), false)?,
        Cause::FlagInsertAndReplace { data } => replace(Some(data.to_vec()), true)?,
        Cause::ReplaceDiff { diff, is_wide, new_len } => {
            let old = lines.get(at).map(|line| line.data.clone()).ok_or_else(missing)?;
            let data = diff::apply(&old, diff, is_wide, new_len)?;
            let line = lines.get_mut(at).ok_or_else(missing)?;
            line.data = data;
            line.is_deleted &= !stays;
        }
    }
    Ok(lines)
}

/// What becomes of the page that was split; `stay` are the lines that stay in it.
fn change_source(page: &mut EditPage, split: &Split<'_>, stay: &[Line], is_leaf: bool) -> Result<()> {
    match split.split_type {
        SplitType::VERTICAL => {
            let header = page.view().external_header()?.to_vec();
            let kept = page.view().flags().0 & FDP_DELETED;
            page.clear();
            page.set_external_header(&header)?;
            page.set_flags(split.split_flags | kept);
            page.insert(0, 0, &[], &split.new.to_le_bytes(), false)?;
        }
        // Appending leaves every line as it is.
        SplitType::APPEND if stay.len() == page.lines() => {}
        _ => {
            let header = if split.prefix_line_split >= 0 { split.new_prefix } else { &[] };
            page.clear();
            page.set_external_header(header)?;
            append(page, stay)?;
        }
    }
    if is_leaf {
        page.set_uncommitted_free(split.uncommitted_free_source as u16);
        if split.split_type != SplitType::VERTICAL {
            page.set_next(split.new);
        }
    }
    Ok(())
}

fn relink_right(db: &mut Site<'_>, split: &Split<'_>, is_leaf: bool) -> Result<()> {
    let right = relinked(split, is_leaf);
    if right != 0 && db.needs_redo(right, split.page.dbtime, split.right_dbtime_before)? {
        db.changed(right, split.page.dbtime, |page| {
            page.set_previous(split.new);
            Ok(())
        })?;
    }
    Ok(())
}
