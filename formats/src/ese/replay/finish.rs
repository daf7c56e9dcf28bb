//! The header of a database after a replay (reference, replay.md section 6), and of one that the logs create.

use super::database::Rebuilt;
use crate::error::{Error, Result};
use crate::ese::file_type;
use crate::ese::header::DatabaseHeader;
use crate::ese::page::checksum::header_xor;
use crate::ese::position::{LgPos, LogTime, Signature};
use crate::le::put;

const MAGIC: u32 = 0x89AB_CDEF;
/// Format of a database whose creation is logged, before SetDbVersion records raise it.
const CREATED_VERSION: [u32; 2] = [0x620, 20];
const STATE_DIRTY: u32 = 2;
const STATE_CLEAN: u32 = 3;
/// The engine's own limit on the depth of a tree is 8.
const MAX_DEPTH: usize = 16;
const OWNED_EXTENTS_ROOT: u32 = 2;

/// How a replay ended for one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Clean: complete without logs. The place is that of the record that ended it, or the last one replayed.
    Clean { position: LgPos, time: LogTime },
    /// Dirty: more logs can follow.
    Dirty { first_generation: u32, last_generation: u32, last_created: LogTime },
}

/// The header page of a database that the logs create.
pub(super) fn new_header(
    page_size: u32,
    dbid: u8,
    signature: &Signature,
    log_signature: &Signature,
    position: LgPos,
    time: LogTime,
) -> Result<(DatabaseHeader, Vec<u8>)> {
    let mut page = vec![0; page_size as usize];
    put(&mut page, 4, MAGIC.to_le_bytes());
    put(&mut page, 8, CREATED_VERSION[0].to_le_bytes());
    put(&mut page, 24, signature.to_bytes());
    put(&mut page, 52, STATE_DIRTY.to_le_bytes());
    put(&mut page, 72, time.to_bytes());
    put(&mut page, 80, position.to_bytes());
    put(&mut page, 104, u32::from(dbid).to_le_bytes());
    put(&mut page, 108, log_signature.to_bytes());
    put(&mut page, 232, CREATED_VERSION[1].to_le_bytes());
    put(&mut page, 236, page_size.to_le_bytes());
    put(&mut page, 340, CREATED_VERSION[0].to_le_bytes());
    put(&mut page, 344, CREATED_VERSION[1].to_le_bytes());
    put(&mut page, file_type::AT, file_type::DATABASE.to_le_bytes());
    let sum = header_xor(&page);
    put(&mut page, 0, sum.to_le_bytes());
    Ok((DatabaseHeader::parse(&page)?, page))
}

/// Writes everything that was changed, and then the header in both copies.
pub(super) fn close(db: &mut Rebuilt, end: End, closed: LogTime, seed: u64) -> Result<()> {
    db.pages.flush()?;
    if let End::Clean { .. } = end
        && let Some(last) = last_owned(db)?
    {
        // The engine leaves the length alone when it stops before undo: defrag-8k and others are longer then.
        db.pages.set_last_page(last)?;
    }
    let header = &db.header;
    let page = &mut db.header_page;
    put(page, 72, closed.to_bytes());
    put(page, 80, header.attached.to_bytes());
    put(page, 104, header.dbid.to_le_bytes());
    put(page, 108, header.log_signature.to_bytes());
    put(page, 232, header.update_major.to_le_bytes());
    put(page, 644, header.update_minor.to_le_bytes());
    match end {
        End::Clean { position, time } => {
            put(page, 16, db.dbtime.to_le_bytes());
            put(page, 212, db.objid.to_le_bytes());
            put(page, 52, STATE_CLEAN.to_le_bytes());
            for at in [56, 96] {
                put(page, at, position.to_bytes());
            }
            for at in [64, 88] {
                put(page, at, time.to_bytes());
            }
            // Generations required and committed, consistent, recovering, and before redo.
            for at in [296, 300, 416, 640, 536, 680, 684] {
                put(page, at, 0u32.to_le_bytes());
            }
            for at in [348, 672] {
                put(page, at, [0; LogTime::LEN]);
            }
            if header.update_major >= LAST_RESIZE_SINCE {
                put(page, 656, position.to_bytes());
            }
            if header.current_full_backup.low_generation != 0 {
                for at in [184, 316, 160] {
                    put(page, at, [0; 24]);
                }
            }
        }
        End::Dirty { first_generation, last_generation, last_created } => {
            put(page, 52, STATE_DIRTY.to_le_bytes());
            // As the last detach in the logs left them; those of the base if there was none.
            put(page, 16, header.dbtime.to_le_bytes());
            put(page, 212, header.last_objid.to_le_bytes());
            put(page, 56, header.consistent.to_bytes());
            put(page, 96, [0; LgPos::LEN]);
            put(page, 88, [0; LogTime::LEN]);
            for at in [296, 640] {
                put(page, at, first_generation.to_le_bytes());
            }
            for at in [300, 416, 536] {
                put(page, at, last_generation.to_le_bytes());
            }
            for at in [348, 672] {
                put(page, at, last_created.to_bytes());
            }
            put(page, 656, db.last_resize.to_bytes());
        }
    }
    // A flush map that lies about would otherwise be taken for that of the rebuilt file (database.md section 3.4).
    let flush = Signature { random: (seed ^ seed >> 32) as u32, created: closed, computer: [0; 16] };
    put(page, 584, flush.to_bytes());
    put(page, 612, Signature::default().to_bytes());
    let sum = header_xor(page);
    put(page, 0, sum.to_le_bytes());
    for at in [0, page.len() as u64] {
        db.pages.file().write_at(at, &db.header_page).map_err(|source| Error::Write {
            object: "database header".into(),
            position: at,
            source,
        })?;
    }
    Ok(())
}

/// Revision of the format that brought the place of the last resize.
const LAST_RESIZE_SINCE: u32 = 110;

/// The last page of the tree of the extents that the database owns; `None` where page 2 is not its root.
pub(super) fn last_owned(db: &mut Rebuilt) -> Result<Option<u32>> {
    let mut pgno = OWNED_EXTENTS_ROOT;
    for _ in 0..MAX_DEPTH {
        let page = db.pages.read(pgno)?.view();
        if !page.flags().is_space_tree() {
            return Ok(None);
        }
        for node in page.nodes().rev() {
            let node = node?;
            if !page.flags().is_leaf() {
                match node.data().as_array() {
                    Some(number) => pgno = u32::from_le_bytes(*number),
                    None => return Ok(None),
                }
                break;
            }
            if !node.is_deleted() {
                return Ok(node.key().as_array().map(|number| u32::from_be_bytes(*number)));
            }
        }
        if db.pages.read(pgno)?.view().line_count() == 0 {
            return Ok(None);
        }
    }
    Ok(None)
}
