//! One page by itself: what lies where, free space, and the order of its keys.

use super::finding::Kind;
use crate::ese::page::Page;
use crate::ese::tables::tree::TreePage;

/// What is wrong inside the page: at most one thing of each kind.
pub fn check(page: &TreePage) -> Vec<(Kind, String)> {
    let view = page.page.view();
    match layout(view) {
        Some(what) => vec![(Kind::PageLayout, what)],
        None => keys(page),
    }
}

/// Tags inside the page and beside each other, and the count of free bytes (reference, database.md section 4.3).
fn layout(view: Page<'_>) -> Option<String> {
    let mut spans = match view.spans().collect::<Result<Vec<_>, _>>() {
        Ok(spans) => spans,
        Err(error) => return Some(error.to_string()),
    };
    let used: usize = spans.iter().map(ExactSizeIterator::len).sum();
    spans.retain(|span| !span.is_empty());
    spans.sort_by_key(|span| span.start);
    if let Some([one, two]) = spans.array_windows().find(|[one, two]| two.start < one.end) {
        return Some(format!("nodes at bytes {one:?} and {two:?} overlap"));
    }
    let (start, tags) = (view.data_start(), view.tags_start());
    let end = spans.last().map_or(start, |span| span.end);
    if view.free_start() < end || view.free_start() > tags {
        let free = view.free_start();
        return Some(format!("free space from byte {free}, expected from {end} to {tags}"));
    }
    let free = tags.saturating_sub(start).saturating_sub(used);
    (usize::from(view.free_bytes()) != free)
        .then(|| format!("{} free bytes, expected {free}", view.free_bytes()))
}

/// The keys in order, and inside the bounds that the pages above give (reference, database.md section 6).
fn keys(page: &TreePage) -> Vec<(Kind, String)> {
    let view = page.page.view();
    let mut found = Vec::new();
    let mut say = |kind: Kind, what: String| {
        if found.iter().all(|(other, _)| *other != kind) {
            found.push((kind, what));
        }
    };
    let mut before: Option<Vec<u8>> = None;
    let lines = view.line_count();
    for (line, node) in view.nodes().enumerate() {
        let node = match node {
            Ok(node) => node,
            Err(error) => {
                say(Kind::PageLayout, error.to_string());
                continue;
            }
        };
        let mut key = node.key();
        // In a tree of non-unique keys the data is part of what is in order.
        if page.is_leaf() && view.flags().is_non_unique() {
            key.extend_from_slice(node.data());
        }
        if !page.is_leaf() && key.is_empty() {
            // It stands for the end of the page's range.
            if line + 1 < lines {
                say(Kind::KeyOrder, format!("line {line} of {lines} has the empty key of the last one"));
            }
            continue;
        }
        if before.as_ref().is_some_and(|before| *before >= key) {
            say(Kind::KeyOrder, format!("the key of line {line} is not greater than that before it"));
        }
        let bounds = &page.bounds;
        let inside = if page.is_leaf() {
            bounds.contains(&key)
        } else {
            // A separator may be the bound itself: it is greater than all keys on its left.
            bounds.after.as_ref().is_none_or(|after| key >= *after)
                && bounds.before.as_ref().is_none_or(|before| key <= *before)
        };
        if !inside {
            say(
                Kind::ParentKey,
                format!("the key of line {line} is outside what page {} gives it", page.parent),
            );
        }
        before = Some(key);
    }
    found
}
