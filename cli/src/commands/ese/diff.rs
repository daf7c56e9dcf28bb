//! `reel ese diff`: two databases, page by page.

use super::stored::Read;
use crate::args::ese::Diff as Args;
use crate::bars::{Bar, Unit};
use crate::interrupt;
use crate::output::{Outcome, Report, plural, say, shown};
use reel_engine::diff::{Diff, DiffOptions, PageList, Pages, Side, TreeChanges, TreeKind, diff};
use reel_engine::pool::Pool;
use reel_engine::progress::Monitor;
use reel_engine::restore::read_at::StoredStream;
use reel_engine::{Class, Error, Result};
use serde::Serialize;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Serialize)]
struct Comparison {
    a: SideLine,
    b: SideLine,
    equal: bool,
    page_size: u32,
    compared: u64,
    header_differs: bool,
    shadow_header_differs: bool,
    differing: List,
    only_a: List,
    only_b: List,
    unknown: List,
    trees: Option<Vec<Tree>>,
}

#[derive(Serialize)]
struct SideLine {
    name: String,
    read: Option<Read>,
}

#[derive(Serialize)]
struct List {
    pages: u64,
    ranges: Vec<Range>,
}

#[derive(Serialize)]
struct Range {
    first: u32,
    count: u32,
    objid: Option<u32>,
}

#[derive(Serialize)]
struct Tree {
    objid: Option<u32>,
    kind: &'static str,
    table: Option<String>,
    index: Option<String>,
    differing: u64,
    only_a: u64,
    only_b: u64,
}

/// A side, and the stream that it is, if it is one.
struct Opened {
    side: Side,
    stream: Option<Arc<StoredStream>>,
}

impl Opened {
    fn line(&self) -> SideLine {
        SideLine { name: self.side.name().to_owned(), read: self.stream.as_deref().map(Read::of) }
    }
}

impl Comparison {
    fn of(a: &Opened, b: &Opened, found: &Diff, trees: bool) -> Self {
        Comparison {
            a: a.line(),
            b: b.line(),
            equal: found.is_empty(),
            page_size: found.page_size,
            compared: found.compared,
            header_differs: found.header,
            shadow_header_differs: found.shadow_header,
            differing: List::of(&found.differing),
            only_a: List::of(&found.only_a),
            only_b: List::of(&found.only_b),
            unknown: List::of(&found.unknown),
            trees: trees.then(|| found.trees.iter().map(Tree::of).collect()),
        }
    }

    /// What a range of pages belongs to, for a person.
    fn belongs(&self, objid: Option<u32>) -> String {
        let tree = self.trees.iter().flatten().find(|tree| tree.objid == objid);
        tree.map_or(String::new(), |tree| format!(": {}", tree.label()))
    }
}

impl List {
    fn of(list: &PageList) -> Self {
        let range = |&Pages { first, count, objid }: &Pages| Range { first, count, objid };
        List { pages: list.pages, ranges: list.ranges.iter().map(range).collect() }
    }
}

impl Range {
    fn label(&self) -> String {
        match self.count {
            1 => format!("page {}", self.first),
            count => format!("pages {} to {}", self.first, self.first.saturating_add(count - 1)),
        }
    }
}

impl Tree {
    fn of(changes: &TreeChanges) -> Self {
        let (kind, table, index) = match &changes.kind {
            TreeKind::Table(table) => ("table", Some(table), None),
            TreeKind::Index { table, index } => ("index", Some(table), Some(index)),
            TreeKind::LongValues(table) => ("long-values", Some(table), None),
            TreeKind::Database => ("database", None, None),
            TreeKind::Unknown => ("unknown", None, None),
        };
        let TreeChanges { objid, differing, only_a, only_b, .. } = *changes;
        Tree { objid, kind, table: table.cloned(), index: index.cloned(), differing, only_a, only_b }
    }

    fn label(&self) -> String {
        let name = |name: &Option<String>| shown(name.as_deref().unwrap_or_default().as_bytes());
        let (table, index) = (name(&self.table), name(&self.index));
        match (self.kind, self.objid) {
            ("table", _) => format!("table {table}"),
            ("index", _) => format!("index {index} of table {table}"),
            ("long-values", _) => format!("long values of table {table}"),
            ("database", _) => "space of the database".into(),
            (_, Some(objid)) => format!("object {objid}, which the catalog does not have"),
            (_, None) => "not in use, or not readable".into(),
        }
    }
}

impl Report for Comparison {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "A: {}\nB: {}", shown(self.a.name.as_bytes()), shown(self.b.name.as_bytes()))?;
        let Comparison { compared, differing, only_a, only_b, .. } = self;
        writeln!(
            out,
            "{compared} page{} of {} bytes in both, {} differ, {} only in A, {} only in B",
            plural(*compared),
            self.page_size,
            differing.pages,
            only_a.pages,
            only_b.pages
        )?;
        for (differs, what) in
            [(self.header_differs, "header"), (self.shadow_header_differs, "shadow header")]
        {
            if differs {
                writeln!(out, "the {what} pages differ")?;
            }
        }
        for tree in self.trees.iter().flatten() {
            let counts = [(tree.differing, "differ"), (tree.only_a, "only in A"), (tree.only_b, "only in B")];
            let counts = counts.iter().filter(|(count, _)| *count > 0);
            let counts: Vec<_> = counts.map(|(count, what)| format!("{count} {what}")).collect();
            writeln!(out, "  {}: {}", tree.label(), counts.join(", "))?;
        }
        let lists =
            [(differing, "differ"), (only_a, "only in A"), (only_b, "only in B"), (&self.unknown, "lost")];
        for (list, what) in lists {
            for range in &list.ranges {
                writeln!(out, "{what}: {}{}", range.label(), self.belongs(range.objid))?;
            }
            let listed: u64 = list.ranges.iter().map(|range| u64::from(range.count)).sum();
            if listed < list.pages {
                writeln!(out, "{what}: {} more", list.pages - listed)?;
            }
        }
        Ok(())
    }
}

/// Compares.
pub fn run(args: &Args) -> Result<Outcome> {
    let (a, b) = sides(args)?;
    let monitor = Monitor::default();
    interrupt::watch(&monitor, "nothing is written");
    let options = DiffOptions { threads: args.effort.threads(), trees: !args.numbers_only };
    let bar = Bar::start("compare", Unit::Bytes, &monitor);
    let found = diff(&a.side, &b.side, options, &monitor)?;
    drop(bar);
    let report = Comparison::of(&a, &b, &found, options.trees);
    args.json.report_to().print(&report)?;
    for read in [&report.a.read, &report.b.read].into_iter().flatten() {
        say(read.sentence());
    }
    Ok(Outcome::of(!found.is_empty()))
}

/// What is compared with what.
fn sides(args: &Args) -> Result<(Opened, Opened)> {
    let file = |path: &PathBuf| Side::file(path).map(|side| Opened { side, stream: None });
    let (streams, sets) = (&args.stream, &args.set);
    if streams.len() > 2 || sets.len() > 2 {
        return Err(usage("--stream and --set are given at most twice, for A and for B"));
    }
    match (&args.files[..], &args.pool) {
        ([a, b], None) => Ok((file(a)?, file(b)?)),
        ([_, _], Some(_)) => Err(usage("two FILEs are both sides: leave --pool out, or one FILE")),
        (_, None) => Err(usage("two databases are needed: two FILEs, or --pool with --stream and --set")),
        ([b], Some(pool)) if streams.len() == 1 && sets.len() < 2 => {
            let pool = Arc::new(Pool::open(pool)?);
            Ok((stream(args, &pool, 0)?, file(b)?))
        }
        ([_], Some(_)) => Err(usage("with one FILE, --stream and --set are given once, for A")),
        (_, Some(_)) if streams.len() < 2 && sets.len() < 2 => {
            Err(usage("two databases are needed: give --set or --stream twice, or a FILE"))
        }
        (_, Some(pool)) => {
            let pool = Arc::new(Pool::open(pool)?);
            Ok((stream(args, &pool, 0)?, stream(args, &pool, 1)?))
        }
    }
}

/// The stream of side A (0) or B (1).
fn stream(args: &Args, pool: &Arc<Pool>, side: usize) -> Result<Opened> {
    let name = args.stream.get(side).or(args.stream.first()).map_or(&[][..], |name| name.as_bytes());
    let set = args.set.get(side).or(args.set.first()).map_or("latest", String::as_str);
    let stream = Arc::new(StoredStream::open(pool, set, name, args.effort.memory.half())?);
    Ok(Opened { side: Side::stream(stream.clone())?, stream: Some(stream) })
}

fn usage(sentence: &str) -> Error {
    Error::new(Class::Argument, "command line", sentence)
}
