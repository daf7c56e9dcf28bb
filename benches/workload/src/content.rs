//! What the long values of a mail store hold: bodies and five kinds of attachments.
//!
//! Content is named by a number; a chunk of it depends on that number and the chunk's place only, so the same
//! attachment has the same chunks wherever it is stored.

use crate::dictionary::Dictionary;
use crate::random::{Random, hash, mix};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The text of a message.
    Body,
    /// Bytes that are compressed already, as a photograph is.
    Noise,
    /// Text in tags.
    Markup,
    /// Fixed-size binary records, as in a spreadsheet.
    Cells,
    /// Lines of comma-separated values.
    Lines,
    /// Text objects with already compressed streams between them.
    Document,
}

impl Kind {
    pub(crate) fn of(content: u64) -> Self {
        let draw = mix(content) >> 32;
        if draw % 100 < 80 {
            return Kind::Body;
        }
        match draw / 100 % 100 {
            0..15 => Kind::Noise,
            15..35 => Kind::Markup,
            35..60 => Kind::Cells,
            60..75 => Kind::Lines,
            _ => Kind::Document,
        }
    }
}

/// How many chunks `content` has, and how many bytes are in the last of them.
///
/// The last chunk always leaves 64 bytes of its slot free: room for the root of the value behind it.
pub(crate) fn size(content: u64, chunk: u32) -> (u32, u32) {
    let mut random = Random::new(content ^ 0x512E);
    let chunks = if Kind::of(content) == Kind::Body {
        1 + u32::from(random.below(5) == 0) + u32::from(random.below(20) == 0)
    } else {
        // 10 KB doubled up to five times: many small attachments, few large ones, half a megabyte at most.
        let bytes = 10_000u32 << random.below(6);
        (bytes + random.below(bytes)) / chunk + 1
    };
    (chunks, chunk - 64 - random.below(chunk / 8))
}

/// Fills `out` with chunk `index` of `content`, from its first byte.
pub(crate) fn fill(dictionary: &Dictionary, content: u64, index: u32, out: &mut [u8]) {
    let mut random = Random::new(hash(&[content, u64::from(index)]));
    match Kind::of(content) {
        Kind::Body => dictionary.text(&mut random, out),
        Kind::Noise => random.fill(out),
        Kind::Markup => markup(dictionary, &mut random, out),
        Kind::Cells => cells(&mut random, index, out),
        Kind::Lines => lines(dictionary, &mut random, out),
        Kind::Document => document(dictionary, &mut random, out),
    }
}

/// Bytes written one after the other until the room is used up; what does not fit is cut off.
struct Pen<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl<'a> Pen<'a> {
    fn new(out: &'a mut [u8]) -> Self {
        Pen { out, at: 0 }
    }

    fn full(&self) -> bool {
        self.at >= self.out.len()
    }

    fn put(&mut self, bytes: &[u8]) {
        let length = bytes.len().min(self.out.len() - self.at);
        self.out[self.at..self.at + length].copy_from_slice(&bytes[..length]);
        self.at += length;
    }

    /// Room for `length` bytes, or as many as are left.
    fn room(&mut self, length: usize) -> &mut [u8] {
        let end = (self.at + length).min(self.out.len());
        let room = &mut self.out[self.at..end];
        self.at = end;
        room
    }

    fn digits(&mut self, mut value: u32, count: usize) {
        for digit in self.room(count).iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }
}

fn markup(dictionary: &Dictionary, random: &mut Random, out: &mut [u8]) {
    let mut pen = Pen::new(out);
    while !pen.full() {
        pen.put(b"<item id=\"");
        pen.digits(random.below(1_000_000), 6);
        pen.put(b"\" class=\"");
        pen.put(dictionary.word(random));
        pen.put(b"\"><title>");
        let length = random.between(12, 40) as usize;
        dictionary.text(random, pen.room(length));
        pen.put(b"</title><value unit=\"mm\">");
        pen.digits(random.below(100_000), 5);
        pen.put(b"</value><text>");
        let length = random.between(40, 200) as usize;
        dictionary.text(random, pen.room(length));
        pen.put(b"</text></item>\r\n");
    }
}

fn cells(random: &mut Random, index: u32, out: &mut [u8]) {
    for (row, cell) in out.chunks_mut(32).enumerate() {
        let draw = random.next();
        let mut record = [0; 32];
        record[..2].copy_from_slice(&0x0203u16.to_le_bytes());
        record[2..4].copy_from_slice(&28u16.to_le_bytes());
        record[4..8].copy_from_slice(&(index << 8 | row as u32).to_le_bytes());
        record[8..10].copy_from_slice(&((draw % 12) as u16).to_le_bytes());
        record[12..14].copy_from_slice(&((draw >> 8) as u16 & 0x3F0).to_le_bytes());
        let amount = f64::from((draw >> 20) as u32 % 200_000) / 4.0;
        record[16..24].copy_from_slice(&amount.to_le_bytes());
        record[24..27].copy_from_slice(&(draw >> 40).to_le_bytes()[..3]);
        cell.copy_from_slice(&record[..cell.len()]);
    }
}

fn lines(dictionary: &Dictionary, random: &mut Random, out: &mut [u8]) {
    let mut pen = Pen::new(out);
    while !pen.full() {
        pen.put(b"2026-");
        pen.digits(random.between(1, 12), 2);
        pen.put(b"-");
        pen.digits(random.between(1, 28), 2);
        pen.put(b",");
        for _ in 0..2 {
            pen.put(dictionary.word(random));
            pen.put(b",");
        }
        for _ in 0..3 {
            pen.digits(random.below(9_000), 4);
            pen.put(b".50,");
        }
        pen.put(b"EUR\r\n");
    }
}

fn document(dictionary: &Dictionary, random: &mut Random, out: &mut [u8]) {
    let mut pen = Pen::new(out);
    while !pen.full() {
        let length = random.between(600, 1400);
        pen.digits(random.below(10_000), 5);
        pen.put(b" 0 obj\n<< /Length ");
        pen.digits(length, 4);
        let packed = random.below(4) == 0;
        pen.put(if packed { b" /Filter /FlateDecode >>\nstream\n" } else { b" /Type /Page >>\nstream\n" });
        if packed {
            random.fill(pen.room(length as usize));
        } else {
            for line in 0..length / 48 {
                pen.put(b"BT /F1 10 Tf 72 ");
                pen.digits(760 - line * 12, 3);
                pen.put(b" Td (");
                dictionary.text(random, pen.room(24));
                pen.put(b") Tj ET\n");
            }
        }
        pen.put(b"\nendstream\nendobj\n");
    }
}

/// The transport headers of a message.
pub(crate) fn headers(dictionary: &Dictionary, random: &mut Random, out: &mut [u8]) {
    let mut pen = Pen::new(out);
    while !pen.full() {
        pen.put(b"Received: from ");
        pen.put(dictionary.word(random));
        pen.put(b".mail.example (10.");
        pen.digits(random.below(256), 3);
        pen.put(b".0.");
        pen.digits(random.below(256), 3);
        pen.put(b") by hub.mail.example with ESMTPS id ");
        pen.digits(random.below(100_000_000), 8);
        pen.put(b";\r\n\tMon, 05 Jan 2026 10:");
        pen.digits(random.below(60), 2);
        pen.put(b":");
        pen.digits(random.below(60), 2);
        pen.put(b" +0000\r\nX-Note: ");
        let length = random.between(20, 60) as usize;
        dictionary.text(random, pen.room(length));
        pen.put(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_chunk_is_the_start_of_a_longer_one_of_the_same_content_up_to_its_last_words() {
        let dictionary = Dictionary::new(1);
        for content in 0..200 {
            let (mut short, mut long) = (vec![0; 4000], vec![0; 8150]);
            fill(&dictionary, content, 3, &mut short);
            fill(&dictionary, content, 3, &mut long);
            assert_eq!(short[..2500], long[..2500], "content {content} {:?}", Kind::of(content));
        }
    }

    #[test]
    fn every_last_chunk_leaves_room_for_the_root_of_the_next_value() {
        for content in 0..2000 {
            for chunk in [4014, 8110, 4050, 8150] {
                let (chunks, last) = size(content, chunk);
                assert!(chunks > 0 && last > 0 && last <= chunk - 64);
            }
        }
    }
}
