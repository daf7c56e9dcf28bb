//! A pool: its volumes, its backup sets and their catalogs.
//!
//! Opening a pool needs its volumes and nothing else. The catalogs of its sets come from the local cache where that fits
//! the volumes, from the catalog on the volume otherwise, and where that is damaged from segments, fragments and frames.

pub mod catalog;
mod fragments;
pub(crate) mod mmap;
mod origin;
mod recover;
pub mod shelf;
mod walks;

use crate::error::{Class, Error, Result};
use crate::io::Io;
pub use catalog::{Catalog, SetInfo, SetStatus};
use origin::Origin;
use reel_tape::layout::block::BlockHeader;
use reel_tape::layout::label::{Label, PoolParams};
use reel_tape::medium::Medium;
use reel_tape::volume::scan::{Event, Walk};
use reel_tape::volume::{self, FileSpan, reader};
pub use shelf::{Access, MemoryShelf, Shelf};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;
use walks::Walks;

/// One volume of a pool.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Its name on the shelf.
    pub name: String,
    /// Its label.
    pub label: Label,
    /// Its files, the labels' first.
    pub files: Vec<FileSpan>,
    /// The label block is damaged: what is known of the volume comes from its other blocks, and nothing is appended.
    pub label_damaged: bool,
}

/// A pool, open for reading.
pub struct Pool {
    shelf: Arc<dyn Shelf>,
    /// Its uuid.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// Its volumes, by their place in the pool.
    pub volumes: Vec<Volume>,
    /// Damage that was met while the volumes were read; all of it after a scan.
    pub damage: Vec<VolumeDamage>,
    sets: BTreeMap<u32, Arc<Catalog>>,
    cache: Option<PathBuf>,
    walks: Walks,
    /// Media that nobody uses, by volume: to open one again costs a walk over its blocks.
    idle: Mutex<Vec<(String, Box<dyn Medium>)>>,
}

/// Most media that are kept open while nobody uses them.
const IDLE: usize = 8;

/// The folder under which the catalogs of pools are cached: `$REEL_CACHE`, else the user's cache folder.
pub fn default_cache() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = from("REEL_CACHE")
        .or_else(|| from("XDG_CACHE_HOME"))
        .or_else(|| Some(from("HOME")?.join(".cache")))?;
    Some(base.join("reelmover"))
}

/// A place on a volume where something is wrong.
#[derive(Debug, Clone)]
pub struct VolumeDamage {
    /// The volume, by the shelf's name.
    pub volume: String,
    /// First object (block or filemark number of the medium).
    pub first: u64,
    /// First object behind; equal to `first` where only the container's own words are damaged.
    pub end: u64,
    /// Byte offset in the image, where there is one.
    pub byte: Option<u64>,
    /// What was found and what was expected.
    pub what: String,
}

/// How catalogs are come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Catalogs {
    /// From the cache, else from the volumes.
    Cached,
    /// From segments, fragments and frames alone, as a scan does it; the cache is written anew.
    Scanned,
}

impl Pool {
    /// Opens the pool at a path: a folder of images, or one image.
    pub fn open(path: &Path) -> Result<Pool> {
        Self::open_read_by(path, Io::Auto)
    }

    /// The same, whose images are read in a way that was asked for.
    ///
    /// # Errors
    /// With [`Io::Uring`] where the kernel does not give io_uring.
    pub fn open_read_by(path: &Path, io: Io) -> Result<Pool> {
        io.check()?;
        Self::open_shelf(shelf::shelf_read_by(path, io)?, default_cache().as_deref(), Catalogs::Cached)
    }

    /// Opens the pool on a shelf; `cache` is the folder under which catalogs are kept.
    ///
    /// # Errors
    /// When there is no volume, when volumes of several pools stand there, when a volume cannot be read at all.
    pub fn open_shelf(shelf: Arc<dyn Shelf>, cache: Option<&Path>, catalogs: Catalogs) -> Result<Pool> {
        match Self::open_if_any(shelf.clone(), cache, catalogs)? {
            Some(pool) => Ok(pool),
            None => Err(Error::new(
                Class::Argument,
                shelf.name(),
                "no pool is here: no volume image was found; the first backup makes one",
            )),
        }
    }

    /// As [`open_shelf`](Self::open_shelf); `None` where there is no volume yet.
    pub fn open_if_any(
        shelf: Arc<dyn Shelf>,
        cache: Option<&Path>,
        catalogs: Catalogs,
    ) -> Result<Option<Pool>> {
        let (mut volumes, mut idle) = (Vec::new(), Vec::new());
        // Whoever scans a pool wants to know all damage.
        let known = cache.filter(|_| catalogs == Catalogs::Cached);
        let walks = |pool: Uuid| Walks::of(known.map(|base| base.join(pool.to_string())));
        for name in shelf.volumes()? {
            let (volume, medium) = open_volume(&*shelf, name, &walks)?;
            if idle.len() < IDLE {
                idle.push((volume.name.clone(), medium));
            }
            volumes.push(volume);
        }
        volumes.sort_by_key(|v: &Volume| v.label.sequence);
        let Some(first) = volumes.first() else { return Ok(None) };
        let (uuid, name) = (first.label.pool, first.label.pool_name.clone());
        if let Some(other) = volumes.iter().find(|v| v.label.pool != uuid) {
            let sentence = format!(
                "volumes of several pools: {} belongs to pool {}, {} to pool {uuid}; keep each pool in a folder of its own",
                other.name, other.label.pool, first.name
            );
            return Err(Error::new(Class::State, shelf.name(), sentence));
        }
        let cache = cache.map(|base| base.join(uuid.to_string()));
        let (damage, sets, idle) = (Vec::new(), BTreeMap::new(), Mutex::new(idle));
        let mut pool = Pool { shelf, uuid, name, volumes, damage, sets, cache, walks: walks(uuid), idle };
        pool.load_sets(catalogs)?;
        Ok(Some(pool))
    }

    fn load_sets(&mut self, catalogs: Catalogs) -> Result<()> {
        let mut damage = Vec::new();
        for volume in &self.volumes {
            let mut medium = self.open_medium(volume)?;
            for file in volume.files.iter().filter(|span| !span.is_empty()) {
                for (span, header) in sets_in(&mut *medium, file, &volume.label)? {
                    if header.copy != 0 {
                        continue;
                    }
                    let cached = match (catalogs, &self.cache) {
                        (Catalogs::Cached, Some(folder)) => Catalog::open(folder, header.set),
                        _ => None,
                    };
                    let catalog = match cached.filter(|c| fits(&c.info, volume, &span, &header, &mut *medium))
                    {
                        Some(catalog) => catalog.with_origin(Origin {
                            shelf: self.shelf.clone(),
                            volume: volume.name.clone(),
                            span,
                            header,
                            cache: self.cache.clone(),
                        }),
                        None => {
                            let cache = self.cache.as_deref();
                            let from = recover::From { volume: &volume.name, span: &span, header, cache };
                            recover::catalog(&mut *medium, &from, catalogs == Catalogs::Scanned, &mut damage)?
                        }
                    };
                    self.sets.insert(catalog.set(), Arc::new(catalog));
                }
            }
            if catalogs == Catalogs::Scanned {
                damage.extend(self.passed_over(&*medium, volume));
                let labels = volume.files.first().map_or(0, |f| f.end);
                recover::note_damage(&mut *medium, &volume.name, 0..labels, &mut damage)?;
            }
            self.keep(&volume.name, medium)?;
        }
        damage.sort_by(|a, b| (&a.volume, a.first, a.end).cmp(&(&b.volume, b.first, b.end)));
        self.damage = damage;
        Ok(())
    }

    /// What opening a medium passed over in its container. The end of a torn file is no damage: what a run wrote last was
    /// never acknowledged, and the next one cuts it off.
    pub(crate) fn passed_over(&self, medium: &dyn Medium, volume: &Volume) -> Vec<VolumeDamage> {
        let end = volume.files.last().map_or(0, |f| f.end);
        let last = self.sets().rfind(|c| c.info.volume == volume.name);
        let torn = last.is_some_and(|c| c.info.status == SetStatus::Torn && c.info.end_object == end);
        let damage = medium.damage().iter().filter(|d| !torn || d.object_from < end);
        damage
            .map(|d| VolumeDamage {
                volume: volume.name.clone(),
                first: d.object_from,
                end: d.object_to,
                byte: Some(d.byte_from),
                what: format!(
                    "the image's record words fail from byte {} to byte {}",
                    d.byte_from, d.byte_to
                ),
            })
            .collect()
    }

    /// The shelf.
    pub fn shelf(&self) -> &Arc<dyn Shelf> {
        &self.shelf
    }

    /// The folder in which the catalogs of this pool are cached.
    pub fn cache(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    /// The sets, by number.
    pub fn sets(&self) -> impl DoubleEndedIterator<Item = &Arc<Catalog>> {
        self.sets.values()
    }

    /// A set by its number.
    pub fn set(&self, number: u32) -> Option<&Arc<Catalog>> {
        self.sets.get(&number)
    }

    /// The number that the next set gets.
    pub fn next_set(&self) -> u32 {
        self.sets.last_key_value().map_or(1, |(set, _)| set.saturating_add(1))
    }

    /// The set that a user means: `latest`, a number, or a name (the newest complete set of that name).
    pub fn choose(&self, wanted: &str) -> Result<&Arc<Catalog>> {
        let complete = || self.sets.values().rev().filter(|c| c.info.status.is_complete());
        let found = match wanted {
            "latest" => complete().next(),
            _ => match wanted.parse() {
                Ok(number) => self.set(number),
                Err(_) => complete().find(|c| c.info.head.name == wanted),
            },
        };
        found.ok_or_else(|| {
            let sentence = if self.sets.is_empty() {
                "the pool holds no backup set yet".to_owned()
            } else if wanted == "latest" {
                "the pool holds no complete backup set; an incomplete one is restored by its number"
                    .to_owned()
            } else {
                format!("no backup set \"{wanted}\"; the sets are listed by `reel list`")
            };
            Error::new(Class::Argument, self.shelf.name(), sentence)
        })
    }

    /// The volume on which a set stands.
    pub fn volume_of(&self, catalog: &Catalog) -> Option<&Volume> {
        self.volumes.iter().find(|v| v.name == catalog.info.volume)
    }

    /// Opens a volume for reading, at its end. Damage in its container is passed over; where an earlier walk over it is
    /// known it shows when it is read.
    pub fn open_medium(&self, volume: &Volume) -> Result<Box<dyn Medium>> {
        let mut idle = self.idle();
        if let Some(at) = idle.iter().position(|(name, _)| *name == volume.name) {
            return Ok(idle.swap_remove(at).1);
        }
        drop(idle);
        let mut medium = self.shelf.open(&volume.name, Access::Read)?;
        self.walks.recall(volume.label.volume, &mut *medium)?;
        volume::files(&mut *medium)?;
        Ok(medium)
    }

    /// The same, with a walk over all of it: all damage in its container is known.
    pub(crate) fn walk_medium(&self, volume: &Volume) -> Result<Box<dyn Medium>> {
        let mut medium = self.shelf.open(&volume.name, Access::Read)?;
        volume::files(&mut *medium)?;
        Ok(medium)
    }

    /// Opens a volume for appending: behind its last file, a torn tail cut off, the torn file closed.
    pub(crate) fn append_medium(&self, volume: &Volume, io: Io) -> Result<Box<dyn Medium>> {
        let known = self.walks.load(volume.label.volume);
        self.shelf.open(&volume.name, Access::Append(io, known))
    }

    /// Tells the next who opens a volume where its objects stand.
    pub(crate) fn keep_walk(&self, volume: &Volume, medium: &dyn Medium) {
        self.walks.keep(volume.label.volume, medium);
    }

    /// Takes back a medium of a volume, for whoever opens that next.
    fn keep(&self, volume: &str, mut medium: Box<dyn Medium>) -> Result<()> {
        medium.locate_end()?;
        let mut idle = self.idle();
        if idle.len() < IDLE {
            idle.push((volume.to_owned(), medium));
        }
        Ok(())
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(String, Box<dyn Medium>)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does a cached catalog belong to what stands on the volume? Pools that were made from one seed have the same uuids, so a
/// set that has a trailer is known by that.
fn fits(
    info: &SetInfo,
    volume: &Volume,
    span: &FileSpan,
    header: &BlockHeader,
    medium: &mut dyn Medium,
) -> bool {
    info.volume == volume.name
        && info.head.session == header.session
        && info.header_object == header.header_object()
        && info.end_object == span.end
        && info.trailer == recover::read_trailer(medium, span).map(|(_, trailer)| trailer)
}

/// A volume, and its medium at the end. `walks` gives those that are known of a pool.
fn open_volume(
    shelf: &dyn Shelf,
    name: String,
    walks: &dyn Fn(Uuid) -> Walks,
) -> Result<(Volume, Box<dyn Medium>)> {
    let mut medium = shelf.open(&name, Access::Read)?;
    if let Ok(label) = reader::read_label(&mut *medium) {
        walks(label.pool).recall(label.volume, &mut *medium)?;
    }
    let files = volume::files(&mut *medium)?;
    let (label, label_damaged) = match reader::read_label(&mut *medium) {
        Ok(label) => (label, false),
        Err(error) => (label_from_blocks(&mut *medium)?.ok_or(error)?, true),
    };
    medium.locate_end()?;
    if !label_damaged {
        walks(label.pool).keep(label.volume, &*medium);
    }
    Ok((Volume { name, label, files, label_damaged }, medium))
}

/// What the other blocks tell of a volume whose label block is damaged.
fn label_from_blocks(medium: &mut dyn Medium) -> Result<Option<Label>> {
    let mut walk = Walk::new(medium, 0, None)?;
    while let Some(event) = walk.step()? {
        if let Event::Block(header) = event {
            return Ok(Some(Label {
                pool: header.pool,
                volume: header.volume,
                created: 0,
                sequence: 1,
                block_size: reel_tape::layout::block::DEFAULT_BLOCK_SIZE,
                params: PoolParams::DRAFT,
                pool_name: String::new(),
                barcode: String::new(),
            }));
        }
    }
    Ok(None)
}

/// The sets in a file of a volume, each with the header of its first good block: one, unless the filemark between two is
/// lost.
fn sets_in(medium: &mut dyn Medium, file: &FileSpan, label: &Label) -> Result<Vec<(FileSpan, BlockHeader)>> {
    let is_ours = |h: &BlockHeader| (h.pool, h.volume) == (label.pool, label.volume) && h.set != 0;
    let run = |h: &BlockHeader| (h.set, h.session);
    let last = reader::read_block(medium, file.end - 1, &mut Vec::new()).ok().filter(is_ours);
    let mut sets: Vec<(FileSpan, BlockHeader)> = Vec::new();
    let mut walk = Walk::new(medium, file.first, Some(file.end))?;
    while let Some(event) = walk.step()? {
        let Event::Block(header) = event else { continue };
        // A stale block of an earlier set begins nothing.
        if !is_ours(&header)
            || sets.last().is_some_and(|(_, h)| run(h) == run(&header) || header.set <= h.set)
        {
            continue;
        }
        if let Some((before, _)) = sets.last_mut() {
            before.end = header.header_object().clamp(before.first, header.object);
        }
        let first = if sets.is_empty() { file.first } else { header.header_object() };
        sets.push((FileSpan { first, ..*file }, header));
        if last.is_none_or(|last| run(&last) == run(&header)) {
            break;
        }
    }
    Ok(sets)
}
