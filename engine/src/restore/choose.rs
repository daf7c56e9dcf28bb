//! Which streams of a set a restore takes.

use super::Aliases;
use crate::attributes::NodeKind;
use crate::error::{Class, Error, Result};
use crate::plan::StreamPlan;
use crate::pool::Catalog;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use reel_tape::layout::recipe::StreamHead;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Patterns of stream names. One without `/` matches the name of any component, one with `/` the name from its beginning; what
/// matches a directory takes all that is in it.
struct Patterns {
    components: GlobSet,
    paths: GlobSet,
}

impl Patterns {
    fn new(patterns: &[String]) -> Result<Patterns> {
        let (mut components, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            let bad =
                |e: globset::Error| Error::new(Class::Argument, pattern, format!("no pattern: {}", e.kind()));
            let trimmed = pattern.trim_matches('/');
            let glob = GlobBuilder::new(trimmed).literal_separator(true).build().map_err(bad)?;
            if pattern.contains('/') {
                paths.add(glob)
            } else {
                components.add(glob)
            };
        }
        let built = |set: GlobSetBuilder| {
            set.build().map_err(|e| Error::new(Class::Argument, "patterns", e.to_string()))
        };
        Ok(Patterns { components: built(components)?, paths: built(paths)? })
    }

    fn matches(&self, name: &[u8]) -> bool {
        let path = |bytes: &[u8]| Path::new(OsStr::from_bytes(bytes)).to_owned();
        let slashes = name.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        let mut prefixes = slashes.chain(std::iter::once(name.len()));
        name.split(|b| *b == b'/').any(|c| self.components.is_match(path(c)))
            || prefixes.any(|end| self.paths.is_match(path(&name[..end])))
    }
}

/// The streams that a restore takes.
pub struct Chosen {
    patterns: Option<Patterns>,
    /// Streams that were not asked for but whose bytes a chosen hard link needs, and the first of those links.
    aliases: Aliases,
}

impl Chosen {
    /// Chooses by patterns; none: everything.
    pub fn new(catalog: &Arc<Catalog>, patterns: &[String]) -> Result<Chosen> {
        let mut chosen = Chosen { patterns: None, aliases: Aliases::new() };
        if patterns.is_empty() {
            return Ok(chosen);
        }
        let found = Patterns::new(patterns)?;
        let mut any = false;
        for fragment in catalog.fragments(0) {
            let Some(head) = fragment?.head else { continue };
            if !found.matches(&head.name) {
                continue;
            }
            any = true;
            if let (NodeKind::HardLink, Some(first)) = (head.kind, head.link)
                && !found.matches(&first)
            {
                chosen.aliases.entry(first).or_insert(head.name);
            }
        }
        if !any {
            let sentence = format!(
                "no stream of set {} matches: names are listed by `reel list --set {0}`",
                catalog.set()
            );
            return Err(Error::new(Class::Argument, patterns.join(" "), sentence));
        }
        chosen.patterns = Some(found);
        Ok(chosen)
    }

    /// Is this stream taken?
    pub fn takes(&self, head: &StreamHead) -> bool {
        let Some(patterns) = &self.patterns else { return true };
        let is_alias = self.aliases.values().any(|alias| *alias == head.name);
        (patterns.matches(&head.name) && !is_alias) || self.aliases.contains_key(&head.name)
    }

    /// Gives streams that stand in for a hard link its name.
    pub fn rename(&self, streams: &mut [StreamPlan]) {
        for stream in streams {
            if let Some(alias) = self.aliases.get(&stream.head.name) {
                stream.head.name.clone_from(alias);
            }
        }
    }

    /// The name under which a stream is restored.
    pub fn restored_as<'a>(&'a self, name: &'a [u8]) -> &'a [u8] {
        self.aliases.get(name).map_or(name, Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_names_at_any_depth_or_from_the_beginning_with_what_is_in_them() {
        let patterns = Patterns::new(&["*.edb".into(), "store/logs".into()]).unwrap();
        for name in ["a.edb", "x/y/a.edb", "store/logs", "store/logs/1.log"] {
            assert!(patterns.matches(name.as_bytes()), "{name}");
        }
        for name in ["a.edb2", "old/store/logs", "store/logs2"] {
            assert!(!patterns.matches(name.as_bytes()), "{name}");
        }
    }
}
