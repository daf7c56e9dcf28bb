//! Compressed column values: the first byte says how (reference, database.md section 11).

use super::xpress;
use crate::le::u16_at;
use std::fmt;

/// How a value is stored that cannot be given as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// 4: the value was erased.
    Scrubbed,
    /// 5.
    Xpress9,
    /// 6.
    Xpress10,
    /// 7.
    Lz4,
    /// A number without meaning.
    Unknown(u8),
    /// Encrypted by the application.
    Encrypted,
    /// A scheme that is known, and bytes that do not follow it.
    Damaged,
    /// A number of bytes that values of the column's type do not have.
    WrongLength,
    /// A type of column that is not known.
    UnknownType,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scrubbed => "scrubbed",
            Self::Xpress9 => "XPRESS9",
            Self::Xpress10 => "XPRESS10",
            Self::Lz4 => "LZ4",
            Self::Unknown(number) => return write!(f, "compression {number}"),
            Self::Encrypted => "encrypted",
            Self::Damaged => "damaged compression",
            Self::WrongLength => "wrong length",
            Self::UnknownType => "unknown column type",
        })
    }
}

/// Expands a value. XPRESS gives at most 65,535 bytes, the 7-bit schemes at most 16/7 of their input. The error is the
/// scheme that is not decoded here, or [`Scheme::Damaged`].
pub fn decompress(bytes: &[u8]) -> Result<Vec<u8>, Scheme> {
    let Some((first, rest)) = bytes.split_first() else { return Err(Scheme::Damaged) };
    match first >> 3 {
        1 => seven_bits(rest, first & 7).map(Iterator::collect).ok_or(Scheme::Damaged),
        2 => {
            let codes = seven_bits(rest, first & 7).ok_or(Scheme::Damaged)?;
            Ok(codes.flat_map(|code| [code, 0]).collect())
        }
        3 => {
            let len = u16_at(rest, 0).ok_or(Scheme::Damaged)?;
            xpress::decompress(rest.get(2..).unwrap_or(&[]), usize::from(len)).ok_or(Scheme::Damaged)
        }
        4 => Err(Scheme::Scrubbed),
        5 => Err(Scheme::Xpress9),
        6 => Err(Scheme::Xpress10),
        7 => Err(Scheme::Lz4),
        other => Err(Scheme::Unknown(other)),
    }
}

/// The 7-bit codes of a bit stream, lowest bits first, whose last byte has `last_bits` + 1 bits in use.
fn seven_bits(stream: &[u8], last_bits: u8) -> Option<impl Iterator<Item = u8> + '_> {
    let bits = 8 * stream.len().checked_sub(1)? + usize::from(last_bits) + 1;
    Some((0..bits / 7).map(move |code| {
        let (byte, shift) = (7 * code / 8, 7 * code % 8);
        let at = |byte: usize| u16::from(stream.get(byte).copied().unwrap_or(0));
        ((at(byte) | at(byte + 1) << 8) >> shift & 0x7F) as u8
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(scheme: u8, text: &[u8]) -> Vec<u8> {
        let mut bits = vec![];
        for code in text {
            bits.extend((0..7).map(|bit| code >> bit & 1));
        }
        let mut bytes = vec![scheme << 3 | ((bits.len() + 7) % 8) as u8];
        bytes.extend(bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | bit)));
        bytes
    }

    #[test]
    fn seven_bit_text_of_every_length_comes_back() {
        let text = b"The quick brown fox jumps over the lazy dog";
        for len in 1..text.len() {
            assert_eq!(decompress(&packed(1, &text[..len])).expect("good input"), &text[..len]);
            let wide: Vec<u8> = text[..len].iter().flat_map(|code| [*code, 0]).collect();
            assert_eq!(decompress(&packed(2, &text[..len])).expect("good input"), wide);
        }
    }

    #[test]
    fn what_cannot_be_expanded_is_named() {
        assert_eq!(decompress(&[4 << 3, 1]), Err(Scheme::Scrubbed));
        assert_eq!(decompress(&[6 << 3, 1]), Err(Scheme::Xpress10));
        assert_eq!(decompress(&[31 << 3]), Err(Scheme::Unknown(31)));
        assert_eq!(decompress(&[3 << 3, 9]), Err(Scheme::Damaged));
        assert_eq!(decompress(&[1 << 3]), Err(Scheme::Damaged));
        assert_eq!(decompress(&[]), Err(Scheme::Damaged));
        assert_eq!(Scheme::Unknown(31).to_string(), "compression 31");
    }
}
