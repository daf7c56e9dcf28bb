//! Images of pages in log records, from before a split, a merge or a move (reference, log.md section 6.1).

use crate::error::{Error, Result};
use crate::ese::log::record::Image;
use crate::ese::page::edit::EditPage;
use crate::ese::tables::xpress;
use crate::le::{Fields, put};

const FREE_AT: usize = 28;
const TAG_STATE_AT: usize = 34;
const LARGE_PGNO_AT: usize = 64;
const TAG_LEN: usize = 4;
const XPRESS_SCHEME: u8 = 3;

/// The page before the change. Its update counter is set back to `dbtime`, because the image was taken behind that.
pub(super) fn before_image(image: Image<'_>, page_size: u32, pgno: u32, dbtime: u64) -> Result<EditPage> {
    let size = page_size as usize;
    let unpacked;
    let mut bytes = image.bytes;
    if bytes.len() != size && image.is_compressed() {
        unpacked = unpack(bytes, size).ok_or_else(|| wrong(pgno, "an image that cannot be unpacked"))?;
        bytes = &unpacked;
    }
    let whole = if bytes.len() < size && image.is_dehydrated() {
        rehydrate(bytes, size).ok_or_else(|| wrong(pgno, "a dehydrated image that does not add up"))?
    } else {
        bytes.to_vec()
    };
    if whole.len() != size {
        return Err(wrong(pgno, format_args!("an image of {} bytes", whole.len())));
    }
    let mut page = EditPage::new(whole.into(), pgno)?;
    page.set_dbtime(dbtime);
    Ok(page)
}

/// The page of a move: its first and its last bytes, what is between is zero.
pub(super) fn moved_image(header: &[u8], trailer: &[u8], page_size: u32, pgno: u32) -> Result<EditPage> {
    let size = page_size as usize;
    let Some(gap) = size.checked_sub(header.len() + trailer.len()) else {
        return Err(wrong(pgno, format_args!("an image of {} bytes", header.len() + trailer.len())));
    };
    let mut whole = Vec::with_capacity(size);
    whole.extend_from_slice(header);
    whole.resize(header.len() + gap, 0);
    whole.extend_from_slice(trailer);
    if size > 8192 {
        put(&mut whole, LARGE_PGNO_AT, pgno.to_le_bytes());
    }
    EditPage::new(whole.into(), pgno)
}

/// Images are compressed as column values are: scheme, length, data (database.md section 11).
fn unpack(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let fields = Fields(bytes);
    let len = usize::from(fields.u16(1));
    let is_xpress = fields.u8(0) >> 3 == XPRESS_SCHEME;
    (is_xpress && len <= size).then(|| xpress::decompress(bytes.get(3..)?, len))?
}

/// Puts the free gap back between the nodes and the tags.
fn rehydrate(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let fields = Fields(bytes);
    let tags_len = usize::from(fields.u16(TAG_STATE_AT) & 0xFFF) * TAG_LEN;
    let gap = size.checked_sub(bytes.len())?;
    let (front, tags) = bytes.split_at_checked(bytes.len().checked_sub(tags_len)?)?;
    let mut whole = Vec::with_capacity(size);
    whole.extend_from_slice(front);
    whole.resize(front.len() + gap, 0);
    whole.extend_from_slice(tags);
    let free = usize::from(fields.u16(FREE_AT)) + gap;
    put(&mut whole, FREE_AT, u16::try_from(free).ok()?.to_le_bytes()).then_some(whole)
}

fn wrong(pgno: u32, found: impl std::fmt::Display) -> Error {
    Error::format(format_args!("image of page {pgno}"), 0, found, "a page").with_jet(-501)
}
