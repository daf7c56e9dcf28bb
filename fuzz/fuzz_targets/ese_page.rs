//! Bytes as a page, as the head of a file, and as a small database.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reel_formats::ese::page::Page;
use reel_formats::ese::page::checksum::{self, PageState};
use reel_formats::ese::{PAGE_SIZES, owned_end};
use reel_formats::recognise;

/// Looks at everything that a page has.
fn read_page(bytes: &[u8], pgno: u32) {
    let Ok(page) = Page::new(bytes, pgno) else { return };
    let _ = (page.flags(), page.dbtime(), page.previous(), page.next(), page.objid(), page.free_bytes());
    let _ = (page.tag_count(), page.reserved_tag_count(), page.line_count(), page.external_header());
    for node in page.nodes().flatten() {
        let key = node.key();
        assert_eq!(key.len(), node.key_prefix().len() + node.key_suffix().len());
        assert!(node.data().len() <= bytes.len());
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(([size, low, high], body)) = data.split_first_chunk() else { return };
    let size = PAGE_SIZES[usize::from(*size) % PAGE_SIZES.len()] as usize;
    let pgno = u32::from(u16::from_le_bytes([*low, *high]));

    let _ = recognise(body, None);
    let _ = recognise(body, Some(body.len() as u64));

    let mut page = body.to_vec();
    page.resize(size, 0);
    let _ = checksum::verify(&page, pgno);
    read_page(&page, pgno);
    if checksum::store(&mut page, pgno).is_ok() {
        let state = checksum::verify(&page, pgno);
        assert!(
            matches!(state, PageState::Good | PageState::Zero),
            "a page with its checksum made right: {state:?}"
        );
    }

    // The bytes as the first pages of a database, their checksums made right.
    let mut pages: Vec<Vec<u8>> = body.chunks(size).map(<[u8]>::to_vec).collect();
    for (number, page) in (1..).zip(&mut pages) {
        page.resize(size, 0);
        let _ = checksum::store(page, number);
    }
    let _ = owned_end(size as u32, |number, buffer| {
        let page = (number as usize).checked_sub(1).and_then(|at| pages.get(at));
        if let Some(page) = page {
            buffer.copy_from_slice(page);
        }
        Ok(page.is_some())
    });
});
