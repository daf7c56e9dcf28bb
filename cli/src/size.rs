//! Sizes as people write and read them.

const UNITS: [(&str, u64); 13] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("T", 1 << 40),
];

/// Bytes of a size such as `4096`, `512KiB`, `512K` (the same) or `1GB` (decimal).
pub fn parse(text: &str) -> Result<u64, String> {
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (digits, bytes) = unit.unwrap_or((text, 1));
    let number: u64 = digits.trim_end().parse().map_err(|_| {
        "expected a whole number of bytes, or one with a unit: K or KiB (1,024 bytes), M, G, T, or kB (1,000), MB, GB, TB"
            .to_owned()
    })?;
    number.checked_mul(bytes).ok_or_else(|| format!("more than {} bytes", u64::MAX))
}

/// As [`parse`], for a block size.
pub fn parse_block(text: &str) -> Result<u32, String> {
    u32::try_from(parse(text)?).map_err(|_| "more than a block can have".to_owned())
}

/// Megabytes (10^6 bytes) with one digit behind the point; below one, kilobytes.
pub fn megabytes(bytes: u64) -> String {
    if (1..1_000_000).contains(&bytes) {
        return format!("{:.1} kB", bytes as f64 / 1e3);
    }
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Megabytes per second; 0 where no time went by.
pub fn rate(bytes: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { bytes as f64 / 1e6 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_binary_and_decimal_units_are_understood() {
        for (text, bytes) in [
            ("4096", 4096),
            ("512KiB", 512 << 10),
            ("512K", 512 << 10),
            ("512MiB", 512 << 20),
            ("256M", 256 << 20),
            ("1GiB", 1 << 30),
            ("2 T", 2 << 40),
            ("1GB", 1_000_000_000),
            ("3kB", 3000),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "M", "-1", "1.5G", "12XB", "1 2", "99999999999999999999", "99999999999T"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_block("8G").is_err());
    }

    #[test]
    fn rates_are_megabytes_of_a_million_bytes() {
        assert_eq!(megabytes(1_500_000), "1.5 MB");
        assert!((rate(3_000_000, 2.0) - 1.5).abs() < 1e-9);
        assert!(rate(1, 0.0).abs() < 1e-9);
    }
}
