//! `reel list`: the sets of a pool, or the streams of a set.

use crate::args::List;
use crate::output::{Outcome, Report, shown};
use crate::pages::Pages;
use crate::sets::{PoolLines, SetLine};
use reel_engine::Result;
use reel_engine::attributes::NodeKind;
use reel_engine::backup::DatabasePages;
use reel_engine::list::{Recognised, StreamLine, streams};
use reel_engine::pool::{Catalog, Pool};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Serialize, ser};
use std::io::{self, Write};
use std::sync::Arc;

#[derive(Serialize)]
struct Sets {
    pool: PoolLines,
    sets: Vec<SetLine>,
}

impl Report for Sets {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.pool.text(out)?;
        self.sets.iter().try_for_each(|set| set.text(out))
    }
}

#[derive(Serialize)]
struct Streams<'a> {
    set: SetLine,
    #[serde(serialize_with = "stream_by_stream")]
    streams: &'a Arc<Catalog>,
}

impl Report for Streams<'_> {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.set.text(out)?;
        let mut written = Ok(());
        let read = streams(self.streams, |line| {
            if written.is_ok() {
                written = Stream::of(&line).text(out);
            }
            Ok(())
        });
        read.map_err(io::Error::other)?;
        written
    }
}

/// A set may have more streams than memory should hold.
fn stream_by_stream<S: Serializer>(catalog: &Arc<Catalog>, to: S) -> std::result::Result<S::Ok, S::Error> {
    let mut seq = to.serialize_seq(None)?;
    let mut written = Ok(());
    let read = streams(catalog, |line| {
        if written.is_ok() {
            written = seq.serialize_element(&Stream::of(&line));
        }
        Ok(())
    });
    read.map_err(<S::Error as ser::Error>::custom)?;
    written?;
    seq.end()
}

#[derive(Serialize)]
struct Stream {
    name: Option<String>,
    kind: Option<&'static str>,
    length: Option<u64>,
    data_bytes: u64,
    zero_bytes: u64,
    runs: u64,
    format: Option<&'static str>,
    changed: bool,
    pages: Option<Pages>,
}

impl Stream {
    fn of(line: &StreamLine) -> Self {
        let format = line.head.as_ref().and_then(|head| format_word(head.recognised));
        let end = line.end.as_ref().filter(|_| format == Some("ese-database"));
        Stream {
            name: line.head.as_ref().map(|head| String::from_utf8_lossy(&head.name).into_owned()),
            kind: line.head.as_ref().map(|head| kind_word(head.kind)),
            length: line.end.as_ref().map(|end| end.length),
            data_bytes: line.data_bytes,
            zero_bytes: line.nothing_bytes,
            runs: line.runs,
            format,
            changed: line.end.as_ref().is_some_and(|end| end.changed),
            pages: end.map(|end| {
                Pages::of(&DatabasePages { stream: Vec::new(), page_size: 0, pages: end.pages.clone() })
            }),
        }
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let kind = self.kind.unwrap_or("unknown");
        match self.length {
            Some(length) => write!(out, "{kind:<12} {length:>16}")?,
            None => write!(out, "{kind:<12} {:>16}", "no end")?,
        }
        let name = self.name.as_ref().map_or("(its name is lost)".to_owned(), |name| shown(name.as_bytes()));
        write!(out, "  {:<12}  {name}", self.format.unwrap_or("-"))?;
        if let Some(pages) = &self.pages {
            write!(out, ": {}", pages.counts())?;
        }
        if self.changed {
            write!(out, ", changed while it was read")?;
        }
        writeln!(out)
    }
}

fn kind_word(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::File => "file",
        NodeKind::Directory => "directory",
        NodeKind::Symlink => "symlink",
        NodeKind::HardLink => "hard-link",
        NodeKind::BlockDevice => "block-device",
        NodeKind::Pushed => "pushed",
    }
}

/// The word for a format.
fn format_word(recognised: Recognised) -> Option<&'static str> {
    match recognised {
        Recognised::Nothing => None,
        Recognised::EseDatabase(_) => Some("ese-database"),
        Recognised::EseLog(_) => Some("ese-log"),
        Recognised::Sqlite(_) => Some("sqlite"),
    }
}

/// Lists.
pub fn run(args: &List) -> Result<Outcome> {
    let pool = Pool::open(&args.pool.pool)?;
    let report_to = args.json.report_to();
    match &args.set {
        None => {
            let sets = pool.sets().map(|c| SetLine::of(&c.info)).collect();
            report_to.print(&Sets { pool: PoolLines::of(&pool), sets })?;
        }
        Some(wanted) => {
            let catalog = pool.choose(wanted)?;
            // What cannot be read is told before anything is printed.
            streams(catalog, |_| Ok(()))?;
            report_to.print(&Streams { set: SetLine::of(&catalog.info), streams: catalog })?;
        }
    }
    Ok(Outcome::Done)
}
