//! The bodies of records, each by its decoder. The first byte chooses the decoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reel_tape::layout::catalog::{CatalogHead, Foreign};
use reel_tape::layout::frame::Frame;
use reel_tape::layout::label::Label;
use reel_tape::layout::recipe::Fragment;
use reel_tape::layout::record::{HEADER_LEN, RecordHeader};
use reel_tape::layout::segment::Segment;
use reel_tape::layout::set::{End, PoolState, SetHead};
use reel_tape::layout::trailer::Trailer;

fuzz_target!(|data: &[u8]| {
    let Some((which, body)) = data.split_first() else { return };
    match which % 10 {
        0 => drop(Label::decode(body)),
        1 => drop(SetHead::decode(body)),
        2 => drop(PoolState::decode(body)),
        3 => drop(Frame::decode(body).map(|f| f.plain_len())),
        4 => {
            // What was decoded encodes to the same bytes again, and reads back equal.
            if let Ok(segment) = Segment::decode(body) {
                let _ = segment.frame_of(segment.chunks.len() as u32 / 2);
                assert_eq!(Segment::decode(&segment.encode()).as_ref(), Ok(&segment));
            }
        }
        5 => {
            if let Ok(fragments) = Fragment::decode_all(body) {
                let mut again = Vec::new();
                fragments.iter().for_each(|fragment| fragment.append(&mut again));
                assert_eq!(Fragment::decode_all(&again), Ok(fragments));
            }
        }
        6 => drop(End::decode(body)),
        7 => drop(CatalogHead::decode(body)),
        8 => drop(Foreign::decode_all(body)),
        9 => drop(Trailer::decode(body)),
        _ => {}
    }
    let mut record = body.to_vec();
    reel_fuzz::mend_records(&mut record, 0);
    let mut plain = Vec::new();
    if let Ok(header) = RecordHeader::decode(&record) {
        let _ = header.open(record.get(HEADER_LEN..).unwrap_or_default(), &mut plain);
    }
});
