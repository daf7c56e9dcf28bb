//! What a record comes to: steps, and versions that tell how to take them back (reference, replay.md section 4). Nothing
//! is changed here: steps are made later, perhaps several at once.

use super::batch::Batch;
use super::redo::delta_width;
use super::session::Session;
use super::split::relinked;
use super::step::{PageSet, What};
use super::version::{Change, Earlier, Version};
use crate::ese::log::record::{NodeOp, Record};

/// Operations as UndoInfo and Undo number them.
mod oper {
    pub const INSERT: u16 = 1;
    pub const REPLACE: u16 = 2;
    pub const FLAG_DELETE: u16 = 3;
    pub const DELTA: u16 = 4;
    pub const DELTA64: u16 = 9;
}

/// Where records are redone: the database, who did it, and where the steps go.
pub(super) struct Planner<'a> {
    /// The database, by its place among the bases.
    pub database: usize,
    pub procid: u16,
    pub session: &'a mut Session,
    pub earlier: &'a Earlier,
    pub batch: &'a mut Batch,
}

impl Planner<'_> {
    /// Plans a record of a page outside of macros of splits, merges and moves of roots.
    pub fn record(&mut self, record: &Record<'_>, bytes: &[u8]) {
        match *record {
            Record::UndoInfo { node, oper, key, bookmark_data, data, .. } => {
                self.undo_info(&node, oper, key, bookmark_data, data);
                return;
            }
            Record::Undo { node, oper, .. } => {
                self.undo(&node, oper, bytes);
                return;
            }
            _ => {}
        }
        let Some(pages) = pages_of(record) else { return };
        let part = self.batch.part(bytes);
        if let Record::EmptyTree { pages: emptied, .. } = record {
            for (number, page) in emptied.iter().enumerate() {
                self.batch.push(
                    self.database,
                    What::Emptied { record: part, number },
                    PageSet::of(&[page.pgno]),
                );
            }
        }
        let step = self.batch.push(self.database, What::Record(part), pages);
        if record.node_op().is_some_and(|node| node.page.flags.is_versioned()) {
            self.versions(record, step);
        }
    }

    /// Remembers how to take back the change of a record, which is made by `step`.
    fn versions(&mut self, record: &Record<'_>, step: u32) {
        match *record {
            Record::Insert { node, prefix, suffix, data } => {
                self.version(node.rceid, &node, [prefix, suffix].concat(), data, Change::Insert);
            }
            Record::FlagInsert { node, key, data } => {
                self.version(node.rceid, &node, key.to_vec(), data, Change::Insert);
            }
            Record::FlagInsertAndReplaceData { node, rceid_replace, key, data } => {
                self.version(node.rceid, &node, key.to_vec(), data, Change::Insert);
                self.replaced(rceid_replace, &node, key, data, Some(step));
            }
            Record::FlagDelete { node } => {
                let version = self.make(node.rceid, &node, Vec::new(), &[], Change::FlagDelete);
                self.await_version(version, step);
            }
            Record::Replace { node, .. } | Record::ReplaceD { node, .. } => {
                self.replaced(node.rceid, &node, &[], &[], Some(step));
            }
            Record::Delta { node, delta, offset, wide, key, bookmark_data } => {
                let change =
                    Change::Delta { offset: usize::from(offset), width: delta_width(wide), amount: delta };
                self.version(node.rceid, &node, key.to_vec(), bookmark_data, change);
            }
            _ => {}
        }
    }

    /// Remembers how to take back the operation that splits were made for; `step` is the split of its page, if there is
    /// one.
    pub fn split_versions(&mut self, cause: &Record<'_>, step: Option<u32>) {
        let Some(node) = cause.node_op().filter(|node| node.page.flags.is_versioned()) else { return };
        match *cause {
            Record::Insert { prefix, suffix, data, .. } => {
                self.version(node.rceid, node, [prefix, suffix].concat(), data, Change::Insert);
            }
            Record::Replace { .. } | Record::ReplaceD { .. } => {
                self.replaced(node.rceid, node, &[], &[], step);
            }
            Record::FlagInsertAndReplaceData { rceid_replace, key, data, .. } => {
                self.version(node.rceid, node, key.to_vec(), data, Change::Insert);
                self.replaced(rceid_replace, node, &[], &[], step);
            }
            _ => {}
        }
    }

    /// A change of data. What was there before comes from the step that makes it; where the page has the change already,
    /// from an earlier replay, or from an UndoInfo record that is to come.
    fn replaced(&mut self, id: u32, node: &NodeOp, key: &[u8], data: &[u8], step: Option<u32>) {
        if let Some(step) = step {
            let version = self.make(id, node, key.to_vec(), data, Change::Replace(Vec::new()));
            self.await_version(version, step);
            return;
        }
        match self.earlier.get(&(self.database, id)).filter(|version| version.fdp == node.fdp) {
            Some(version) => self.session.versions.push(version.clone()),
            None => self.session.versions.defer(id),
        }
    }

    fn version(&mut self, id: u32, node: &NodeOp, key: Vec<u8>, data: &[u8], change: Change) {
        let version = self.make(id, node, key, data, change);
        self.session.versions.push(version);
    }

    fn await_version(&mut self, version: Version, step: u32) {
        self.batch.waiting.insert(self.procid);
        self.session.versions.push_awaited(version, step);
    }

    fn make(&self, id: u32, node: &NodeOp, key: Vec<u8>, data: &[u8], change: Change) -> Version {
        let data = if node.page.flags.is_unique() { Vec::new() } else { data.to_vec() };
        let level = node.page.level.clamp(1, self.session.level.max(1));
        Version { id, level, database: self.database, fdp: node.fdp, key, data, change }
    }

    fn undo_info(&mut self, node: &NodeOp, oper: u16, key: &[u8], bookmark: &[u8], data: &[u8]) {
        if self.session.level == 0 {
            return;
        }
        let change = match oper {
            oper::REPLACE => Change::Replace(data.to_vec()),
            _ => Change::FlagDelete,
        };
        let version = self.make(node.rceid, node, key.to_vec(), bookmark, change);
        self.session.versions.supply(version);
    }

    fn undo(&mut self, node: &NodeOp, oper: u16, bytes: &[u8]) {
        if self.session.level == 0 {
            return;
        }
        let versions = &mut self.session.versions;
        let version = versions.take(node.rceid, self.database, node.fdp, |change| match oper {
            oper::INSERT => *change == Change::Insert,
            oper::REPLACE => matches!(change, Change::Replace(_)),
            oper::FLAG_DELETE => *change == Change::FlagDelete,
            oper::DELTA | oper::DELTA64 => matches!(change, Change::Delta { .. }),
            _ => true,
        });
        versions.undone(node.rceid);
        let what = What::Undo { record: self.batch.part(bytes), change: version.map(|found| found.change) };
        self.batch.push(self.database, what, PageSet::of(&[node.page.pgno]));
    }
}

/// The pages that a record by itself touches; `None` for a record that changes none.
fn pages_of(record: &Record<'_>) -> Option<PageSet> {
    Some(match record {
        Record::Split(split) if split.new == 0 => return None,
        Record::Split(split) => PageSet::of(&[split.page.pgno, split.new]).with_linked(relinked(split, true)),
        Record::Merge(merge) => {
            PageSet::of(&[merge.page.pgno]).with_linked(merge.right).with_linked(merge.left)
        }
        Record::PageMove(moved) => PageSet::of(&[moved.page.pgno, moved.dest, moved.parent])
            .with_linked(moved.left)
            .with_linked(moved.right),
        Record::NewPage(new) => PageSet::of(&[new.pgno]),
        Record::CreateMultipleExtentFdp(create) => {
            PageSet::of(&[create.page.pgno, create.owned, create.available])
        }
        Record::ConvertFdp(convert) => PageSet::of(&[convert.page.pgno, convert.owned, convert.available]),
        _ => PageSet::of(&[record.page_op()?.pgno]),
    })
}
