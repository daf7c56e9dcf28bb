//! Blocks that these tests write, and what recognises them.

use reel_tape::medium::Sighting;

/// A block of a volume: a magic, its object number, its length, filling.
pub fn block(object: u64, length: u32) -> Vec<u8> {
    let mut block = b"RL".to_vec();
    block.extend_from_slice(&object.to_le_bytes());
    block.extend_from_slice(&length.to_le_bytes());
    block.resize(length as usize, object as u8 | 0x40);
    block
}

/// Recognises them.
pub fn probe(bytes: &[u8]) -> Option<Sighting> {
    let (magic, rest) = bytes.split_first_chunk::<2>()?;
    let (object, rest) = rest.split_first_chunk()?;
    let sighting =
        Sighting { object: u64::from_le_bytes(*object), length: u32::from_le_bytes(*rest.first_chunk()?) };
    (magic == b"RL").then_some(sighting)
}
