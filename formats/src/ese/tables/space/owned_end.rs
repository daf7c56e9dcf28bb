//! How far a database owns its file: the end of its last owned extent. For callers that have pages and no database yet: a
//! backup asks while the bytes pass.

use super::extent_of;
use crate::error::{Error, Result};
use crate::ese::page::Page;
use crate::ese::page::checksum::{self, PageState};
use crate::ese::page_size_of_field;
use std::io;

/// Object id of the database itself.
const DATABASE_OBJID: u32 = 1;
/// Root of the tree of the extents that the database owns.
const OWNED_EXTENTS_ROOT: u32 = 2;
/// The engine's own limit on the depth of a tree.
const MAX_DEPTH: usize = 8;

/// The last page that the database owns: what lies behind it in the file was never part of the database. `None` when it
/// cannot be known, because a page on the way is damaged, missing or not what it should be.
///
/// `read` fills its buffer, one page long, with the page of the number given and answers whether the file has that page.
/// It is called at most 8 times. The error is what `read` returned, or a `page_size` that is none.
pub fn owned_end(
    page_size: u32,
    mut read: impl FnMut(u32, &mut [u8]) -> io::Result<bool>,
) -> Result<Option<u32>> {
    if page_size == 0 || page_size_of_field(page_size).is_none() {
        let found = format_args!("pages of {page_size} bytes");
        return Err(Error::format("database", 0, found, "2, 4, 8, 16 or 32 KiB"));
    }
    let mut buffer = vec![0; page_size as usize];
    let mut pgno = OWNED_EXTENTS_ROOT;
    for depth in 0..MAX_DEPTH {
        let there = read(pgno, &mut buffer).map_err(|source| Error::Read {
            object: format!("page {pgno}"),
            position: (u64::from(pgno) + 1) * u64::from(page_size),
            source,
        })?;
        if !there || checksum::verify(&buffer, pgno) != PageState::Good {
            return Ok(None);
        }
        let page = Page::new(&buffer, pgno)?;
        let flags = page.flags();
        if !flags.is_space_tree() || page.objid() != DATABASE_OBJID || flags.is_root() != (depth == 0) {
            return Ok(None);
        }
        if flags.is_leaf() {
            return Ok(last_extent_end(page));
        }
        match last_child(page) {
            Some(child) => pgno = child,
            None => return Ok(None),
        }
    }
    Ok(None)
}

fn last_extent_end(page: Page<'_>) -> Option<u32> {
    for node in page.nodes().rev() {
        let node = node.ok()?;
        if !node.is_deleted() {
            return extent_of(&node)?.1.map(|extent| extent.last);
        }
    }
    None
}

fn last_child(page: Page<'_>) -> Option<u32> {
    let node = page.nodes().next_back()?.ok()?;
    let child = u32::from_le_bytes(*node.data().as_array()?);
    (child > 0).then_some(child)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// A page of the tree with one node.
    fn page(size: usize, flags: u32, pgno: u32, key: &[u8], data: [u8; 4]) -> Vec<u8> {
        let mut page = vec![0; size];
        let start = if size > 8192 { 80 } else { 40 };
        page[24] = 1;
        page[34] = 2;
        page[36..40].copy_from_slice(&flags.to_le_bytes());
        page[start] = key.len() as u8;
        page[start + 2..][..key.len()].copy_from_slice(key);
        page[start + 2 + key.len()..][..4].copy_from_slice(&data);
        page[size - 8] = key.len() as u8 + 6;
        checksum::store(&mut page, pgno).expect("a page size");
        page
    }

    fn end(size: usize, pages: &HashMap<u32, Vec<u8>>) -> Option<u32> {
        let read = |pgno, buffer: &mut [u8]| {
            Ok(pages.get(&pgno).is_some_and(|page| {
                buffer.copy_from_slice(page);
                true
            }))
        };
        owned_end(size as u32, read).expect("a reader that does not fail")
    }

    #[test]
    fn the_end_is_found_through_levels_of_the_tree() {
        for size in [2048, 4096, 8192, 16384, 32768] {
            let mut pages = HashMap::from([
                (2, page(size, 0x21, 2, &[], [9, 0, 0, 0])),
                (9, page(size, 0x24, 9, &[], [5, 0, 0, 0])),
                (5, page(size, 0x22, 5, &[0, 1, 0, 7], [8, 0, 0, 0])),
            ]);
            assert_eq!(end(size, &pages), Some(0x10007));
            pages.get_mut(&9).expect("it was put there")[60] ^= 1;
            assert_eq!(end(size, &pages), None);
        }
    }

    #[test]
    fn a_tree_that_never_ends_has_no_known_end() {
        let pages = HashMap::from([
            (2, page(4096, 0x21, 2, &[], [9, 0, 0, 0])),
            (9, page(4096, 0x20, 9, &[], [9, 0, 0, 0])),
        ]);
        assert_eq!(end(4096, &pages), None);
        assert_eq!(end(4096, &HashMap::new()), None);
    }

    #[test]
    fn a_page_of_another_tree_has_no_known_end() {
        let mut pages = HashMap::from([(2, page(4096, 0x03, 2, &[0, 0, 0, 7], [8, 0, 0, 0]))]);
        assert_eq!(end(4096, &pages), None);
        pages.insert(2, page(4096, 0x23, 2, &[0, 0, 0, 7], [7, 0, 0, 0]));
        assert_eq!(end(4096, &pages), Some(7));
    }

    #[test]
    fn a_reader_that_fails_is_named_with_its_place() {
        let error = owned_end(4096, |_, _| Err(io::Error::other("gone"))).expect_err("the reader fails");
        assert_eq!(error.to_string(), "cannot read page 2 at byte 12288: gone");
        assert!(owned_end(0, |_, _| Ok(false)).is_err());
        assert!(owned_end(5000, |_, _| Ok(false)).is_err());
    }
}
