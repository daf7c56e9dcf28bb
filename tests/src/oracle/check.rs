//! What a set says of itself, held against what was read of it: catalog, end record and trailer.

use super::read::{File, Record, expect, records, wrong};
use super::{ReadStream, Result};
use reel_tape::layout::block::BlockKind;
use reel_tape::layout::catalog::{CatalogHead, Foreign};
use reel_tape::layout::frame::Frame;
use reel_tape::layout::recipe::{Fragment, Run};
use reel_tape::layout::record::RecordKind;
use reel_tape::layout::set::{End, SetHead};
use reel_tape::layout::trailer::Trailer;
use std::collections::BTreeMap;
use zerocopy::IntoBytes;

/// Holds a catalog against the records that it repeats; gives its head and its foreign segments.
pub(super) fn catalog(
    catalog: &[Record],
    tables: &[Record],
    recipes: &[Record],
) -> Result<(CatalogHead, Vec<Foreign>)> {
    let [head, repeated @ .., foreign] = catalog else {
        return wrong("a catalog without head or foreign segments");
    };
    expect(head.kind == RecordKind::Catalog && foreign.kind == RecordKind::Foreign, || {
        "a catalog that does not begin with its head or end with the foreign segments".into()
    })?;
    let mut originals: Vec<&Record> = tables.iter().chain(recipes).collect();
    originals.sort_by_key(|record| record.place);
    let same = repeated.iter().map(|record| &record.raw).eq(originals.iter().map(|record| &record.raw));
    expect(same, || "the catalog does not repeat the segment and fragments records as written".into())?;
    let head = CatalogHead::decode(&head.body)?;
    let found = (u64::from(head.segments.get()), head.fragments.get());
    let expected = (tables.len() as u64, recipes.len() as u64);
    expect(found == expected, || {
        format!("the catalog's head counts {found:?} records, expected {expected:?}")
    })?;
    Ok((head, Foreign::decode_all(&foreign.body)?))
}

/// Holds the foreign segments of a catalog against the recipes.
pub(super) fn foreign(
    set: u32,
    segments: &BTreeMap<(u32, u32), Foreign>,
    fragments: &[Fragment],
    foreign: &[Foreign],
) -> Result<()> {
    let mut named = BTreeMap::new();
    for run in fragments.iter().flat_map(|fragment| &fragment.runs) {
        if let Run::Data { set: other, segment, .. } = *run
            && other != set
        {
            named.insert((other, segment), segments.get(&(other, segment)).copied());
        }
    }
    expect(named.into_values().eq(foreign.iter().copied().map(Some)), || {
        format!("set {set}: the foreign segments are not those that its recipes name")
    })
}

/// Holds the end record, the catalog's head and the trailer against what was read.
pub(super) fn figures(
    file: &File,
    head: &CatalogHead,
    streams: &[ReadStream],
    frames: &[Record],
) -> Result<Trailer> {
    let set = file.head.set;
    let (mut segments, mut new, mut stored) = (0u32, 0, 0);
    for record in frames {
        let frame = Frame::decode(&record.body)?;
        segments = frame.segment.saturating_add(1);
        new += frame.plain_len() as u64;
        stored += frame.stored.len() as u64;
    }
    let count = streams.len() as u64;
    let input = streams.iter().map(|stream| stream.end.length).sum::<u64>();
    let end = End {
        set: set.into(),
        segments: segments.into(),
        streams: count.into(),
        input: input.into(),
        new: new.into(),
        stored: stored.into(),
    };
    let marks = records(&file.blocks, BlockKind::Mark)?;
    expect(marks.last().is_some_and(|m| m.kind == RecordKind::End && m.body == end.as_bytes()), || {
        format!("set {set}: the last mark is not {end:?}")
    })?;
    let expected = CatalogHead::new(set, segments, head.fragments.get(), count);
    expect(*head == expected, || format!("set {set}: {head:?}, expected {expected:?}"))?;

    let trailers = records(&file.blocks, BlockKind::Trailer)?;
    let trailer = match &trailers[..] {
        [trailer] if trailer.kind == RecordKind::Trailer => Trailer::decode(&trailer.body)?,
        _ => {
            return wrong(format!("set {set}: {} records in trailer blocks, expected one", trailers.len()));
        }
    };
    let SetHead { part, session, .. } = file.head;
    let mut catalog_blocks =
        file.blocks.iter().filter(|(header, _)| header.kind == BlockKind::Catalog).peekable();
    let catalog = catalog_blocks.peek().map_or(0, |(header, _)| header.index);
    let catalog_crc = catalog_blocks.fold(0, |crc, (_, payload)| crc32c::crc32c_append(crc, payload));
    let bad = |stream: &ReadStream| stream.end.pages.bad.saturating_add(stream.end.pages.past_end);
    let bad_pages = streams.iter().map(bad).fold(0, u64::saturating_add);
    let (finished, torn) = (trailer.finished, trailer.torn.clone());
    let expected = Trailer {
        set,
        part,
        session,
        finished,
        streams: count,
        segments,
        catalog,
        catalog_crc,
        input,
        new,
        stored,
        bad_pages,
        torn,
    };
    expect(trailer == expected, || format!("set {set}: {trailer:?}, expected {expected:?}"))?;
    Ok(trailer)
}
