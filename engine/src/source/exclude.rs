//! Patterns of names that are left out.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Class, Error, Result};

/// Compiled exclude patterns; their meaning is told at [`super::TreeOptions::excludes`].
pub(super) struct Excludes {
    entries: GlobSet,
    directories: GlobSet,
}

impl Excludes {
    pub(super) fn new(patterns: &[String]) -> Result<Self> {
        let mut entries = GlobSetBuilder::new();
        let mut directories = GlobSetBuilder::new();
        for pattern in patterns {
            let bad = |why: &str| {
                Error::new(Class::Argument, format!("exclude pattern \"{pattern}\""), why.to_string())
            };
            let (body, set) = match pattern.strip_suffix('/') {
                Some(body) => (body, &mut directories),
                None => (pattern.as_str(), &mut entries),
            };
            let from_top = match body.strip_prefix('/') {
                Some(below) => below.to_string(),
                None if body.contains('/') => body.to_string(),
                None => format!("**/{body}"),
            };
            if body.is_empty() || from_top.is_empty() {
                return Err(bad("is empty, expected a name or a path"));
            }
            let glob = GlobBuilder::new(&from_top)
                .literal_separator(true)
                .build()
                .map_err(|e| bad(&format!("is not a pattern: {}", e.kind())))?;
            set.add(glob);
        }
        let build = |set: GlobSetBuilder| {
            set.build().map_err(|e| Error::new(Class::Limit, "exclude patterns", e.kind().to_string()))
        };
        Ok(Self { entries: build(entries)?, directories: build(directories)? })
    }

    /// Whether the entry with this stream name is left out. Its folder is known not to be.
    pub(super) fn leaves_out(&self, name: &[u8], is_directory: bool) -> bool {
        let name = OsStr::from_bytes(name);
        self.entries.is_match(name) || (is_directory && self.directories.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves_out(pattern: &str, name: &str) -> bool {
        Excludes::new(&[pattern.to_string()]).unwrap().leaves_out(name.as_bytes(), false)
    }

    #[test]
    fn a_pattern_without_a_slash_matches_a_name_at_any_depth() {
        assert!(leaves_out("*.tmp", "top/a/x.tmp"));
        assert!(leaves_out("top", "top"));
        assert!(!leaves_out("*.tmp", "top/x.tmp.edb"));
        assert!(!leaves_out("a*p", "top/ab/p"));
    }

    #[test]
    fn a_pattern_with_a_slash_matches_from_the_top() {
        assert!(leaves_out("top/*.log", "top/x.log"));
        assert!(!leaves_out("top/*.log", "top/a/x.log"));
        assert!(leaves_out("top/**/*.log", "top/a/b/x.log"));
        assert!(leaves_out("top/**/*.log", "top/x.log"));
        assert!(!leaves_out("a/x.log", "top/a/x.log"));
        assert!(leaves_out("/top", "top"));
        assert!(!leaves_out("/top", "other/top"));
    }

    #[test]
    fn a_slash_at_the_end_matches_directories_only() {
        let excludes = Excludes::new(&["cache/".into()]).unwrap();
        assert!(excludes.leaves_out(b"top/cache", true));
        assert!(!excludes.leaves_out(b"top/cache", false));
    }

    #[test]
    fn names_need_not_be_text() {
        let excludes = Excludes::new(&["*.tmp".into()]).unwrap();
        assert!(excludes.leaves_out(b"top/\xff\xfe.tmp", false));
    }

    #[test]
    fn what_is_no_pattern_is_refused_by_name() {
        for pattern in ["", "/", "//", "[a"] {
            let error = Excludes::new(&[pattern.to_string()]).err().unwrap();
            assert!(error.to_string().starts_with(&format!("exclude pattern \"{pattern}\"")), "{error}");
        }
    }
}
