//! Restore: a plan, one forward pass, and targets that get their final names when they are complete and verified.

mod choose;
mod fetch;
pub mod pass;
pub mod read_at;
mod report;
mod spool;
pub(crate) mod target;

pub use report::{DamagedStream, RestoreReport};

use crate::attributes::{ApplyOptions, Attributes, NodeKind};
use crate::error::{Class, Error, Result};
use crate::io::{Io, Outputs};
use crate::memory::Memory;
use crate::plan::{Plan, StreamPlan, lose};
use crate::pool::{Catalog, Pool};
use crate::progress::Monitor;
use choose::Chosen;
use pass::PassReport;
use reel_tape::layout::recipe::Run;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use target::{Files, Folder};

/// What is restored, and how.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// `latest`, a set number, or the name of a set.
    pub set: String,
    /// Patterns of stream names; none: all streams. A pattern that matches a directory takes what is in it.
    pub streams: Vec<String>,
    /// Existing files are replaced.
    pub overwrite: bool,
    /// Incomplete files stay as `NAME.reel-partial`.
    pub keep_partial: bool,
    /// Workers.
    pub threads: usize,
    /// Bound on memory.
    pub memory: Memory,
    /// How files are written; what is in them is the same.
    pub io: Io,
    /// Most bytes of the spool of an ordered output; `None`: as many as the stream has.
    pub spool: Option<u64>,
    /// Folder of the spool; `None`: the temporary folder.
    pub spool_folder: Option<PathBuf>,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        RestoreOptions {
            set: "latest".into(),
            streams: Vec::new(),
            overwrite: false,
            keep_partial: false,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: Memory::DEFAULT,
            io: Io::Auto,
            spool: None,
            spool_folder: None,
        }
    }
}

/// Restores streams of a set into the folder `to`.
///
/// # Errors
/// When nothing matches, when something is in the way of a target, when a target cannot be written (a lack of space for long
/// streams is found before anything is read), or when the run was cancelled; then no file has appeared under its name. Damage on the medium is not an error: the report lists the
/// streams that it hit.
pub fn restore(
    pool: &Arc<Pool>,
    to: &Path,
    options: &RestoreOptions,
    monitor: &Monitor,
) -> Result<RestoreReport> {
    let outputs = Outputs::new(options.io, options.memory)?;
    let catalog = pool.choose(&options.set)?;
    let chosen = Chosen::new(catalog, &options.streams)?;
    let mut plan = Plan::new(pool, catalog, options.memory, |head| chosen.takes(head))?;
    chosen.rename(&mut plan.streams);
    monitor.counters().total.store(plan.extents.iter().map(|e| u64::from(e.length)).sum(), Ordering::Relaxed);

    let folder = Folder::open(to, options.overwrite, catalog.info.head.session)?;
    let mut run = Restoring {
        folder,
        catalog,
        keep_partial: options.keep_partial,
        apply: ApplyOptions::of_this_process(),
        report: RestoreReport {
            set: catalog.set(),
            set_complete: catalog.info.status.is_complete(),
            ..RestoreReport::default()
        },
        restored: HashSet::new(),
    };
    let (paths, files) = run.prepare(&plan, Files::new(outputs))?;
    let passed = pass::run(pool, &plan, &files, options.threads, options.memory, monitor)?;
    files.sync(to)?;
    run.finish(&plan, &paths, files, passed, &chosen)?;
    Ok(run.report)
}

/// Has this kind of stream bytes of its own?
fn has_bytes(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::File | NodeKind::BlockDevice | NodeKind::Pushed)
}

struct Restoring<'a> {
    folder: Folder,
    catalog: &'a Catalog,
    keep_partial: bool,
    apply: ApplyOptions,
    report: RestoreReport,
    /// Names under which a file appeared.
    restored: HashSet<Vec<u8>>,
}

impl Restoring<'_> {
    /// Checks that nothing is in the way, makes folders and temporary files. Gives the path of each stream; `None` where its
    /// name is none.
    fn prepare(&mut self, plan: &Plan, mut files: Files) -> Result<(Vec<Option<PathBuf>>, Files)> {
        let mut paths = Vec::with_capacity(plan.streams.len());
        for stream in &plan.streams {
            let path = self.folder.path_of(&stream.head.name).ok();
            if let Some(path) = &path {
                self.folder.check_free(path, stream.head.kind)?;
            }
            paths.push(path);
        }
        for (target, (stream, path)) in plan.streams.iter().zip(&paths).enumerate() {
            let Some(path) = path else { continue };
            match stream.head.kind {
                NodeKind::Directory => self.folder.make_folder(path)?,
                kind if has_bytes(kind) => {
                    let path = path.clone();
                    files.make(&self.folder, target as u32, path, stream.length, &stream.data)?;
                }
                _ => self.folder.make_parents(path)?,
            }
        }
        Ok((paths, files))
    }

    /// Gives what is complete its name: files, then links, then the attributes of folders from the inside out.
    fn finish(
        &mut self,
        plan: &Plan,
        paths: &[Option<PathBuf>],
        mut files: Files,
        mut passed: PassReport,
        chosen: &Chosen,
    ) -> Result<()> {
        self.report.stored_bytes = passed.stored_bytes;
        self.report.reasons = std::mem::take(&mut passed.reasons);
        for (target, (stream, path)) in plan.streams.iter().zip(paths).enumerate() {
            let lost = passed.lost.remove(&(target as u32)).unwrap_or_default();
            let damaged = self.damage_of(stream, lost, path.is_none());
            let Some(path) = path else {
                self.report.damaged.extend(damaged);
                continue;
            };
            if has_bytes(stream.head.kind) {
                self.finish_file(stream, target as u32, path, &mut files, damaged)?;
            } else if let Some(damaged) = damaged {
                self.report.damaged.push(damaged);
            }
        }
        for (target, (stream, path)) in plan.streams.iter().zip(paths).enumerate() {
            let Some(path) = path else { continue };
            match stream.head.kind {
                NodeKind::Symlink => self.make_symlink(stream, target as u32, path)?,
                NodeKind::HardLink => self.make_hard_link(stream, target as u32, path, chosen)?,
                _ => {}
            }
        }
        for (stream, path) in plan.streams.iter().zip(paths).rev() {
            if let (NodeKind::Directory, Some(path)) = (stream.head.kind, path) {
                self.set_attributes(stream, path);
                self.report.streams += 1;
            }
        }
        self.folder.sync_folders()
    }

    /// Why a stream cannot appear under its name, if it cannot.
    fn damage_of(
        &self,
        stream: &StreamPlan,
        found: Vec<Range<u64>>,
        nameless: bool,
    ) -> Option<DamagedStream> {
        let mut lost = stream.lost.clone();
        for range in found {
            lose(&mut lost, range);
        }
        let ended = stream.end.is_some();
        let mut unfinished = false;
        let why = if nameless {
            "its name cannot be a name here".to_owned()
        } else if !lost.is_empty() {
            format!("{} bytes are lost", lost.iter().map(|r| r.end - r.start).sum::<u64>())
        } else if stream.root_differs {
            "its chunks, put together as its recipe says, do not come to its root".to_owned()
        } else if !ended {
            unfinished = !self.catalog.info.status.is_complete();
            let expected = stream.head.source_length.unwrap_or(stream.length);
            lose(&mut lost, stream.length..expected);
            "its end is not on the medium".to_owned()
        } else {
            return None;
        };
        Some(DamagedStream { stream: stream.head.name.clone(), lost, why, unfinished, partial: None })
    }

    fn finish_file(
        &mut self,
        stream: &StreamPlan,
        target: u32,
        path: &Path,
        files: &mut Files,
        damaged: Option<DamagedStream>,
    ) -> Result<()> {
        let Some(mut damaged) = damaged else {
            let Some(file) = files.take(target) else { return Ok(()) };
            self.set_attributes(stream, &file.temporary);
            self.folder.name(&file.temporary, &file.path)?;
            self.restored.insert(stream.head.name.clone());
            self.report.streams += 1;
            self.report.bytes += stream.length;
            return Ok(());
        };
        if self.keep_partial && !stream.root_differs {
            let mut partial = path.as_os_str().to_owned();
            partial.push(".reel-partial");
            let partial = PathBuf::from(partial);
            if let Some(file) = files.take(target) {
                std::fs::rename(&file.temporary, &partial).map_err(|e| {
                    Error::io(partial.display().to_string(), "cannot give the incomplete file its name", e)
                })?;
                damaged.partial = Some(partial);
            }
        }
        self.report.damaged.push(damaged);
        Ok(())
    }

    fn set_attributes(&mut self, stream: &StreamPlan, path: &Path) {
        let head = &stream.head;
        let attributes = Attributes {
            kind: head.kind,
            mode: head.mode,
            uid: head.uid,
            gid: head.gid,
            owner: head.owner.clone(),
            group: head.group.clone(),
            mtime: head.mtime,
            link_target: head.link.clone(),
            xattrs: head.xattrs.clone(),
            size: stream.length,
        };
        for issue in attributes.apply(path, &self.apply) {
            let name = String::from_utf8_lossy(&head.name);
            self.report.issues.push(format!("{name}: {} was not restored: {}", issue.attribute, issue.why));
        }
    }

    fn make_symlink(&mut self, stream: &StreamPlan, target: u32, path: &Path) -> Result<()> {
        use std::os::unix::ffi::OsStrExt;
        let text = std::ffi::OsStr::from_bytes(stream.head.link.as_deref().unwrap_or_default());
        let temporary = self.folder.temporary(path, target);
        std::os::unix::fs::symlink(text, &temporary)
            .map_err(|e| Error::io(path.display().to_string(), "cannot make the symbolic link", e))?;
        self.set_attributes(stream, &temporary);
        self.folder.name(&temporary, path)?;
        self.report.streams += 1;
        Ok(())
    }

    fn make_hard_link(
        &mut self,
        stream: &StreamPlan,
        target: u32,
        path: &Path,
        chosen: &Chosen,
    ) -> Result<()> {
        let first = stream.head.link.as_deref().unwrap_or_default();
        let first = chosen.restored_as(first);
        if !self.restored.contains(first) {
            let why =
                format!("the file that it shares, {}, was not restored", String::from_utf8_lossy(first));
            let name = stream.head.name.clone();
            self.report.damaged.push(DamagedStream {
                stream: name,
                lost: Vec::new(),
                why,
                unfinished: !self.catalog.info.status.is_complete(),
                partial: None,
            });
            return Ok(());
        }
        let temporary = self.folder.temporary(path, target);
        std::fs::hard_link(self.folder.path_of(first)?, &temporary)
            .map_err(|e| Error::io(path.display().to_string(), "cannot make the hard link", e))?;
        self.folder.name(&temporary, path)?;
        self.report.streams += 1;
        Ok(())
    }
}

/// Writes the bytes of one stream, in order, to `output`.
///
/// # Errors
/// As [`restore`]; and at the first lost byte, which ends the output: the error names the range.
pub fn restore_stream(
    pool: &Arc<Pool>,
    stream: &[u8],
    output: &mut (dyn Write + Send),
    options: &RestoreOptions,
    monitor: &Monitor,
) -> Result<RestoreReport> {
    let catalog = pool.choose(&options.set)?;
    let mut wanted = stream.to_vec();
    let mut plan = Plan::new(pool, catalog, options.memory, |head| head.name == wanted)?;
    if let Some(link) = plan.streams.first().filter(|s| s.head.kind == NodeKind::HardLink) {
        wanted = link.head.link.clone().unwrap_or_default();
        plan = Plan::new(pool, catalog, options.memory, |head| head.name == wanted)?;
    }
    let name = || String::from_utf8_lossy(stream).into_owned();
    let Some(found) = plan.streams.first().filter(|s| has_bytes(s.head.kind)) else {
        let sentence = format!(
            "set {} has no stream of this name with bytes; its streams are listed by `reel list --set {0}`",
            catalog.set()
        );
        return Err(Error::new(Class::Argument, name(), sentence));
    };
    if found.root_differs {
        let sentence =
            "its chunks, put together as its recipe says, do not come to its root: nothing was put out";
        return Err(Error::new(Class::Checksum, name(), sentence));
    }
    let zeros = zeros_of(catalog, found.stream)?;
    let needed = spool::most_waiting(&plan.extents, &zeros);
    let allowed = options.spool.unwrap_or(found.length);
    if needed > allowed {
        let sentence = format!(
            "{needed} bytes come earlier on the medium than their turn, but the spool may hold {allowed}: raise --spool"
        );
        return Err(Error::new(Class::Limit, name(), sentence));
    }
    monitor.counters().total.store(found.length, Ordering::Relaxed);
    let ordered = spool::Ordered::new(output, zeros, options.spool_folder.as_deref())?;
    // One worker: the order of the medium is kept, so the spool holds no more than was said.
    let passed = pass::run(pool, &plan, &ordered, 1, options.memory, monitor)?;
    let put_out = ordered.finish()?;
    if put_out < found.length || found.end.is_none() {
        let mut lost = found.lost.clone();
        for range in passed.lost.get(&0).into_iter().flatten() {
            lose(&mut lost, range.clone());
        }
        let range = lost.first().cloned().unwrap_or(put_out..found.length);
        let why = passed.reasons.first().map_or("", String::as_str);
        let sentence = format!(
            "bytes {} to {} are lost, the output stopped after {put_out} bytes: {why}",
            range.start, range.end
        );
        return Err(Error::new(Class::Medium, name(), sentence.trim_end_matches([':', ' '])).at(put_out));
    }
    Ok(RestoreReport {
        set: catalog.set(),
        set_complete: catalog.info.status.is_complete(),
        streams: 1,
        bytes: put_out,
        stored_bytes: passed.stored_bytes,
        ..RestoreReport::default()
    })
}

/// The ranges of a stream that are zeros or holes.
fn zeros_of(catalog: &Arc<Catalog>, stream: u32) -> Result<Vec<Range<u64>>> {
    let mut zeros = Vec::new();
    for fragment in catalog.fragments(stream) {
        let fragment = fragment?;
        if fragment.stream != stream {
            break;
        }
        let mut at = fragment.offset;
        for run in &fragment.runs {
            if matches!(run, Run::Zero(_) | Run::Hole(_)) {
                lose(&mut zeros, at..at + run.len());
            }
            at += run.len();
        }
    }
    Ok(zeros)
}

/// Names under which streams are restored although others were asked for.
type Aliases = HashMap<Vec<u8>, Vec<u8>>;
