//! Lines about changes of pages.

use super::{Change, Flags, LinePlace};
use crate::ese::log::record::{
    ConvertFdp, CreateMultipleExtentFdp, CreateSingleExtentFdp, ExtentFreed, Image, Merge, MergeType,
    PageMove, Record, Split, SplitOper, SplitType,
};
use std::fmt;

/// The flag of a freed extent's record: it was the root of a table.
const FREED_TABLE_ROOT: u8 = 1;
/// The flag of a freed extent's record: an empty tree was deleted.
const FREED_EMPTY_TREE: u8 = 2;

/// Most pages behind the first of a freed extent that a line names.
const MOST_PAGES: usize = 31;

/// Writes the fields of such a record.
pub(super) fn write(f: &mut fmt::Formatter<'_>, record: &Record<'_>) -> fmt::Result {
    if let Some(page) = record.page_op()
        && !matches!(
            record,
            Record::UndoInfo { .. }
                | Record::Split(_)
                | Record::CreateMultipleExtentFdp(_)
                | Record::CreateSingleExtentFdp(_)
        )
    {
        write!(f, "{}", Change(page))?;
    }
    match record {
        Record::Insert { node, prefix, suffix, data } => {
            let objid = (node.page.dbid, node.objid);
            write!(f, "{},{},", LinePlace(&node.page), Flags(&node.page, "uvdstc"))?;
            write!(f, "{},{},{},", prefix.len(), suffix.len(), data.len())?;
            write!(f, "rceid:{},objid:[{}:{}])<Data>", node.rceid, objid.0, objid.1)
        }
        Record::FlagInsert { node, .. } => {
            write!(f, "{},{},", LinePlace(&node.page), Flags(&node.page, "uvdstc"))?;
            write!(f, "rceid:{},objid:[{}:{}])", node.rceid, node.page.dbid, node.objid)
        }
        Record::FlagInsertAndReplaceData { node, rceid_replace, key, data } => {
            let len = key.len() + data.len();
            write!(f, "{},{},{len:5},", LinePlace(&node.page), Flags(&node.page, "uvstc"))?;
            write!(f, "rceidInsert:{},rceidReplace:{rceid_replace},", node.rceid)?;
            write!(f, "objid:[{}:{}])<Data>", node.page.dbid, node.objid)
        }
        Record::FlagDelete { node } => {
            write!(f, "{},{}),", LinePlace(&node.page), Flags(&node.page, "uvstc"))?;
            write!(f, "rceid:{},objid:[{}:{}]", node.rceid, node.page.dbid, node.objid)
        }
        Record::Replace { node, old_len, new_len, data } => {
            write!(f, "{},{},", LinePlace(&node.page), Flags(&node.page, "uvstc"))?;
            write!(f, "{:5},{new_len:5},{old_len:5},", data.len())?;
            write!(f, "rceid:{},objid:[{}:{}])<Data>", node.rceid, node.page.dbid, node.objid)
        }
        Record::ReplaceD { node, old_len, new_len, diff, .. } => {
            write!(f, "{},{},", LinePlace(&node.page), Flags(&node.page, "uvstc"))?;
            write!(f, "{:5},{new_len:5},{old_len:5},", diff.len())?;
            write!(f, "rceid:{},objid:[{}:{}])", node.rceid, node.page.dbid, node.objid)
        }
        Record::Delete { node } => {
            write!(f, "{},{},", LinePlace(&node.page), Flags(&node.page, "ust"))?;
            write!(f, "objid:[{}:{}])", node.page.dbid, node.objid)
        }
        Record::UndoInfo { node, key, bookmark_data, data, .. } => {
            let page = &node.page;
            write!(f, "{:x}:{}({:x},", page.trx, page.level, page.procid)?;
            write!(f, "[{}:{}],{},", page.dbid, page.pgno, Flags(page, "ut"))?;
            write!(f, "{},{},{},", key.len(), bookmark_data.len(), data.len())?;
            write!(f, "rceid:{},objid:[{}:{}])<Data>", node.rceid, page.dbid, node.objid)
        }
        Record::Delta { node, delta, offset, .. } => {
            write!(f, "{},{},", LinePlace(&node.page), Flags(&node.page, "uvtc"))?;
            write!(f, "{delta},offset:{offset},")?;
            write!(f, "rceid:{},objid:[{}:{}])", node.rceid, node.page.dbid, node.objid)
        }
        Record::SetExternalHeader { node, data } => {
            let page = &node.page;
            write!(f, "[{}:{}],{},{:5})<Data>", page.dbid, page.pgno, Flags(page, "ust"), data.len())
        }
        Record::Undo { node, oper, level, .. } => {
            write!(f, "{},{},", LinePlace(&node.page), Flags(&node.page, "ut"))?;
            write!(f, "{level},{oper},rceid:{})", node.rceid)
        }
        Record::EmptyTree { node, pages } => {
            let page = &node.page;
            write!(f, "[{0}:{1}],objid:[{0}:{2}],", page.dbid, page.pgno, node.objid)?;
            write!(f, "{},{})<Data>", Flags(page, "ust"), pages.byte_len())
        }
        Record::Scrub { node, unused_page, operations, data } => {
            let page = &node.page;
            write!(f, "[{}:{}],{},", page.dbid, page.pgno, Flags(page, "ust"))?;
            let what = if *unused_page { "unused page" } else { "" };
            write!(f, "{what},{operations},{:5})<Data>", data.len())
        }
        Record::Split(split) => write_split(f, split),
        Record::Merge(merge) => write_merge(f, merge),
        Record::PageMove(page_move) => write_page_move(f, page_move),
        Record::RootPageMove(root) => {
            write!(f, "{:x},({:x},objid:[{}:{}])", root.dbtime, root.procid, root.dbid, root.objid)
        }
        Record::CreateMultipleExtentFdp(create) => write_create_multiple(f, create),
        Record::CreateSingleExtentFdp(create) => write_create_single(f, create),
        Record::ConvertFdp(convert) => write_convert(f, convert),
        Record::NewPage(new) => {
            write!(f, "{:x},({:x},", new.dbtime, new.procid)?;
            write!(f, "page:[{0}:{1}],objid:[{0}:{2}])", new.dbid, new.pgno, new.objid)
        }
        Record::FreeFdp(free) => {
            let tree = match free.tree_type {
                1 => "T",
                2 => "I",
                _ => "?",
            };
            write!(f, "{:x}:([{}:{}] ({tree}))", free.trx, free.dbid, free.fdp)
        }
        Record::ExtentFreed(freed) => write_extent_freed(f, freed),
        Record::ScanCheck(check) => {
            write!(f, "{:x},{:x}", check.dbtime_after, check.dbtime_page)?;
            write!(f, "[{}:{}],checksum:{:04x}", check.dbid, check.pgno, check.checksum)
        }
        Record::ScanCheck2(check) => {
            write!(f, "{:x},{:x}", check.dbtime_current, check.dbtime_page)?;
            let objid = if check.flags & 0x80 == 0 { "VO" } else { "IVO" };
            let empty = if check.flags & 0x40 == 0 { "NEP" } else { "EP" };
            write!(f, "[{}:{}],source:{},{objid},{empty}", check.dbid, check.pgno, check.flags & 3)
        }
        Record::PagePatchRequest { dbid, pgno, dbtime } => write!(f, "{dbtime:x}[{dbid}:{pgno}]"),
        _ => Ok(()),
    }
}

fn write_split(f: &mut fmt::Formatter<'_>, split: &Split<'_>) -> fmt::Result {
    let page = &split.page;
    let name = match split.split_type {
        _ if split.new == 0 => "ParentOfSplitPage",
        SplitType::VERTICAL => "SplitVertical",
        // Only the node that is inserted moves.
        SplitType::RIGHT
            if split.oper == SplitOper::INSERT
                && split.split_line == split.oper_line
                && split.oper_line == split.lines.wrapping_sub(1) =>
        {
            "SplitHotpoint"
        }
        SplitType::RIGHT => "SplitRight",
        SplitType::APPEND => "Append",
        _ => "Split",
    };
    write!(f, "{name} {}", Change(page))?;
    if split.new == 0 {
        return write!(f, "parent:{:x},[{}:{}])", split.parent_dbtime_before, page.dbid, page.pgno);
    }
    let dbid = page.dbid;
    write!(f, "split:[{dbid}:{}:{}],", page.pgno, split.split_line)?;
    write!(f, "oper/last:[{}/{}],", split.oper_line, split.lines.wrapping_sub(1))?;
    write!(f, "new:[{dbid}:{}],", split.new)?;
    write!(f, "parent:{},", Neighbour(dbid, split.parent, split.parent_dbtime_before))?;
    write!(f, "right:{}, ", Neighbour(dbid, split.right, split.right_dbtime_before))?;
    write!(f, "objid:[{dbid}:{}], {}, ", split.objid, Flags(page, "ustc"))?;
    let oper = match split.oper {
        SplitOper::NONE => "None",
        SplitOper::INSERT => "Insert",
        SplitOper::REPLACE => "Replace",
        SplitOper::FLAG_INSERT_AND_REPLACE => "FlagInsertAndReplaceData",
        _ => "?",
    };
    write!(f, "splitoper:{oper}")?;
    if split.is_v2 {
        write!(f, ", beforeImage:{}", Logged(split.image))?;
    }
    f.write_str(")")
}

fn write_merge(f: &mut fmt::Formatter<'_>, merge: &Merge<'_>) -> fmt::Result {
    let dbid = merge.page.dbid;
    write!(f, "merge:[{dbid}:{}:{}],", merge.page.pgno, merge.merge_line)?;
    write!(f, "right:{},", Neighbour(dbid, merge.right, merge.right_dbtime_before))?;
    write!(f, "left:{},", Neighbour(dbid, merge.left, merge.left_dbtime_before))?;
    write!(f, "parent:{},", Neighbour(dbid, merge.parent, merge.parent_dbtime_before))?;
    let word = |is_set, yes, no| if is_set { yes } else { no };
    write!(f, "{}:", Flags(&merge.page, "ust"))?;
    write!(f, "{}:", word(merge.changes_key(), "KC", "NKC"))?;
    write!(f, "{}:", word(merge.empties_page(), "EP", "NEP"))?;
    write!(f, "{}:", word(merge.deletes_node(), "D", "ND"))?;
    f.write_str(match merge.merge_type {
        MergeType::NONE => "None",
        MergeType::EMPTY_PAGE => "EmptyPage",
        MergeType::FULL_RIGHT => "FullRight",
        MergeType::PARTIAL_RIGHT => "PartialRight",
        MergeType::EMPTY_TREE => "EmptyTree",
        MergeType::FULL_LEFT => "FullLeft",
        MergeType::PARTIAL_LEFT => "PartialLeft",
        MergeType::PAGE_MOVE => "PageMove",
        _ => "?",
    })?;
    write!(f, ",size:{},maxsize:{},", merge.size_total, merge.size_max_total)?;
    write!(f, "uncfree:{}", merge.uncommitted_free_dest)?;
    if merge.is_v2 {
        write!(f, ",beforeImage:{}", Logged(merge.image))?;
    }
    f.write_str(")<Data>")
}

/// A page beside or above: database, page, update counter before. Without a page the logged counter says nothing.
struct Neighbour(u8, u32, u64);

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(dbid, pgno, dbtime) = self;
        write!(f, "{:x},[{dbid}:{pgno}]", if *pgno == 0 { 0 } else { *dbtime })
    }
}

/// The length of an image, and what was done to it.
struct Logged<'a>(Image<'a>);

impl fmt::Display for Logged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dehydrated = if self.0.is_dehydrated() { "D" } else { "" };
        let compressed = if self.0.is_compressed() { "X" } else { "" };
        write!(f, "{}[{dehydrated}{compressed}]", self.0.bytes.len())
    }
}

fn write_page_move(f: &mut fmt::Formatter<'_>, page_move: &PageMove<'_>) -> fmt::Result {
    let dbid = page_move.page.dbid;
    write!(f, "source:[{dbid}:{}],destination:[{dbid}:{}],", page_move.page.pgno, page_move.dest)?;
    write!(f, "right:{},", Neighbour(dbid, page_move.right, page_move.right_dbtime_before))?;
    write!(f, "left:{},", Neighbour(dbid, page_move.left, page_move.left_dbtime_before))?;
    write!(f, "parent:{:x},[{dbid}:{}:", page_move.parent_dbtime_before, page_move.parent)?;
    write!(f, "{}],", page_move.parent_line as u32)?;
    write!(f, "header:{},trailer:{},", page_move.header.len(), page_move.trailer.len())?;
    write!(f, "objid:[{dbid}:{}],flags:{}, ", page_move.objid, page_move.flags)?;
    write!(f, "{})", Flags(&page_move.page, "t"))
}

fn write_create_multiple(f: &mut fmt::Formatter<'_>, create: &CreateMultipleExtentFdp) -> fmt::Result {
    let page = &create.page;
    let dbid = page.dbid;
    write!(f, "{:x},{:x}:{}({:x},", page.dbtime, page.trx, page.level, page.procid)?;
    write!(f, "FDP:[{dbid}:{}],OE:[{dbid}:{}],", page.pgno, create.owned)?;
    write!(f, "AE:[{dbid}:{}],FDPParent:[{dbid}:{}],", create.available, create.parent)?;
    write!(f, "objid:[{dbid}:{}],PageFlags:[{:#x}],", create.objid, create.page_flags)?;
    write!(f, "{},{})", create.primary_pages, Flags(page, "ut"))
}

fn write_create_single(f: &mut fmt::Formatter<'_>, create: &CreateSingleExtentFdp) -> fmt::Result {
    let page = &create.page;
    let dbid = page.dbid;
    write!(f, "{:x},{:x}:{}({:x},", page.dbtime, page.trx, page.level, page.procid)?;
    write!(f, "[{dbid}:{}],[{dbid}:{}],[{}],", page.pgno, create.parent, create.objid)?;
    write!(f, "PageFlags:[{:#x}]{},{})", create.page_flags, create.primary_pages, Flags(page, "ut"))
}

fn write_convert(f: &mut fmt::Formatter<'_>, convert: &ConvertFdp) -> fmt::Result {
    let page = &convert.page;
    let dbid = page.dbid;
    write!(f, "[{dbid}:{}],[{dbid}:{}],[{}],", page.pgno, convert.parent, convert.objid)?;
    write!(f, "+{},[{dbid}:{}],", convert.primary_pages, convert.secondary_first)?;
    write!(f, "+{},{})", convert.secondary_pages, Flags(page, "ut"))
}

fn write_extent_freed(f: &mut fmt::Formatter<'_>, freed: &ExtentFreed) -> fmt::Result {
    if let Some(dbtime) = freed.dbtime {
        write!(f, "{dbtime:x} ")?;
    }
    write!(f, "[{}:{}+{}],[", freed.dbid, freed.first, freed.pages)?;
    if freed.flags & FREED_TABLE_ROOT != 0 {
        f.write_str("T")?;
    }
    if freed.flags & FREED_EMPTY_TREE != 0 {
        f.write_str("E")?;
    }
    f.write_str("] (")?;
    let behind = freed.first.saturating_add(1)..freed.first.saturating_add(freed.pages);
    behind.take(MOST_PAGES).try_for_each(|pgno| write!(f, "[{}:{pgno}] ", freed.dbid))?;
    f.write_str(")")
}
