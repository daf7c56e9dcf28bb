//! Where each object stands in the image: 8 bytes an object, whatever numbers damaged blocks claim to have.

/// Set in the entry of a filemark; offsets in a file never reach it.
pub(super) const MARK: u64 = 1 << 63;

/// What is known of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A record whose leading length word stands at this offset.
    Block(u64),
    /// A filemark at this offset.
    Mark(u64),
    /// Lost in damage, like all objects from here to `until` (excluded).
    Lost {
        /// First object behind the damage.
        until: u64,
    },
}

/// Objects with consecutive numbers.
struct Stretch {
    first: u64,
    entries: Vec<u64>,
}

impl Stretch {
    fn end(&self) -> u64 {
        self.first.saturating_add(self.entries.len() as u64)
    }
}

/// Stretches of objects in rising order; the numbers between two of them are lost.
pub(super) struct Index {
    earlier: Vec<Stretch>,
    last: Stretch,
    marks_at_end: u64,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { earlier: Vec::new(), last: Stretch { first: 0, entries: Vec::new() }, marks_at_end: 0 }
    }

    /// An index of these entries, without lost objects.
    pub(super) fn of(entries: Vec<u64>) -> Self {
        let mut index = Self::new();
        index.last.entries = entries;
        index.count_marks();
        index
    }

    /// The entries of all objects; `None` where some are lost.
    pub(super) fn entries(&self) -> Option<&[u64]> {
        (self.earlier.is_empty() && self.last.first == 0).then_some(&self.last.entries)
    }

    /// Number that the next object gets.
    pub(super) fn end(&self) -> u64 {
        self.last.end()
    }

    /// How many filemarks the index ends with, back to the last block or damage.
    pub(super) fn marks_at_end(&self) -> u64 {
        self.marks_at_end
    }

    /// `None` at and behind the end.
    pub(super) fn get(&self, object: u64) -> Option<Place> {
        if object >= self.end() {
            return None;
        }
        if object >= self.last.first {
            return Self::place(&self.last, object);
        }
        let behind = self.earlier.partition_point(|stretch| stretch.first <= object);
        let stretch = self.earlier.get(behind.checked_sub(1)?)?;
        if object < stretch.end() {
            return Self::place(stretch, object);
        }
        let until = self.earlier.get(behind).map_or(self.last.first, |next| next.first);
        Some(Place::Lost { until })
    }

    /// First object of the lost range that this lost object belongs to.
    pub(super) fn lost_from(&self, object: u64) -> u64 {
        let behind = self.earlier.partition_point(|stretch| stretch.first <= object);
        let stretch = behind.checked_sub(1).and_then(|before| self.earlier.get(before));
        stretch.map_or(object, |stretch| stretch.end().min(object))
    }

    fn place(stretch: &Stretch, object: u64) -> Option<Place> {
        let entry = *stretch.entries.get(usize::try_from(object.checked_sub(stretch.first)?).ok()?)?;
        Some(if entry & MARK == 0 { Place::Block(entry) } else { Place::Mark(entry & !MARK) })
    }

    pub(super) fn push_block(&mut self, offset: u64) {
        self.last.entries.push(offset & !MARK);
        self.marks_at_end = 0;
    }

    pub(super) fn push_mark(&mut self, offset: u64) {
        self.last.entries.push(offset | MARK);
        self.marks_at_end += 1;
    }

    /// Declares all objects from the end to `object` (excluded) lost.
    pub(super) fn lose_until(&mut self, object: u64) {
        if object > self.end() {
            let next = Stretch { first: object, entries: Vec::new() };
            self.earlier.push(std::mem::replace(&mut self.last, next));
            self.marks_at_end = 0;
        }
    }

    /// Forgets all objects from `object` on, which must not be a lost one.
    pub(super) fn truncate(&mut self, object: u64) {
        while object < self.last.first {
            let Some(earlier) = self.earlier.pop() else { break };
            self.last = earlier;
        }
        let kept = usize::try_from(object.saturating_sub(self.last.first)).unwrap_or(usize::MAX);
        self.last.entries.truncate(kept);
        self.count_marks();
    }

    fn count_marks(&mut self) {
        let entries = self.last.entries.iter().rev();
        self.marks_at_end = entries.take_while(|&&entry| entry & MARK != 0).count() as u64;
    }

    /// Object numbers of all filemarks.
    pub(super) fn marks(&self) -> Vec<u64> {
        let stretches = self.earlier.iter().chain([&self.last]);
        let numbered = stretches.flat_map(|stretch| (stretch.first..).zip(&stretch.entries));
        numbered.filter(|(_, entry)| *entry & MARK != 0).map(|(object, _)| object).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_numbers_cost_no_memory_and_say_where_they_end() {
        let mut index = Index::new();
        index.push_block(0);
        index.push_mark(100);
        index.lose_until(1 << 40);
        index.push_block(200);
        assert_eq!(index.get(0), Some(Place::Block(0)));
        assert_eq!(index.get(1), Some(Place::Mark(100)));
        assert_eq!(index.get(2), Some(Place::Lost { until: 1 << 40 }));
        assert_eq!(index.get(1 << 40), Some(Place::Block(200)));
        assert_eq!(index.get((1 << 40) + 1), None);
        assert_eq!(index.marks(), [1]);
        index.truncate(1);
        assert_eq!((index.end(), index.get(1)), (1, None));
    }
}
