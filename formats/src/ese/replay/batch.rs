//! Steps that wait to be made: planned in the order of the records, made together, pages in the order of their numbers.

use super::Replay;
use super::database::Rebuilt;
use super::redo::Done;
use super::step::{PageSet, Part, Step, What};
use super::window::Window;
use crate::error::Result;
use crate::ese::log::record::RecordType;
use crate::ese::position::LgPos;
use std::collections::{BTreeSet, HashMap};

/// Steps after which a batch is made; one macro may go beyond.
const MAX_STEPS: usize = 16 << 10;
/// Bytes of records after which a batch is made; one macro may go beyond.
const MAX_BYTES: usize = 4 << 20;

/// Steps in the order in which records ask for them.
pub(super) struct Batch {
    /// The records, one after the other.
    bytes: Vec<u8>,
    steps: Vec<Step>,
    /// Sessions that may have versions which wait for steps.
    pub waiting: BTreeSet<u16>,
    /// The record that is being read.
    pub position: LgPos,
    pub kind: RecordType,
    window: Window,
}

impl Batch {
    pub fn new() -> Self {
        Self {
            bytes: Vec::new(),
            steps: Vec::new(),
            waiting: BTreeSet::new(),
            position: LgPos::default(),
            kind: RecordType::NOP,
            window: Window::default(),
        }
    }

    /// Keeps the bytes of a record for steps.
    pub fn part(&mut self, bytes: &[u8]) -> Part {
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        Part { at, len: bytes.len() as u32 }
    }

    /// Adds a step for the record that is being read; answers its number.
    pub fn push(&mut self, database: usize, what: What, pages: PageSet) -> u32 {
        let (position, kind) = (self.position, self.kind);
        self.steps.push(Step { database, position, kind, what, pages, keeps_before: false });
        self.steps.len() as u32 - 1
    }

    pub fn is_full(&self) -> bool {
        self.steps.len() >= MAX_STEPS || self.bytes.len() >= MAX_BYTES
    }

    /// Makes all steps, on `threads` threads. What lines were that had to be known is in `done`, by the number of the step.
    /// The error is that of the first step that has one.
    fn make(
        &mut self,
        databases: &mut [Rebuilt],
        threads: usize,
        done: &mut HashMap<u32, Done>,
    ) -> Result<()> {
        let Self { bytes, steps, window, .. } = self;
        let mut from = 0;
        while from < steps.len() {
            from = window.fill(steps, from, databases);
            window.make(steps, bytes, databases, threads, done)?;
        }
        Ok(())
    }
}

impl Replay<'_> {
    /// Makes the steps that wait. Errors say of which record they are.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.batch.steps.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.batch.waiting);
        let sessions = waiting.iter().filter_map(|procid| self.sessions.get(procid));
        for step in sessions.flat_map(|session| session.versions.awaited()) {
            if let Some(step) = self.batch.steps.get_mut(step as usize) {
                step.keeps_before = true;
            }
        }
        let mut done = HashMap::new();
        let made = self.batch.make(&mut self.databases, self.options.threads, &mut done);
        self.batch.steps.clear();
        self.batch.bytes.clear();
        made?;
        for procid in &waiting {
            let Some(session) = self.sessions.get_mut(procid) else { continue };
            let earlier = self.earlier.get(procid).unwrap_or(&self.none);
            session.versions.complete(|step| done.remove(&step).unwrap_or_default(), earlier);
        }
        Ok(())
    }
}
