//! Lines of a page as splits and merges handle them: taken out with whole keys, put in with keys coded anew.

use crate::error::Result;
use crate::ese::page::Page;
use crate::ese::page::edit::EditPage;

/// A line taken out of its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub key: Vec<u8>,
    pub data: Vec<u8>,
    pub is_deleted: bool,
}

/// All lines of a page.
pub(super) fn lines_of(page: Page<'_>) -> Result<Vec<Line>> {
    page.nodes()
        .map(|node| {
            let node = node?;
            Ok(Line { key: node.key(), data: node.data().to_vec(), is_deleted: node.is_deleted() })
        })
        .collect()
}

/// Appends lines to a page.
pub(super) fn append(page: &mut EditPage, lines: &[Line]) -> Result<()> {
    for line in lines {
        page.insert_key(page.lines(), &line.key, &line.data, line.is_deleted)?;
    }
    Ok(())
}

/// The line of an internal page that points to `child`, searched by a key that belongs below it: the first whose key is
/// not smaller. The empty key of the last line stands for infinity.
pub(super) fn find_child(page: Page<'_>, key: &[u8], child: u32) -> Result<Option<usize>> {
    let line = first_from(page, |own| own.cmp(key).is_ge())?;
    if line == page.line_count() {
        return Ok(None);
    }
    Ok((page.node(line)?.data() == child.to_le_bytes()).then_some(line))
}

/// The first line of an internal page whose key fulfils a condition that those behind it fulfil too. The empty key of the
/// last line stands for infinity and always does. Answers the number of lines where none does.
pub(super) fn first_from(page: Page<'_>, fulfils: impl Fn(&[u8]) -> bool) -> Result<usize> {
    let (mut low, mut high) = (0, page.line_count());
    let mut key = Vec::new();
    while low < high {
        let middle = low.midpoint(high);
        let node = page.node(middle)?;
        key.clear();
        key.extend_from_slice(node.key_prefix());
        key.extend_from_slice(node.key_suffix());
        if key.is_empty() || fulfils(&key) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}
