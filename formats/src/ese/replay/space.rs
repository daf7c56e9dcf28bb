//! Redo of records that make trees and pages (reference, replay.md section 4).

use super::redo::set_space_header;
use super::site::Site;
use crate::error::{Error, Result};
use crate::ese::log::record::{
    ConvertFdp, CreateMultipleExtentFdp, CreateSingleExtentFdp, NewPage, PageOp, Record,
};
use crate::ese::page::edit::EditPage;

const FLAG_ROOT: u32 = 0x1;
const FLAG_LEAF: u32 = 0x2;
const FLAG_SPACE_TREE: u32 = 0x20;
const FLAG_NEW_RECORDS: u32 = 0x800;
const FLAG_PREINITIALISED: u32 = 0x20000;
const JET_BAD_LOG_VERSION: i32 = -514;
/// Bits of a space header.
const MULTIPLE_EXTENT: u32 = 1;
const NON_UNIQUE: u32 = 2;
/// Pages that the bitmap of a tree of one extent can hold.
const BITMAP_PAGES: u32 = 32;

/// Redoes a record that makes pages; answers whether it was one.
pub(super) fn redo(db: &mut Site<'_>, record: &Record<'_>) -> Result<bool> {
    match record {
        Record::NewPage(new) => new_page(db, new)?,
        Record::CreateSingleExtentFdp(create) => single(db, create)?,
        Record::CreateMultipleExtentFdp(create) => multiple(db, create)?,
        Record::ConvertFdp(convert) => self::convert(db, convert)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// What a root says of the space of its tree (database.md section 5).
fn space_header(primary: u32, parent: u32, flags: u32, last: u32) -> [u8; 16] {
    let mut header = [0; 16];
    for (word, value) in header.as_chunks_mut::<4>().0.iter_mut().zip([primary, parent, flags, last]) {
        *word = value.to_le_bytes();
    }
    header
}

fn new_page(db: &mut Site<'_>, new: &NewPage) -> Result<()> {
    if db.needs_creation(new.pgno, new.dbtime)? {
        let flags = FLAG_PREINITIALISED | FLAG_NEW_RECORDS;
        db.create(EditPage::create_preinitialised(db.page_size(), new.pgno, new.objid, flags, new.dbtime)?)?;
    }
    Ok(())
}

fn single(db: &mut Site<'_>, create: &CreateSingleExtentFdp) -> Result<()> {
    let free = match create.primary_pages.checked_sub(1) {
        Some(free) if free < BITMAP_PAGES => (1 << free) - 1,
        _ => u32::MAX,
    };
    let header = space_header(create.primary_pages, create.parent, unique_bit(&create.page), free);
    root(db, &create.page, create.page.pgno, create.objid, create.page_flags, &header, &[])
}

fn multiple(db: &mut Site<'_>, create: &CreateMultipleExtentFdp) -> Result<()> {
    let op = &create.page;
    let flags = unique_bit(op) | MULTIPLE_EXTENT;
    let header = space_header(create.primary_pages, create.parent, flags, create.owned);
    root(db, op, op.pgno, create.objid, create.page_flags, &header, &[])?;
    let last = last_of(op.pgno, create.primary_pages);
    let space = create.page_flags | FLAG_SPACE_TREE;
    let free = create.primary_pages.saturating_sub(3);
    root(db, op, create.available, create.objid, space, &[0; 16], &[(last, free)])?;
    root(db, op, create.owned, create.objid, space, &[0; 16], &[(last, create.primary_pages)])
}

fn convert(db: &mut Site<'_>, convert: &ConvertFdp) -> Result<()> {
    let op = &convert.page;
    let Some(more) = &convert.v2 else {
        let found = "a ConvertFDP record of Exchange 2000 or 2003";
        return Err(Error::format("transaction log", 0, found, "logs of Exchange 2007 or later")
            .with_jet(JET_BAD_LOG_VERSION));
    };
    let flags = unique_bit(op) | MULTIPLE_EXTENT;
    let header = space_header(convert.primary_pages, convert.parent, flags, convert.secondary_first);
    db.change(op, |page| set_space_header(page, header))?;
    let primary_last = last_of(op.pgno, convert.primary_pages);
    let secondary_last = last_of(convert.secondary_first, convert.secondary_pages);
    let mut owned = [(secondary_last, convert.secondary_pages), (primary_last, convert.primary_pages)];
    owned.sort_unstable();
    let mut available = free_runs(op.pgno, convert.primary_pages, more.available_bits);
    available.push((secondary_last, convert.secondary_pages.saturating_sub(2)));
    available.sort_unstable();
    let space = more.page_flags | FLAG_SPACE_TREE;
    root(db, op, convert.owned, convert.objid, space, &[0; 16], &owned)?;
    root(db, op, convert.available, convert.objid, space, &[0; 16], &available)
}

/// The free runs (last page, pages) behind a root, as the bitmap of its only extent gives them.
fn free_runs(root: u32, primary: u32, bits: u32) -> Vec<(u32, u32)> {
    let others = primary.saturating_sub(1);
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for bit in (0..others.min(BITMAP_PAGES)).filter(|bit| bits >> bit & 1 != 0) {
        let page = root.saturating_add(1 + bit);
        match runs.last_mut().filter(|(last, _)| last.checked_add(1) == Some(page)) {
            Some((last, pages)) => (*last, *pages) = (page, *pages + 1),
            None => runs.push((page, 1)),
        }
    }
    if let Some(tail) = others.checked_sub(BITMAP_PAGES).filter(|tail| *tail > 0) {
        runs.push((last_of(root, primary), tail));
    }
    runs
}

/// Builds the root of a tree; `extents` (last page, pages) are the lines of a tree of extents.
fn root(
    db: &mut Site<'_>,
    op: &PageOp,
    pgno: u32,
    objid: u32,
    flags: u32,
    header: &[u8],
    extents: &[(u32, u32)],
) -> Result<()> {
    if !db.needs_creation(pgno, op.dbtime)? {
        return Ok(());
    }
    let flags = flags | FLAG_ROOT | FLAG_LEAF | FLAG_NEW_RECORDS;
    let mut page = EditPage::create(db.page_size(), pgno, objid, flags, op.dbtime)?;
    page.set_external_header(header)?;
    for (last, pages) in extents.iter().filter(|(_, pages)| *pages > 0) {
        page.insert(page.lines(), 0, &last.to_be_bytes(), &pages.to_le_bytes(), false)?;
    }
    db.create(page)
}

fn unique_bit(op: &PageOp) -> u32 {
    if op.flags.is_unique() { 0 } else { NON_UNIQUE }
}

fn last_of(first: u32, pages: u32) -> u32 {
    first.saturating_add(pages.saturating_sub(1))
}
