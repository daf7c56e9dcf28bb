//! A medium in memory that keeps the rules of sequential access exactly and can be told to fail (ssc.md 9).

use std::fmt;

use super::{Medium, Probe, Read, block_length};
use crate::error::{Error, Result};

/// Something that goes wrong with a [`MemoryMedium`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The object cannot be read.
    Unreadable {
        /// Its number.
        object: u64,
    },
    /// Bits of one byte are inverted, silently. The byte is taken modulo the length of the block.
    Flipped {
        /// The block.
        object: u64,
        /// Which byte of it.
        byte: u64,
        /// Which bits.
        mask: u8,
    },
    /// The block keeps only its first bytes (at least 1).
    Shortened {
        /// The block.
        object: u64,
        /// Bytes kept.
        length: u64,
    },
    /// The object is gone and all behind it move up: a vanished filemark or block.
    Vanished {
        /// Its number.
        object: u64,
    },
    /// The object stands there twice: a repositioning fault.
    Duplicated {
        /// Its number.
        object: u64,
    },
    /// The end of data moved back.
    LostTail {
        /// First object that is gone.
        object: u64,
    },
    /// Power fails: of what was written since the last flush only some objects are left.
    PowerLoss {
        /// How many are left.
        kept: u64,
        /// Whether the last one left is unreadable.
        torn: bool,
    },
    /// The drive loses its buffer: writing goes on with success for a while, then the fault surfaces, at the latest at the
    /// next flush, and everything since the last flush is lost.
    BufferLost {
        /// Objects that are still taken with success.
        after: u64,
    },
    /// No block fits that would bring the data on the medium above this; filemarks still do.
    NoSpace {
        /// Bytes of data.
        bytes: u64,
    },
}

#[derive(Clone)]
enum Object {
    Block(Vec<u8>),
    Filemark,
    Unreadable,
}

/// A medium in memory. Append-only unless told otherwise, like the media of production.
pub struct MemoryMedium {
    name: String,
    objects: Vec<Object>,
    position: usize,
    /// Objects that a power loss leaves alone.
    durable: usize,
    append_only: bool,
    read_only: bool,
    capacity: Option<u64>,
    /// Objects that are still taken before a lost buffer surfaces.
    buffer_lost: Option<u64>,
}

impl fmt::Debug for MemoryMedium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryMedium")
            .field("name", &self.name)
            .field("objects", &self.objects.len())
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl MemoryMedium {
    /// A blank medium.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            objects: Vec::new(),
            position: 0,
            durable: 0,
            append_only: true,
            read_only: false,
            capacity: None,
            buffer_lost: None,
        }
    }

    /// Whether writing anywhere but at the end of data is refused (ssc.md 6).
    pub fn append_only(mut self, yes: bool) -> Self {
        self.append_only = yes;
        self
    }

    /// Moves the write-protect tab.
    pub fn set_read_only(&mut self, yes: bool) {
        self.read_only = yes;
    }

    /// Makes a fault happen: to what stands on the medium at once, to the drive from now on. The position stays, or
    /// moves back to the end of data. An object that is not there, or is no block where one is needed: [`Error::Argument`].
    pub fn inject(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Unreadable { object } => *self.object_mut(object)? = Object::Unreadable,
            Fault::Flipped { object, byte, mask } => {
                let block = self.block_mut(object)?;
                let length = block.len() as u64;
                let byte = byte.checked_rem(length).unwrap_or(0) as usize;
                if let Some(byte) = block.get_mut(byte) {
                    *byte ^= mask;
                }
            }
            Fault::Shortened { object, length } => {
                let length = usize::try_from(length.max(1)).unwrap_or(usize::MAX);
                self.block_mut(object)?.truncate(length);
            }
            Fault::Vanished { object } => {
                let object = self.known(object)?;
                self.objects.remove(object);
            }
            Fault::Duplicated { object } => {
                let object = self.known(object)?;
                self.objects.insert(object, self.objects[object].clone());
            }
            Fault::LostTail { object } => {
                let object = self.known(object)?;
                self.objects.truncate(object);
            }
            Fault::PowerLoss { kept, torn } => {
                let kept = usize::try_from(kept).unwrap_or(usize::MAX);
                self.objects.truncate(self.durable.saturating_add(kept));
                let some_kept = self.objects.len() > self.durable;
                if let (true, true, Some(last)) = (torn, some_kept, self.objects.last_mut()) {
                    *last = Object::Unreadable;
                }
                self.durable = self.objects.len();
            }
            Fault::BufferLost { after } => self.buffer_lost = Some(after),
            Fault::NoSpace { bytes } => self.capacity = Some(bytes),
        }
        self.durable = self.durable.min(self.objects.len());
        self.position = self.position.min(self.objects.len());
        Ok(())
    }

    fn known(&self, object: u64) -> Result<usize> {
        usize::try_from(object).ok().filter(|&object| object < self.objects.len()).ok_or_else(|| {
            Error::Argument {
                what: format!(
                    "{}: a fault for object {object}, data end at {}",
                    self.name,
                    self.objects.len()
                ),
            }
        })
    }

    fn object_mut(&mut self, object: u64) -> Result<&mut Object> {
        let object = self.known(object)?;
        Ok(&mut self.objects[object])
    }

    fn block_mut(&mut self, object: u64) -> Result<&mut Vec<u8>> {
        let name = self.name.clone();
        match self.object_mut(object)? {
            Object::Block(block) => Ok(block),
            _ => Err(Error::Argument {
                what: format!("{name}: a fault for object {object}, which is no block"),
            }),
        }
    }

    fn used(&self) -> u64 {
        let length = |object: &Object| if let Object::Block(block) = object { block.len() as u64 } else { 0 };
        self.objects[..self.position].iter().map(length).sum()
    }

    fn state(&self, what: impl Into<String>) -> Error {
        Error::State { medium: self.name.clone(), what: what.into() }
    }

    /// The drive gives up its buffer: everything since the last flush is gone.
    fn lose_buffer(&mut self) -> Error {
        self.buffer_lost = None;
        self.objects.truncate(self.durable);
        self.position = self.objects.len();
        Error::Io {
            medium: self.name.clone(),
            what: format!("write error, everything from object {} on is lost", self.position),
            source: std::io::Error::other("buffer of the drive lost"),
        }
    }

    fn put(&mut self, object: Object) -> Result<()> {
        if self.read_only {
            return Err(self.state("write-protected"));
        }
        if self.append_only && self.position != self.objects.len() {
            return Err(self.state(format!(
                "append-only: a write at object {}, data end at object {}",
                self.position,
                self.objects.len()
            )));
        }
        match &mut self.buffer_lost {
            Some(0) => return Err(self.lose_buffer()),
            Some(left) => *left -= 1,
            None => {}
        }
        if let (Object::Block(block), Some(capacity)) = (&object, self.capacity)
            && self.used() + block.len() as u64 > capacity
        {
            return Err(Error::NoSpace {
                medium: self.name.clone(),
                object: self.position as u64,
                what: format!("{} bytes more pass the capacity of {capacity} bytes", block.len()),
            });
        }
        self.objects.truncate(self.position);
        self.durable = self.durable.min(self.position);
        self.objects.push(object);
        self.position = self.objects.len();
        Ok(())
    }
}

impl Medium for MemoryMedium {
    fn name(&self) -> &str {
        &self.name
    }

    fn position(&self) -> u64 {
        self.position as u64
    }

    fn locate(&mut self, object: u64) -> Result<()> {
        let end = self.objects.len();
        match usize::try_from(object) {
            Ok(object) if object <= end => {
                self.position = object;
                Ok(())
            }
            _ => {
                self.position = end;
                Err(Error::BeyondEnd { medium: self.name.clone(), object, end: end as u64 })
            }
        }
    }

    fn locate_end(&mut self) -> Result<u64> {
        self.position = self.objects.len();
        Ok(self.position as u64)
    }

    fn read(&mut self, buf: &mut Vec<u8>) -> Result<Read> {
        buf.clear();
        let Some(object) = self.objects.get(self.position) else { return Ok(Read::EndOfData) };
        self.position += 1;
        match object {
            Object::Block(block) => {
                buf.extend_from_slice(block);
                Ok(Read::Block(block.len()))
            }
            Object::Filemark => Ok(Read::Filemark),
            Object::Unreadable => Err(Error::Medium {
                medium: self.name.clone(),
                object: self.position as u64 - 1,
                what: "fault injected".into(),
            }),
        }
    }

    fn skip_damage(&mut self, _probe: Probe) -> Result<Option<u64>> {
        Ok((self.position < self.objects.len()).then_some(self.position as u64))
    }

    fn write(&mut self, block: &[&[u8]]) -> Result<()> {
        block_length(block)?;
        self.put(Object::Block(block.concat()))
    }

    fn write_filemark(&mut self) -> Result<()> {
        self.put(Object::Filemark)
    }

    fn flush(&mut self) -> Result<()> {
        if self.buffer_lost.is_some() {
            return Err(self.lose_buffer());
        }
        self.durable = self.objects.len();
        Ok(())
    }

    fn space_filemarks(&mut self, n: i64) -> Result<()> {
        let mut missing = n.unsigned_abs();
        while missing > 0 {
            let forward = n > 0;
            let next = if forward { Some(self.position) } else { self.position.checked_sub(1) };
            let Some((next, object)) = next.and_then(|next| Some((next, self.objects.get(next)?))) else {
                return Err(Error::MarksMissing {
                    medium: self.name.clone(),
                    object: self.position(),
                    missing,
                });
            };
            if matches!(object, Object::Filemark) {
                missing -= 1;
            }
            self.position = if forward { next + 1 } else { next };
        }
        Ok(())
    }

    fn filemarks(&mut self) -> Result<Vec<u64>> {
        let marks = self.objects.iter().enumerate().filter(|(_, object)| matches!(object, Object::Filemark));
        Ok(marks.map(|(object, _)| object as u64).collect())
    }

    fn read_only(&self) -> bool {
        self.read_only
    }
}
