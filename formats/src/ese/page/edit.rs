//! Changing one page in place: lines are inserted, replaced, flagged and removed, as redo and undo demand (reference,
//! database.md section 4.3). Lines are never renumbered but by the change asked for.

use super::node::{COMPRESSED, DELETED};
use super::{LARGE_HEADER_LEN, Page, SMALL_HEADER_LEN, TAG_LEN};
use crate::error::{Error, Result};
use crate::ese::PAGE_SIZES;
use crate::le::{Fields, bytes_at, put, u16_at};
use std::fmt::Display;

const DBTIME_AT: usize = 8;
const PREVIOUS_AT: usize = 16;
const NEXT_AT: usize = 20;
const OBJID_AT: usize = 24;
const FREE_AT: usize = 28;
const UNCOMMITTED_FREE_AT: usize = 30;
const FIRST_FREE_AT: usize = 32;
const TAG_STATE_AT: usize = 34;
const FLAGS_AT: usize = 36;
const LARGE_PGNO_AT: usize = 64;
/// Flags of a node stand above the 13 bits of its first count on large pages, of its offset on small ones.
const FLAG_SHIFT: u32 = 13;
const COUNT_MASK: u16 = 0x1FFF;
/// Their number has 12 bits.
const MAX_TAGS: usize = 0xFFF;
const EMPTY_FLAG: u32 = 0x8;
const JET_DATABASE_CORRUPTED: i32 = -1206;
/// A key shares its beginning with the page's prefix only where that saves more than the count that it costs.
const MIN_PREFIX: usize = 3;

/// A page that is being changed. Its checksum is stale until [`super::checksum::store`] has written it again.
#[derive(Clone, Debug)]
pub struct EditPage {
    pgno: u32,
    bytes: Box<[u8]>,
}

impl EditPage {
    /// The page of these bytes, which must be well formed: every tag inside the page, no more bytes used than there are.
    pub fn new(bytes: Box<[u8]>, pgno: u32) -> Result<Self> {
        Page::new(&bytes, pgno)?;
        let page = Self { pgno, bytes };
        let tags = page.tag_count();
        let room = page.bytes.len() - page.data_start();
        if tags * TAG_LEN > room {
            return Err(page.damaged(format_args!("{tags} tags"), "tags inside the page"));
        }
        let mut used = tags * TAG_LEN;
        for tag in 0..tags {
            let (start, len) = page.tag(tag);
            used += len;
            if start + len > page.tags_at() {
                return Err(page.damaged(format_args!("{len} bytes of tag {tag}"), "bytes before the tags"));
            }
        }
        if used + page.free() > room || page.data_start() + page.first_free() > page.tags_at() {
            let found = format_args!("{used} bytes used, {} free", page.free());
            return Err(page.damaged(found, format_args!("{room} bytes in all")));
        }
        Ok(page)
    }

    /// A new page without lines and with an empty external header.
    pub fn create(page_size: u32, pgno: u32, objid: u32, flags: u32, dbtime: u64) -> Result<Self> {
        let mut page = Self::create_preinitialised(page_size, pgno, objid, flags, dbtime)?;
        page.set_u16(TAG_STATE_AT, 1);
        page.set_free(page.free() - TAG_LEN);
        Ok(page)
    }

    /// A page that is allocated and has no tags yet.
    pub fn create_preinitialised(
        page_size: u32,
        pgno: u32,
        objid: u32,
        flags: u32,
        dbtime: u64,
    ) -> Result<Self> {
        if !PAGE_SIZES.contains(&page_size) {
            let found = format_args!("pages of {page_size} bytes");
            return Err(Error::format("database", 0, found, "2, 4, 8, 16 or 32 KiB"));
        }
        let mut page = Self { pgno, bytes: vec![0; page_size as usize].into() };
        page.set_u32(OBJID_AT, objid);
        page.set_flags(flags);
        page.set_dbtime(dbtime);
        page.set_free(page_size as usize - page.data_start());
        if page.is_large() {
            page.set_u32(LARGE_PGNO_AT, pgno);
        }
        Ok(page)
    }

    /// Its number.
    pub fn pgno(&self) -> u32 {
        self.pgno
    }

    /// The same content as page `pgno`.
    pub fn copy_as(&self, pgno: u32) -> Self {
        let mut copy = Self { pgno, bytes: self.bytes.clone() };
        if copy.is_large() {
            copy.set_u32(LARGE_PGNO_AT, pgno);
        }
        copy
    }

    /// The page to read.
    pub fn view(&self) -> Page<'_> {
        Page { bytes: &self.bytes, pgno: self.pgno }
    }

    /// Its bytes, to store checksums in and to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Update counter of the last change.
    pub fn dbtime(&self) -> u64 {
        self.view().dbtime()
    }

    /// Sets the update counter.
    pub fn set_dbtime(&mut self, dbtime: u64) {
        put(&mut self.bytes, DBTIME_AT, dbtime.to_le_bytes());
    }

    /// Sets the leaf to the left.
    pub fn set_previous(&mut self, pgno: u32) {
        self.set_u32(PREVIOUS_AT, pgno);
    }

    /// Sets the leaf to the right.
    pub fn set_next(&mut self, pgno: u32) {
        self.set_u32(NEXT_AT, pgno);
    }

    /// Sets what kind of page it is.
    pub fn set_flags(&mut self, flags: u32) {
        self.set_u32(FLAGS_AT, flags);
    }

    /// Sets the bytes that open transactions may still give back or want back.
    pub fn set_uncommitted_free(&mut self, bytes: u16) {
        self.set_u16(UNCOMMITTED_FREE_AT, bytes);
    }

    /// Inserts a line before line `line`. `prefix_len` bytes of its key stand in the external header.
    pub fn insert(
        &mut self,
        line: usize,
        prefix_len: usize,
        suffix: &[u8],
        data: &[u8],
        deleted: bool,
    ) -> Result<()> {
        let tags = self.tag_count();
        let tag = line.saturating_add(self.reserved());
        if tags == 0 || tag > tags {
            return Err(self.damaged(
                format_args!("an insert at line {line}"),
                format_args!("at most {}", self.lines()),
            ));
        }
        if prefix_len.max(suffix.len()) > usize::from(COUNT_MASK) || tags == MAX_TAGS {
            let found = format_args!("a key of {prefix_len} and {} bytes for tag {tags}", suffix.len());
            return Err(self.damaged(found, format_args!("keys up to {COUNT_MASK}, tags up to {MAX_TAGS}")));
        }
        let counts_len = if prefix_len > 0 { 4 } else { 2 };
        let len = counts_len + suffix.len() + data.len();
        if self.free() < len + TAG_LEN {
            return Err(self.full(len + TAG_LEN));
        }
        if self.gap() < len + TAG_LEN {
            self.compact()?;
        }
        let at = self.first_free();
        let start = self.data_start() + at;
        let end = start + len;
        let Some(node) = self.bytes.get_mut(start..end) else { return Err(self.full(len)) };
        let flags = if prefix_len > 0 { COMPRESSED } else { 0 } | if deleted { DELETED } else { 0 };
        let mut counts = [0; 4];
        let (first, second) = (prefix_len as u16, suffix.len() as u16);
        if prefix_len > 0 {
            counts[..2].copy_from_slice(&first.to_le_bytes());
            counts[2..].copy_from_slice(&second.to_le_bytes());
        } else {
            counts[..2].copy_from_slice(&second.to_le_bytes());
        }
        let (head, rest) = node.split_at_mut(counts_len);
        head.copy_from_slice(&counts[..counts_len]);
        let (key, value) = rest.split_at_mut(suffix.len());
        key.copy_from_slice(suffix);
        value.copy_from_slice(data);
        // Tags grow downwards: those from `tag` on move by one.
        let (low, high) = (self.bytes.len() - tags * TAG_LEN, self.bytes.len() - tag * TAG_LEN);
        self.bytes.copy_within(low..high, low - TAG_LEN);
        self.set_tag_state(tags + 1);
        self.set_tag(tag, at, len);
        self.set_line_flags(tag, flags);
        self.set_free(self.free() - len - TAG_LEN);
        self.set_first_free(at + len);
        Ok(())
    }

    /// Inserts a line whose key shares as much with the page's prefix as saves room.
    pub fn insert_key(&mut self, line: usize, key: &[u8], data: &[u8], deleted: bool) -> Result<()> {
        let prefix = if self.view().flags().is_root() { &[] } else { self.view().external_header()? };
        let common = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
        let prefix_len = if common < MIN_PREFIX { 0 } else { common };
        self.insert(line, prefix_len, &key[prefix_len..], data, deleted)
    }

    /// Replaces the data of a line; its key and flags stay.
    pub fn replace(&mut self, line: usize, data: &[u8]) -> Result<()> {
        let tag = self.line_tag(line)?;
        let key_len = self.key_len(tag)?;
        let start = self.resize(tag, key_len + data.len(), key_len)?;
        match self.bytes.get_mut(start + key_len..start + key_len + data.len()) {
            Some(place) => place.copy_from_slice(data),
            None => return Err(self.full(data.len())),
        }
        Ok(())
    }

    /// The data of a line, to change without changing its length.
    pub fn data_mut(&mut self, line: usize) -> Result<&mut [u8]> {
        let tag = self.line_tag(line)?;
        let key_len = self.key_len(tag)?;
        let (start, len) = self.tag(tag);
        Ok(&mut self.bytes[start + key_len..start + len])
    }

    /// Removes a line; those behind it move up.
    pub fn remove(&mut self, line: usize) -> Result<()> {
        let tag = self.line_tag(line)?;
        let (start, len) = self.tag(tag);
        let tags = self.tag_count();
        let (low, high) = (self.bytes.len() - tags * TAG_LEN, self.bytes.len() - (tag + 1) * TAG_LEN);
        self.bytes.copy_within(low..high, low + TAG_LEN);
        self.set_tag_state(tags - 1);
        self.set_free(self.free() + len + TAG_LEN);
        let at = start - self.data_start();
        if at + len == self.first_free() {
            self.set_first_free(at);
        }
        Ok(())
    }

    /// Removes all lines and the external header.
    pub fn clear(&mut self) {
        let tags = self.reserved().min(self.tag_count());
        self.set_tag_state(tags);
        for tag in 0..tags {
            self.set_tag(tag, 0, 0);
        }
        self.set_first_free(0);
        self.set_free(self.bytes.len() - self.data_start() - tags * TAG_LEN);
    }

    /// Removes all lines and the external header, and marks the page empty.
    pub fn make_empty(&mut self) {
        self.clear();
        self.set_flags(self.view().flags().0 | EMPTY_FLAG);
    }

    /// Marks a line deleted, or not.
    pub fn set_deleted(&mut self, line: usize, deleted: bool) -> Result<()> {
        let tag = self.line_tag(line)?;
        let flags = self.line_flags(tag);
        self.set_line_flags(tag, if deleted { flags | DELETED } else { flags & !DELETED });
        Ok(())
    }

    /// Replaces the external header.
    pub fn set_external_header(&mut self, header: &[u8]) -> Result<()> {
        if self.tag_count() == 0 {
            return Err(self.damaged("a page without tags", "an external header"));
        }
        let start = self.resize(0, header.len(), 0)?;
        match self.bytes.get_mut(start..start + header.len()) {
            Some(place) => place.copy_from_slice(header),
            None => return Err(self.full(header.len())),
        }
        Ok(())
    }

    /// Number of lines.
    pub fn lines(&self) -> usize {
        self.view().line_count()
    }

    /// Makes a tag `len` bytes long and keeps its first `keep` bytes; answers where its bytes begin.
    fn resize(&mut self, tag: usize, len: usize, keep: usize) -> Result<usize> {
        let (start, old) = self.tag(tag);
        let at = start - self.data_start();
        let is_last = at + old == self.first_free();
        if len <= old {
            self.set_tag_len(tag, len);
            self.set_free(self.free() + (old - len));
            if is_last {
                self.set_first_free(at + len);
            }
            return Ok(start);
        }
        let more = len - old;
        if self.free() < more {
            return Err(self.full(more));
        }
        if is_last && self.gap() >= more {
            self.set_tag_len(tag, len);
            self.set_free(self.free() - more);
            self.set_first_free(at + len);
            return Ok(start);
        }
        let kept = self.bytes.get(start..start + keep.min(old)).unwrap_or(&[]).to_vec();
        let flags = self.line_flags(tag);
        self.set_tag_len(tag, 0);
        self.set_free(self.free() + old);
        if is_last {
            self.set_first_free(at);
        }
        if self.gap() < len {
            self.compact()?;
        }
        let at = self.first_free();
        let start = self.data_start() + at;
        if self.gap() < len {
            return Err(self.full(len));
        }
        self.set_tag(tag, at, len);
        self.bytes[start..start + kept.len()].copy_from_slice(&kept);
        if tag > 0 && !self.is_large() {
            self.set_line_flags(tag, flags);
        }
        self.set_free(self.free() - len);
        self.set_first_free(at + len);
        Ok(start)
    }

    /// Moves all bytes together, so that the free ones lie in one piece.
    fn compact(&mut self) -> Result<()> {
        let room = self.tags_at() - self.data_start();
        let mut packed = Vec::with_capacity(room);
        for tag in 0..self.tag_count() {
            let (start, len) = self.tag(tag);
            let flags = if tag == 0 { 0 } else { self.line_flags(tag) };
            let at = packed.len();
            packed.extend_from_slice(&self.bytes[start..start + len]);
            if packed.len() > room {
                return Err(self.damaged(format_args!("{} bytes used", packed.len()), format_args!("{room}")));
            }
            self.set_tag(tag, at, len);
            if !self.is_large() {
                self.set_small_flags(tag, flags);
            }
        }
        let start = self.data_start();
        self.bytes[start..start + packed.len()].copy_from_slice(&packed);
        self.set_first_free(packed.len());
        Ok(())
    }

    /// Length of the counts and the key's suffix of a node.
    fn key_len(&self, tag: usize) -> Result<usize> {
        let (start, len) = self.tag(tag);
        let node = bytes_at(&self.bytes, start, len).unwrap_or(&[]);
        let counts_len = if self.line_flags(tag) & COMPRESSED == 0 { 2 } else { 4 };
        let suffix = u16_at(node, counts_len - 2).map(|count| usize::from(count & COUNT_MASK));
        match suffix.map(|suffix| counts_len + suffix) {
            Some(key_len) if key_len <= len => Ok(key_len),
            _ => Err(self.damaged(format_args!("{len} bytes of tag {tag}"), "a node")),
        }
    }

    fn line_tag(&self, line: usize) -> Result<usize> {
        if line < self.lines() {
            Ok(line + self.reserved())
        } else {
            Err(self.damaged(format_args!("line {line}"), format_args!("less than {}", self.lines())))
        }
    }

    fn line_flags(&self, tag: usize) -> u8 {
        if self.is_large() {
            let (start, _) = self.tag(tag);
            (u16_at(&self.bytes, start).unwrap_or(0) >> FLAG_SHIFT) as u8
        } else {
            (Fields(&self.bytes).u16(self.tag_at(tag) + 2) >> FLAG_SHIFT) as u8
        }
    }

    fn set_line_flags(&mut self, tag: usize, flags: u8) {
        if self.is_large() {
            let (start, len) = self.tag(tag);
            if len >= 2 {
                let count = Fields(&self.bytes).u16(start) & COUNT_MASK;
                self.set_u16(start, count | u16::from(flags) << FLAG_SHIFT);
            }
        } else {
            self.set_small_flags(tag, flags);
        }
    }

    fn set_small_flags(&mut self, tag: usize, flags: u8) {
        let at = self.tag_at(tag) + 2;
        let offset = Fields(&self.bytes).u16(at) & COUNT_MASK;
        self.set_u16(at, offset | u16::from(flags) << FLAG_SHIFT);
    }

    /// Where a tag's bytes begin in the page, and how many they are.
    fn tag(&self, tag: usize) -> (usize, usize) {
        let at = self.tag_at(tag);
        let mask = if self.is_large() { 0x7FFF } else { 0x1FFF };
        let (len, offset) = (Fields(&self.bytes).u16(at) & mask, Fields(&self.bytes).u16(at + 2) & mask);
        (self.data_start() + usize::from(offset), usize::from(len))
    }

    fn set_tag(&mut self, tag: usize, offset: usize, len: usize) {
        let at = self.tag_at(tag);
        self.set_u16(at, len as u16);
        self.set_u16(at + 2, offset as u16);
    }

    fn set_tag_len(&mut self, tag: usize, len: usize) {
        let at = self.tag_at(tag);
        self.set_u16(at, len as u16);
    }

    fn tag_at(&self, tag: usize) -> usize {
        self.bytes.len() - (tag + 1) * TAG_LEN
    }

    fn tags_at(&self) -> usize {
        self.bytes.len() - self.tag_count() * TAG_LEN
    }

    fn tag_count(&self) -> usize {
        self.view().tag_count()
    }

    fn set_tag_state(&mut self, tags: usize) {
        let reserved = Fields(&self.bytes).u16(TAG_STATE_AT) & 0xF000;
        self.set_u16(TAG_STATE_AT, reserved | tags as u16);
    }

    fn reserved(&self) -> usize {
        self.view().reserved_tag_count()
    }

    fn is_large(&self) -> bool {
        self.bytes.len() > 8192
    }

    fn data_start(&self) -> usize {
        if self.is_large() { LARGE_HEADER_LEN } else { SMALL_HEADER_LEN }
    }

    /// Free bytes between the last node and the tags.
    fn gap(&self) -> usize {
        self.tags_at().saturating_sub(self.data_start() + self.first_free())
    }

    fn free(&self) -> usize {
        usize::from(self.view().free_bytes())
    }

    fn set_free(&mut self, bytes: usize) {
        self.set_u16(FREE_AT, bytes as u16);
    }

    fn first_free(&self) -> usize {
        usize::from(Fields(&self.bytes).u16(FIRST_FREE_AT))
    }

    fn set_first_free(&mut self, offset: usize) {
        self.set_u16(FIRST_FREE_AT, offset as u16);
    }

    fn set_u16(&mut self, at: usize, value: u16) {
        put(&mut self.bytes, at, value.to_le_bytes());
    }

    fn set_u32(&mut self, at: usize, value: u32) {
        put(&mut self.bytes, at, value.to_le_bytes());
    }

    fn full(&self, wanted: usize) -> Error {
        self.damaged(format_args!("{} free bytes", self.free()), format_args!("room for {wanted}"))
    }

    fn damaged(&self, found: impl Display, expected: impl Display) -> Error {
        Error::format(format_args!("page {}", self.pgno), 0, found, expected).with_jet(JET_DATABASE_CORRUPTED)
    }
}
