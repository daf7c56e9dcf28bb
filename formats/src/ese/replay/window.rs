//! Steps whose pages can all be held at once, made by several threads. Steps of one page keep their order, and that is all
//! the order there is: whatever the threads, each step finds its pages as the steps before it left them.
//!
//! Each page has a queue of its steps. A thread follows the queue of one page; a step of several pages is made by whoever
//! comes to it last, and from there on the queues of its pages are followed again. The first step that is not made yet
//! never waits for another, so there is always one to go on with.

use super::database::Rebuilt;
use super::pages::PgnoHasher;
use super::redo::Done;
use super::site::Site;
use super::step::{PageSet, Step};
use crate::error::{Error, Result};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Fewest steps that are worth another thread. Builds with debug assertions share out whatever they can: so do tests and
/// fuzzing.
const STEPS_A_THREAD: usize = if cfg!(debug_assertions) { 1 } else { 64 };
const NONE: u32 = u32::MAX;

/// Steps of a batch, and the queues of their pages.
#[derive(Default)]
pub(super) struct Window {
    /// The steps, by their numbers in the batch.
    steps: Range<usize>,
    queues: Vec<Queue>,
    /// All touches, those of a step together.
    touches: Vec<Touch>,
    /// The first touch of each step.
    first_touches: Vec<u32>,
    /// Queues by page, for each database.
    by_page: Vec<HashMap<u32, u32, BuildHasherDefault<PgnoHasher>>>,
}

/// The steps of a page.
struct Queue {
    database: usize,
    pgno: u32,
    /// Its first and its last touch.
    first: u32,
    last: u32,
}

/// A page touched by a step.
struct Touch {
    /// The step, counted from the first of the window.
    step: u32,
    /// The next touch of the page, or [`NONE`].
    next: u32,
}

impl Window {
    /// Takes the steps from `from` on whose pages can be reserved together, at least one; answers the first that is left.
    pub fn fill(&mut self, steps: &[Step], from: usize, databases: &[Rebuilt]) -> usize {
        self.queues.clear();
        self.touches.clear();
        self.first_touches.clear();
        self.by_page.resize_with(databases.len(), HashMap::default);
        self.by_page.iter_mut().for_each(HashMap::clear);
        let room: Vec<_> =
            databases.iter().map(|database| database.pages.reservable() - PageSet::MOST).collect();
        let mut end = from;
        for step in &steps[from..] {
            let (Some(by_page), Some(room)) = (self.by_page.get_mut(step.database), room.get(step.database))
            else {
                break;
            };
            if by_page.len() > *room {
                break;
            }
            self.first_touches.push(self.touches.len() as u32);
            for pgno in step.pages.as_slice() {
                let touch = self.touches.len() as u32;
                let queue = *by_page.entry(*pgno).or_insert(self.queues.len() as u32);
                match self.queues.get_mut(queue as usize) {
                    Some(queue) => {
                        self.touches[queue.last as usize].next = touch;
                        queue.last = touch;
                    }
                    None => self.queues.push(Queue {
                        database: step.database,
                        pgno: *pgno,
                        first: touch,
                        last: touch,
                    }),
                }
                self.touches.push(Touch { step: (end - from) as u32, next: NONE });
            }
            end += 1;
        }
        self.steps = from..end;
        self.queues.sort_unstable_by_key(|queue| (queue.database, queue.pgno));
        end
    }

    /// Makes the steps.
    pub fn make(
        &self,
        steps: &[Step],
        bytes: &[u8],
        databases: &mut [Rebuilt],
        threads: usize,
        done: &mut HashMap<u32, Done>,
    ) -> Result<()> {
        for (index, database) in databases.iter_mut().enumerate() {
            database.pages.reserve(self.pgnos(index))?;
        }
        let workers = threads.min(self.steps.len() / STEPS_A_THREAD).min(self.queues.len()).max(1);
        let work = Work { window: self, steps: &steps[self.steps.clone()], bytes };
        let mut made: Vec<Made<'_>> = (0..workers).map(|_| Made::new(databases)).collect();
        let result = match &mut made[..] {
            [made] => work.in_order(made),
            made => work.together(made),
        };
        let mut counts = vec![(0, 0); databases.len()];
        for made in made {
            for (counts, site) in counts.iter_mut().zip(&made.sites) {
                counts.0 += site.applied;
                counts.1 += site.present;
            }
            done.extend(made.done.into_iter().map(|(step, found)| (step + self.steps.start as u32, found)));
        }
        for (index, (database, (applied, present))) in databases.iter_mut().zip(counts).enumerate() {
            database.counts.applied += applied;
            database.counts.present += present;
            database.pages.release(self.pgnos(index));
        }
        result
    }

    /// The pages of a database, in ascending order.
    fn pgnos(&self, database: usize) -> impl Iterator<Item = u32> + Clone {
        self.queues.iter().filter(move |queue| queue.database == database).map(|queue| queue.pgno)
    }

    fn touches_of(&self, step: u32) -> Range<u32> {
        let at = |step: u32| self.first_touches.get(step as usize).copied();
        at(step).unwrap_or(NONE)..at(step + 1).unwrap_or(self.touches.len() as u32)
    }
}

/// What is to be done.
struct Work<'a> {
    window: &'a Window,
    steps: &'a [Step],
    bytes: &'a [u8],
}

/// What a thread did.
struct Made<'a> {
    sites: Vec<Site<'a>>,
    /// What lines were that had to be known, by the number of the step.
    done: Vec<(u32, Done)>,
}

impl<'a> Made<'a> {
    fn new(databases: &'a [Rebuilt]) -> Self {
        Self { sites: databases.iter().map(Rebuilt::site).collect(), done: Vec::new() }
    }
}

impl Work<'_> {
    fn in_order(&self, made: &mut Made<'_>) -> Result<()> {
        (0..self.steps.len() as u32).try_for_each(|step| self.one(step, made))
    }

    fn one(&self, number: u32, made: &mut Made<'_>) -> Result<()> {
        let Some(step) = self.steps.get(number as usize) else { return Ok(()) };
        let Some(site) = made.sites.get_mut(step.database) else { return Ok(()) };
        let done = step.run(self.bytes, site)?;
        if step.keeps_before {
            made.done.push((number, done));
        }
        Ok(())
    }

    fn together(&self, made: &mut [Made<'_>]) -> Result<()> {
        let Window { queues, .. } = self.window;
        let pages = |step: &Step| AtomicU8::new(step.pages.as_slice().len() as u8);
        let crew = Crew {
            work: self,
            missing: self.steps.iter().map(pages).collect(),
            ready: Mutex::new(queues.iter().map(|queue| queue.first).collect()),
            wakes: Condvar::new(),
            left: AtomicUsize::new(queues.len()),
            failed: AtomicU32::new(NONE),
            error: Mutex::new(None),
        };
        thread::scope(|scope| {
            let (own, others) = made.split_first_mut().expect("there is more than one");
            for made in others {
                scope.spawn(|| crew.work(made));
            }
            crew.work(own);
        });
        let error = crew.error.into_inner().unwrap_or_else(PoisonError::into_inner);
        error.map_or(Ok(()), Err)
    }
}

/// Threads at work on a window.
struct Crew<'a> {
    work: &'a Work<'a>,
    /// Pages of each step whose queues did not come to it yet.
    missing: Vec<AtomicU8>,
    /// Touches to go on with.
    ready: Mutex<VecDeque<u32>>,
    wakes: Condvar,
    /// Queues that are not at their end.
    left: AtomicUsize,
    /// The first step so far that failed, or [`NONE`]. Those before it are made all the same: one may fail too.
    failed: AtomicU32,
    error: Mutex<Option<Error>>,
}

impl Crew<'_> {
    fn work(&self, made: &mut Made<'_>) {
        // A thread that panics must not leave the others waiting.
        let _leaving = Leaving(self);
        while let Some(touch) = self.next() {
            self.follow(touch, made);
        }
    }

    /// A touch to go on with; `None` once all queues are at their end.
    fn next(&self) -> Option<u32> {
        let mut ready = lock(&self.ready);
        loop {
            if let Some(touch) = ready.pop_front() {
                return Some(touch);
            }
            if self.left.load(Ordering::Acquire) == 0 {
                return None;
            }
            ready = self.wakes.wait(ready).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Follows a page's queue from a touch on, to its end or to a step that waits for other pages.
    fn follow(&self, mut touch: u32, made: &mut Made<'_>) {
        let touches = &self.work.window.touches;
        while touch != NONE {
            let step = touches[touch as usize].step;
            if self.missing[step as usize].fetch_sub(1, Ordering::AcqRel) > 1 {
                return;
            }
            self.one(step, made);
            for other in self.work.window.touches_of(step).filter(|other| *other != touch) {
                match touches[other as usize].next {
                    NONE => self.ended(),
                    next => {
                        lock(&self.ready).push_back(next);
                        self.wakes.notify_one();
                    }
                }
            }
            touch = touches[touch as usize].next;
        }
        self.ended();
    }

    fn ended(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        // Under the lock, so that nobody is between looking and waiting.
        let _ready = lock(&self.ready);
        self.wakes.notify_all();
    }

    /// Makes a step, unless one before it failed.
    fn one(&self, step: u32, made: &mut Made<'_>) {
        if step > self.failed.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = self.work.one(step, made) {
            let mut first = lock(&self.error);
            if step < self.failed.load(Ordering::Acquire) {
                self.failed.store(step, Ordering::Release);
                *first = Some(error);
            }
        }
    }
}

/// Lets the others go home when a thread panics.
struct Leaving<'a>(&'a Crew<'a>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.left.store(0, Ordering::Release);
            self.0.wake_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
