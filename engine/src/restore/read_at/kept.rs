//! What was read and may be wanted again, within a bound.

use std::collections::HashMap;
use std::hash::Hash;

/// Values by key. Those that were not used for longest go when the bound is reached; the newest one always stays.
pub struct Kept<K, V> {
    values: HashMap<K, Entry<V>>,
    bytes: usize,
    limit: usize,
    clock: u64,
}

struct Entry<V> {
    value: V,
    bytes: usize,
    used: u64,
}

impl<K: Hash + Eq + Copy, V: Clone> Kept<K, V> {
    /// Keeps about `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Kept { values: HashMap::new(), bytes: 0, limit, clock: 0 }
    }

    /// The bound in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// A value, which counts as used now.
    pub fn get(&mut self, key: K) -> Option<V> {
        self.clock += 1;
        let entry = self.values.get_mut(&key)?;
        entry.used = self.clock;
        Some(entry.value.clone())
    }

    /// Keeps a value of so many bytes.
    pub fn put(&mut self, key: K, value: V, bytes: usize) {
        self.clock += 1;
        self.drop_key(key);
        while self.bytes.saturating_add(bytes) > self.limit
            && let Some(oldest) = self.values.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key)
        {
            self.drop_key(oldest);
        }
        self.bytes += bytes;
        self.values.insert(key, Entry { value, bytes, used: self.clock });
    }

    fn drop_key(&mut self, key: K) {
        self.bytes -= self.values.remove(&key).map_or(0, |entry| entry.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut kept = Kept::new(30);
        for key in 0..3 {
            kept.put(key, key, 10);
        }
        assert_eq!(kept.get(0), Some(0));
        kept.put(3, 3, 10);
        assert_eq!([0, 1, 2, 3].map(|key| kept.get(key).is_some()), [true, false, true, true]);
        kept.put(4, 4, 100);
        assert_eq!([0, 2, 3, 4].map(|key| kept.get(key).is_some()), [false, false, false, true]);
        kept.put(4, 5, 10);
        assert_eq!((kept.get(4), kept.bytes), (Some(5), 10));
    }
}
