//! Text columns as text: a database says which code page the bytes of a column are in.

use crate::le::u16_at;

/// UTF-16, little-endian.
pub const UTF_16: u32 = 1200;
/// Windows' Western European code page.
pub const WINDOWS_1252: u32 = 1252;

/// Where code page 1252 is not Latin-1: 0x80 to 0x9F. The five unused places stand for themselves, as in Windows.
const UPPER_CONTROLS: [char; 32] = [
    '\u{20AC}', '\u{81}', '\u{201A}', '\u{0192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{02C6}',
    '\u{2030}', '\u{0160}', '\u{2039}', '\u{0152}', '\u{8D}', '\u{017D}', '\u{8F}', '\u{90}', '\u{2018}',
    '\u{2019}', '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{02DC}', '\u{2122}',
    '\u{0161}', '\u{203A}', '\u{0153}', '\u{9D}', '\u{017E}', '\u{0178}',
];

/// The text of these bytes. Code pages 1200 and 1252 are known whole, of others ASCII; what is no text there becomes
/// U+FFFD.
pub fn decode(bytes: &[u8], codepage: u32) -> String {
    match codepage {
        UTF_16 => {
            let units = (0..bytes.len().div_ceil(2)).map(|unit| u16_at(bytes, 2 * unit).unwrap_or(0xFFFD));
            char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        WINDOWS_1252 => bytes.iter().map(|byte| windows_1252(*byte)).collect(),
        _ => {
            let letter =
                |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { char::REPLACEMENT_CHARACTER };
            bytes.iter().map(letter).collect()
        }
    }
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9F => UPPER_CONTROLS[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_its_code_page() {
        assert_eq!(decode(b"\x80uro \xe9\x9f", WINDOWS_1252), "€uro éŸ");
        assert_eq!(decode(b"a\xe9", 20127), "a\u{FFFD}");
        assert_eq!(decode(&[0x3D, 0xD8, 0x00, 0xDE, b'a', 0], UTF_16), "😀a");
        assert_eq!(decode(&[0x3D, 0xD8, b'a', 0, b'b'], UTF_16), "\u{FFFD}a\u{FFFD}");
    }
}
