//! Values of columns as text, as a cell of CSV, and as JSON.

use crate::output::shown;
use reel_formats::ese::tables::Value;
use reel_formats::ese::tables::value::{guid, unix_milliseconds};
use serde_json::{Value as Json, json};

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |digit: u8| char::from_digit(u32::from(digit), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A value as JSON (docs/json.md).
pub fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bit(bit) => json!(bit),
        Value::U8(number) => json!(number),
        Value::I16(number) => json!(number),
        Value::U16(number) => json!(number),
        Value::I32(number) => json!(number),
        Value::U32(number) => json!(number),
        Value::I64(number) => json!(number),
        Value::U64(number) => json!(number),
        Value::F32(number) => json!(number),
        Value::F64(number) => json!(number),
        Value::Multi(values) => values.iter().map(json).collect(),
        Value::NotDecoded { scheme, bytes } => {
            json!({"not_decoded": scheme.to_string(), "bytes": hex(bytes)})
        }
        Value::Lost(lost) => {
            let ranges: Vec<_> = lost.lost.iter().map(|range| [range.start, range.end]).collect();
            json!({"lost": ranges, "length": lost.len, "bytes": hex(&lost.bytes), "why": lost.why})
        }
        other => json!(plain(other)),
    }
}

/// A value as a cell of CSV: several values as a JSON list; NULL and what is lost or not decoded are empty.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Multi(_) => json(value).to_string(),
        other => plain(other),
    }
}

/// A value for a terminal, without anything that it would obey.
pub fn text(value: &Value) -> String {
    match value {
        Value::Multi(_) => shown(json(value).to_string().as_bytes()),
        Value::NotDecoded { scheme, .. } => format!("<{scheme}>"),
        Value::Lost(_) => "<lost>".into(),
        other => shown(plain(other).as_bytes()),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null | Value::Multi(_) | Value::NotDecoded { .. } | Value::Lost(_) => String::new(),
        Value::Bit(bit) => bit.to_string(),
        Value::U8(number) => number.to_string(),
        Value::I16(number) => number.to_string(),
        Value::U16(number) => number.to_string(),
        Value::I32(number) => number.to_string(),
        Value::U32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::Currency(number) => currency(*number),
        Value::F32(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::DateTime(days) => date_time(*days),
        Value::Guid(bytes) => guid(bytes),
        Value::Binary(bytes) => hex(bytes),
        Value::Text { .. } => value.text().unwrap_or_default(),
    }
}

fn currency(amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let amount = amount.unsigned_abs();
    format!("{sign}{}.{:04}", amount / 10_000, amount % 10_000)
}

/// RFC 3339, taken as UTC; where the days are no date of the calendar, the number.
fn date_time(days: f64) -> String {
    let time = unix_milliseconds(days).and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| days.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_in_their_usual_text() {
        assert_eq!(plain(&Value::Currency(-10_005)), "-1.0005");
        assert_eq!(plain(&Value::DateTime(25_569.5)), "1970-01-01T12:00:00Z");
        assert_eq!(plain(&Value::DateTime(1e300)), 1e300.to_string());
        assert_eq!(plain(&Value::Binary(vec![0, 0xAB])), "00ab");
        let id = *b"\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
        assert_eq!(plain(&Value::Guid(id)), "00112233-4455-6677-8899-aabbccddeeff");
        let text = |text: &str| Value::Text { bytes: text.into(), codepage: 1252 };
        assert_eq!(super::text(&text("a\tb")), "a\\tb");
        assert_eq!(cell(&Value::Multi(vec![text("a,\""), Value::I32(1)])), r#"["a,\"",1]"#);
        assert_eq!(cell(&Value::Null), "");
    }
}
