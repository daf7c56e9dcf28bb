//! Pages in the normal form in which the engine gives the same twice (README of the cases, 'How to judge', 2).
#![allow(dead_code, reason = "each test file uses its part")]

use reel_formats::ese::header::DatabaseHeader;
use reel_formats::ese::page::checksum::{self, PageState};
use sha2::{Digest, Sha256};

/// A page in the normal form of the cases' README.
#[derive(PartialEq, Debug)]
struct Normal {
    dbtime: u64,
    previous: u32,
    next: u32,
    objid: u32,
    flags: u32,
    free: u16,
    tags: Vec<(u8, Vec<u8>)>,
}

fn normal(page: &[u8]) -> Normal {
    let u16_at = |at: usize| u16::from_le_bytes([page[at], page[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes(page[at..at + 4].try_into().expect("four"));
    let large = page.len() > 8192;
    let (start, mask) = if large { (80, 0x7FFF) } else { (40, 0x1FFF) };
    let count = usize::from(u16_at(34) & 0xFFF);
    let tags = (0..count).map(|tag| {
        let at = page.len() - 4 * (tag + 1);
        let (len, offset) = (u16_at(at) & mask, u16_at(at + 2));
        let from = start + usize::from(offset & mask);
        let mut bytes = page[from..from + usize::from(len)].to_vec();
        let mut flags = (offset >> 13) as u8;
        if large {
            flags = 0;
            if tag > 0 && bytes.len() >= 2 {
                flags = bytes[1] >> 5;
                bytes[1] &= 0x1F;
            }
        }
        if tag == 0 {
            flags = 0;
        }
        (flags & !1, bytes)
    });
    Normal {
        dbtime: u64::from_le_bytes(page[8..16].try_into().expect("eight")),
        previous: u32_at(16),
        next: u32_at(20),
        objid: u32_at(24),
        flags: u32_at(36) & !0x18000,
        free: u16_at(28),
        tags: tags.collect(),
    }
}

/// What is different between two databases after redo.
pub fn differences(ours: &[u8], engine: &[u8]) -> Vec<String> {
    let (header, _) = DatabaseHeader::find(engine).expect("the engine's header is good");
    let size = header.page_size as usize;
    let mut found = Vec::new();
    // A file that was killed while it grew may be longer than its logs say; what is not there was never used.
    let nothing = vec![0; size];
    let page = |file: &[u8], number: usize| file.chunks(size).nth(number).unwrap_or(&nothing).to_vec();
    for number in 2..ours.len().max(engine.len()) / size {
        let (pgno, a, b) = (number as u32 - 1, &page(ours, number)[..], &page(engine, number)[..]);
        match (checksum::verify(a, pgno), checksum::verify(b, pgno)) {
            (PageState::Zero, PageState::Zero) => {}
            (PageState::Good, PageState::Good) => {
                let (a, b) = (normal(a), normal(b));
                if a != b {
                    let mut what = Vec::new();
                    if a.dbtime != b.dbtime {
                        what.push(format!("dbtime {:x} {:x}", a.dbtime, b.dbtime));
                    }
                    if a.flags != b.flags {
                        what.push(format!("flags {:x} {:x}", a.flags, b.flags));
                    }
                    if a.free != b.free {
                        what.push(format!("free {} {}", a.free, b.free));
                    }
                    if (a.previous, a.next) != (b.previous, b.next) {
                        what.push("links".into());
                    }
                    if a.objid != b.objid {
                        what.push("objid".into());
                    }
                    if a.tags.len() != b.tags.len() {
                        what.push(format!("tags {} {}", a.tags.len(), b.tags.len()));
                    } else if let Some(tag) = a.tags.iter().zip(&b.tags).position(|(a, b)| a != b) {
                        what.push(format!(
                            "tag {tag} flags {} {} len {} {}",
                            a.tags[tag].0,
                            b.tags[tag].0,
                            a.tags[tag].1.len(),
                            b.tags[tag].1.len()
                        ));
                    }
                    found.push(format!("page {pgno}: {}", what.join(", ")));
                }
            }
            (a, b) => found.push(format!("page {pgno}: {a:?}, the engine has {b:?}")),
        }
    }
    found
}

/// The line of a page in the lists of the throughput cases (replay.md section 0).
pub fn listed(pgno: u32, page: &[u8]) -> String {
    if page.iter().all(|byte| *byte == 0) {
        return format!("{pgno} -");
    }
    let page = normal(page);
    let mut hash = Sha256::new();
    hash.update(page.dbtime.to_le_bytes());
    for word in [page.previous, page.next, page.objid, page.flags] {
        hash.update(word.to_le_bytes());
    }
    hash.update((page.tags.len() as u16).to_le_bytes());
    hash.update(page.free.to_le_bytes());
    for (flags, bytes) in &page.tags {
        hash.update([*flags]);
        hash.update((bytes.len() as u16).to_le_bytes());
        hash.update(bytes);
    }
    let hex = |text: String, byte: &u8| text + &format!("{byte:02x}");
    let digest = hash.finalize().iter().take(12).fold(String::new(), hex);
    format!("{pgno} {} {digest}", page.dbtime)
}
