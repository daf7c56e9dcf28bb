//! What to say when a set has no stream of the name that was asked for.

use crate::error::Result;
use crate::list::Recognised;
use crate::pool::Catalog;
use std::sync::Arc;

/// Most names that are told.
const MOST: usize = 5;

/// A sentence with the names that are near, or else with those of the set's ESE databases.
pub fn sentence(catalog: &Arc<Catalog>, wanted: &[u8]) -> Result<String> {
    let wanted = String::from_utf8_lossy(wanted).to_lowercase();
    let (mut near, mut databases) = (Vec::new(), Vec::new());
    for fragment in catalog.fragments(0) {
        let Some(head) = fragment?.head.filter(|head| super::super::has_bytes(head.kind)) else { continue };
        let name = String::from_utf8_lossy(&head.name).into_owned();
        if is_near(&wanted, &name.to_lowercase()) {
            near.push(name);
        } else if matches!(head.recognised, Recognised::EseDatabase(_)) {
            databases.push(name);
        }
        if near.len() >= MOST {
            break;
        }
    }
    let set = catalog.set();
    let (names, what) = match (near.is_empty(), databases.is_empty()) {
        (false, _) => (near, "near are"),
        (true, false) => (databases, "its databases are"),
        (true, true) => {
            return Ok(format!(
                "set {set} has no stream of this name with bytes; `reel list --set {set}` lists its streams"
            ));
        }
    };
    let names: Vec<_> = names.iter().take(MOST).map(String::as_str).collect();
    Ok(format!("set {set} has no stream of this name with bytes; {what} {}", names.join(", ")))
}

/// Are two names, in lower case, near each other: the same file elsewhere, a part of a name, or a slip of the finger?
fn is_near(wanted: &str, name: &str) -> bool {
    let last = |name: &str| name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let (a, b) = (last(wanted), last(name));
    !a.is_empty() && (b.contains(&a) || a == b || slips(&a, &b) <= 2 && a.len() > 4)
}

/// Letters that have to be put in, taken out or changed to make one name of the other.
fn slips(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_near_by_file_part_or_slip() {
        for wanted in ["mail.edb", "other/mail.edb", "mial.edb", "mail", "mail.ebd"] {
            assert!(is_near(wanted, "store/mail.edb"), "{wanted}");
        }
        for wanted in ["", "log", "pub.edb", "store/"] {
            assert!(!is_near(wanted, "store/mail.edb"), "{wanted}");
        }
    }

    #[test]
    fn slips_are_counted() {
        assert_eq!(
            [("", "ab"), ("abc", "abc"), ("abc", "axc"), ("abc", "bc")].map(|(a, b)| slips(a, b)),
            [2, 0, 1, 1]
        );
    }
}
