//! The transaction logs of a day: files of 1 MiB that name what the day added and changed (reference, log.md).

mod record;
mod segments;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use reel_formats::ese::page::checksum::header_xor;

use crate::header::{Signature, lgpos, logtime};
use crate::layout::{Role, Tree};
use crate::page::{external, node, node_count};
use crate::random::{Random, hash};
use crate::store::{Store, dbtime};
use record::Target;
use segments::{FILE_BYTES, FILE_SEGMENTS, HEAD, RECORDS_END, SEGMENT, SegmentWriter};

/// The segment of the last file in which the database is shut down; the rest of that file was never used.
const SHUT_DOWN_SEGMENT: u16 = 228;
/// The first segment of each file, header included.
const FIRST_SEGMENT: u16 = 1;
/// Major version, minor version, major and minor update.
const VERSION: [u32; 4] = [8, 4000, 5, 20];
const FILE_TYPE_LOG: u8 = 3;
const ATTACHED_UNICODE: u8 = 0x20;
/// Pages that are looked at for one that the day changed.
const SEARCHED_PAGES: u32 = 2000;
/// Nodes inserted in one transaction, and the bytes after which it ends sooner.
const INSERTS: usize = 24;
const INSERTED_BYTES: usize = 16 << 10;

/// The generations of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

impl Span {
    /// As many files as hold `bytes`, one at least.
    pub(crate) fn new(first: u32, bytes: u64) -> Self {
        let count = bytes.div_ceil(FILE_BYTES as u64).clamp(1, 1 << 20) as u32;
        Span { first: first.max(1), count }
    }
}

/// The transaction logs of a store's newest day, one file of 1 MiB for each generation.
///
/// They begin with the start of the engine and end with its clean shutdown. Between them are transactions that insert
/// nodes of the day's added pages and replace nodes of its changed pages, with the bytes that the database holds, and
/// with times not later than those of the pages: replayed onto this day's database they change nothing.
#[derive(Clone, Debug)]
pub struct Logs {
    store: Store,
    span: Span,
}

impl Logs {
    /// The logs of the newest day of `store`, in `bytes` bytes (rounded up to whole files) from generation
    /// `first_generation` on. The database header names the same positions if it was made with
    /// [`Store::with_logs`] and the same numbers.
    pub fn for_day(store: &Store, first_generation: u32, bytes: u64) -> Logs {
        store.clone().with_logs(first_generation, bytes).logs()
    }

    pub(crate) fn new(store: &Store, span: Span) -> Logs {
        Logs { store: store.clone(), span }
    }

    /// The first generation.
    pub fn first(&self) -> u32 {
        self.span.first
    }

    /// The last generation.
    pub fn last(&self) -> u32 {
        self.span.first + self.span.count - 1
    }

    /// The name of a generation's file.
    pub fn file_name(generation: u32) -> String {
        if generation <= 0xF_FFFF {
            format!("edb{generation:05X}.log")
        } else {
            format!("edb{generation:08X}.log")
        }
    }

    /// Writes the files of the generations `from_generation` to `to_generation`, both included, that these logs have,
    /// and answers their paths in order.
    ///
    /// # Errors
    /// Those of the files.
    pub fn write_to(&self, dir: &Path, from_generation: u32, to_generation: u32) -> io::Result<Vec<PathBuf>> {
        let from = from_generation.max(self.first());
        let mut before = self.sum_before(from);
        let mut paths = Vec::new();
        for generation in from..=to_generation.min(self.last()) {
            let mut file = vec![0; FILE_BYTES];
            let sum = self.write_segments(generation, &mut file);
            self.write_header(generation, before, &mut file[..SEGMENT]);
            before = sum;
            let path = dir.join(Self::file_name(generation));
            fs::write(&path, &file)?;
            paths.push(path);
        }
        Ok(paths)
    }

    /// The position of the attach record, the second of the first file.
    pub(crate) fn attach_position(&self) -> [u8; 8] {
        lgpos(self.first(), FIRST_SEGMENT, HEAD as u16 + record::INIT_BYTES)
    }

    /// The position of the shut-down mark, which stands behind the detach record.
    pub(crate) fn consistent_position(&self) -> [u8; 8] {
        lgpos(self.last(), SHUT_DOWN_SEGMENT, HEAD as u16 + record::detach_bytes())
    }

    /// The logs of the day before, if these follow them.
    fn previous(&self) -> Option<Logs> {
        self.store.previous().map(|store| store.logs()).filter(|logs| logs.last() + 1 == self.first())
    }

    /// The checksum of all segments of the generation before `generation`; 0 if that is unknown.
    fn sum_before(&self, generation: u32) -> u64 {
        let mut file = vec![0; FILE_BYTES];
        if generation > self.first() {
            return self.write_segments(generation - 1, &mut file);
        }
        self.previous().map_or(0, |logs| logs.write_segments(logs.last(), &mut file))
    }

    /// Where the database was consistent before the day; zero on day 0.
    fn position_before(&self) -> [u8; 8] {
        self.store.previous().map_or([0; 8], |store| store.logs().consistent_position())
    }

    fn write_header(&self, generation: u32, sum_before: u64, header: &mut [u8]) {
        let seed = self.store.seed();
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(4, &generation.to_le_bytes());
        put(8, &(SEGMENT as u16).to_le_bytes());
        put(10, &1u16.to_le_bytes());
        put(12, &FILE_SEGMENTS.to_le_bytes());
        put(14, &(self.store.page_size() as u16).to_le_bytes());
        put(16, &logtime(generation));
        if generation > 1 {
            put(24, &logtime(generation - 1));
        }
        let [major, minor, update, update_minor] = VERSION;
        put(32, &major.to_le_bytes());
        put(36, &minor.to_le_bytes());
        put(40, &update.to_le_bytes());
        put(44, &Signature::Logs.bytes(seed));
        put(72, &record::settings());
        put(640, &lgpos(self.first(), FIRST_SEGMENT, 0));
        put(648, &update_minor.to_le_bytes());
        put(653, &sum_before.to_le_bytes());
        put(667, &[FILE_TYPE_LOG]);
        if generation > self.first() {
            let path = record::path();
            put(671, &[record::DATABASE_ID, ATTACHED_UNICODE]);
            put(673, &(path.len() as u16).to_le_bytes());
            put(675, &dbtime(0, self.store.day()).to_le_bytes());
            put(683, &Tree::LongValues.objid().to_le_bytes());
            put(691, &self.attach_position());
            put(699, &self.position_before());
            put(707, &Signature::Database.bytes(seed));
            put(735, &path);
        }
        let sum = header_xor(header);
        header[..4].copy_from_slice(&sum.to_le_bytes());
    }

    /// Writes the segments of a generation into an empty file and answers their checksum.
    fn write_segments(&self, generation: u32, file: &mut [u8]) -> u64 {
        let mut writer = SegmentWriter::new(file);
        if generation == self.first() {
            writer.put(&record::init(generation));
            let pages = self.store.layout().last_page();
            writer.put(&record::attach(self.store.seed(), self.position_before(), pages));
        }
        let is_last = generation == self.last();
        let end = if is_last { SHUT_DOWN_SEGMENT } else { RECORDS_END };
        let mut work = Work::new(self, generation);
        while let Some(transaction) = work.next_transaction() {
            if !writer.fits(&transaction, end) {
                break;
            }
            for record in &transaction {
                writer.put(record);
            }
        }
        writer.pad_to(end);
        debug_assert_eq!(writer.segment(), end);
        if is_last {
            writer.put(&record::detach());
            writer.put(&record::shut_down());
            writer.put(&record::term(self.consistent_position(), generation));
        }
        writer.finish(generation, logtime(generation))
    }
}

/// The transactions of one generation.
struct Work<'a> {
    store: &'a Store,
    random: Random,
    transaction: u32,
    /// The added page whose nodes are inserted, by its place among the day's added pages, and the next node of it.
    added: u32,
    line: usize,
    page: Vec<u8>,
    changed: Vec<u8>,
}

impl<'a> Work<'a> {
    fn new(logs: &'a Logs, generation: u32) -> Self {
        let store = &logs.store;
        let random = Random::new(hash(&[store.seed(), 0x106, u64::from(generation), u64::from(store.day())]));
        let size = store.page_size() as usize;
        let added = (generation - logs.first()) * (FILE_BYTES / size) as u32;
        let mut work = Work {
            store,
            random,
            transaction: generation << 12,
            added,
            line: 0,
            page: vec![0; size],
            changed: vec![0; size],
        };
        work.load_added();
        work
    }

    /// The records of the next transaction; `None` if the day neither added nor changed anything.
    fn next_transaction(&mut self) -> Option<Vec<Vec<u8>>> {
        self.transaction += 4;
        let replaces = self.random.below(4) == 0;
        let work = if replaces { self.replaces() } else { self.inserts() };
        let work = work.or_else(|| if replaces { self.inserts() } else { self.replaces() })?;
        let ends = (record::begin(self.transaction), record::commit(self.transaction));
        Some(std::iter::once(ends.0).chain(work).chain(std::iter::once(ends.1)).collect())
    }

    fn target(&self, page: u32, tree: Tree, line: usize) -> Target {
        let newest = dbtime(page, self.store.newest_change(page));
        Target {
            page,
            root: tree.root(),
            objid: tree.objid(),
            line: line as u16,
            dbtime: newest - 0x7FF + 1 + line as u64 % 0x7FF,
            unique: tree != Tree::Folders,
            transaction: self.transaction,
        }
    }

    /// The tree of a page, if it is a leaf.
    fn leaf_tree(&self, page: u32) -> Option<Tree> {
        match self.store.layout().role(page) {
            Role::Leaf { tree, .. } => Some(tree),
            _ => None,
        }
    }

    /// The number of the added page in use; `None` if the day added none.
    fn added_page(&self) -> Option<u32> {
        let pages = self.store.layout().last_region().pages();
        let offset = self.added.checked_rem(pages.end - pages.start)?;
        Some(pages.start + offset)
    }

    fn load_added(&mut self) {
        self.line = 0;
        if let Some(page) = self.added_page() {
            self.store.write_page(page, &mut self.page);
        }
    }

    /// Inserts of the next nodes of the day's added leaves.
    fn inserts(&mut self) -> Option<Vec<Vec<u8>>> {
        let pages = self.store.layout().last_region().pages();
        for _ in pages {
            let page = self.added_page()?;
            let tree = self.leaf_tree(page);
            if let Some(tree) = tree.filter(|_| self.line < node_count(&self.page)) {
                return Some(self.inserts_into(page, tree));
            }
            self.added += 1;
            self.load_added();
        }
        None
    }

    fn inserts_into(&mut self, page: u32, tree: Tree) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let mut bytes = 0;
        while self.line < node_count(&self.page) && records.len() < INSERTS && bytes < INSERTED_BYTES {
            let node = node(&self.page, self.line);
            let prefix = &external(&self.page)[..node.prefix];
            let target = self.target(page, tree, self.line);
            let record = record::insert(&target, prefix, &self.page[node.suffix], &self.page[node.data]);
            bytes += record.len();
            records.push(record);
            self.line += 1;
        }
        records
    }

    /// A replacement of a node of a page that the day changed.
    fn replaces(&mut self) -> Option<Vec<Vec<u8>>> {
        let last = self.store.previous()?.layout().last_page();
        let start = self.random.below(last);
        let day = self.store.day();
        let (page, tree) = (0..SEARCHED_PAGES.min(last)).find_map(|step| {
            let page = 1 + (start + step) % last;
            let tree = self.leaf_tree(page).filter(|&tree| tree != Tree::Folders)?;
            (self.store.newest_change(page) == day).then_some((page, tree))
        })?;
        self.store.write_page(page, &mut self.changed);
        let line = self.random.below(node_count(&self.changed) as u32) as usize;
        let data = &self.changed[node(&self.changed, line).data];
        Some(vec![record::replace(&self.target(page, tree, line), data)])
    }
}
