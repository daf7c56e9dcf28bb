//! Checksums that the engine itself computed.

mod samples;

use reel_formats::ese::page::checksum::{self, PageState};
use serde_json::Value;

#[test]
fn every_checksum_equals_the_engines_and_every_flipped_bit_is_the_one_it_reports() {
    let name = "every_checksum_equals_the_engines_and_every_flipped_bit_is_the_one_it_reports";
    let Some(path) = samples::path(name, "data/ese/checksum-vectors.jsonl") else { return };
    let text = std::fs::read_to_string(path).expect("the vectors are readable");
    let mut counts = [0; 4];
    for line in text.lines() {
        let vector: Value = serde_json::from_str(line).expect("a line is JSON");
        match vector["kind"].as_str() {
            Some("dbheader") => {
                let block = filled(number(&vector, "cb") as usize, number(&vector, "seed"), 0);
                assert_eq!(format!("{:08x}", checksum::header_xor(&block)), vector["first_dword"]);
                counts[0] += 1;
            }
            Some("page") if vector["new_format"] == true => {
                check_new_page(&vector);
                counts[1] += 1;
            }
            Some("page") => {
                check_old_page(&vector);
                counts[2] += 1;
            }
            Some("flip") => {
                check_flip(&vector);
                counts[3] += 1;
            }
            other => panic!("a vector of unknown kind {other:?}"),
        }
    }
    assert_eq!(counts, [15, 25, 3, 100]);
}

fn number(vector: &Value, field: &str) -> u64 {
    vector[field].as_u64().expect("the field is a number")
}

fn sums(vector: &Value, field: &str) -> [u64; 4] {
    let text = |i: usize| vector[field][i].as_str().expect("the field is a list of texts");
    [0, 1, 2, 3].map(|i| u64::from_str_radix(text(i), 16).expect("the text is a hex number"))
}

/// Bytes as the vectors' generator makes them.
fn filled(len: usize, seed: u64, variant: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len);
    for at in (0..len).step_by(8) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^= word >> 31;
        word = match variant {
            1 => word & 0xFFFF_0000,
            2 if at > 200 => 0,
            _ => word,
        };
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// The page of a vector with its checksums stored, and its number.
fn page(vector: &Value) -> (Vec<u8>, u32) {
    let variant = number(vector, "variant");
    let mut page = filled(number(vector, "cb") as usize, number(vector, "seed"), variant);
    let pgno = number(vector, "pgno") as u32;
    if variant == 5 {
        page[37] &= !0x20;
        page[4..8].copy_from_slice(&pgno.to_le_bytes());
        let sum = checksum::header_xor(&page);
        page[..4].copy_from_slice(&sum.to_le_bytes());
        return (page, pgno);
    }
    page[37] |= 0x20;
    let block_len = if page.len() > 8192 { page.len() / 4 } else { page.len() };
    for (block, at) in [40, 48, 56].into_iter().enumerate().take(page.len() / block_len - 1) {
        let bytes = &page[(block + 1) * block_len..][..block_len];
        let sum = checksum::xor_ecc(bytes, pgno, false).expect("a block size");
        page[at..at + 8].copy_from_slice(&sum.to_le_bytes());
    }
    let sum = checksum::xor_ecc(&page[..block_len], pgno, true).expect("a block size");
    page[..8].copy_from_slice(&sum.to_le_bytes());
    (page, pgno)
}

fn check_new_page(vector: &Value) {
    let (mut page, pgno) = page(vector);
    assert_eq!(checksum::stored(&page), Some(sums(vector, "expected")));
    assert_eq!(checksum::computed(&page, pgno), Some(sums(vector, "actual")));
    // The generator filled the place where large pages carry their number.
    checksum::store(&mut page, pgno).expect("a page size");
    assert_eq!(checksum::verify(&page, pgno), PageState::Good);
}

fn check_old_page(vector: &Value) {
    let (page, pgno) = page(vector);
    assert_eq!(page[..8], sums(vector, "expected")[0].to_le_bytes());
    assert_eq!(checksum::verify(&page, pgno), PageState::Good);
}

fn check_flip(vector: &Value) {
    let (mut page, pgno) = page(vector);
    let bit = number(vector, "bit") as u32;
    page[bit as usize / 8] ^= 1 << (bit % 8);
    let computed = checksum::computed(&page, pgno).expect("a page size");
    assert_eq!(computed, sums(vector, "actual"));
    let stored = checksum::stored(&page).expect("a page size");
    let block_len = if page.len() > 8192 { page.len() / 4 } else { page.len() };
    let block = (0..4).find(|block| stored[*block] != computed[*block]).expect("a flipped bit shows");
    let found = checksum::flipped_bit(stored[block], computed[block], block_len);
    assert_eq!(found.map(|found| found + (8 * block_len * block) as u32), Some(bit));
    assert_eq!(vector["reported_bit"], bit);
}
