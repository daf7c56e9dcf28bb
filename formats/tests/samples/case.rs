//! The cases made by the real engine.

use crate::samples;
use reel_formats::ese::log::reader::LogFile;
use std::collections::BTreeMap;
use std::path::Path;

/// Whether a file name ends so.
pub fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// A case, unpacked.
pub struct Case {
    /// Its name.
    pub name: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl Case {
    fn open(path: &Path) -> Self {
        let archive = samples::read(path);
        let name = path.file_name().expect("a file").to_string_lossy().replace(".tar.zst", "");
        let strip = |file: &str| file.split_once('/').map_or(file, |(_, rest)| rest).to_owned();
        let files = samples::tar_files(&archive).into_iter().map(|(f, bytes)| (strip(&f), bytes.to_vec()));
        Self { name, files: files.collect() }
    }

    /// The files of a folder, by their names in it.
    pub fn under(&self, folder: &str) -> Vec<(&str, &[u8])> {
        self.files
            .iter()
            .filter_map(|(name, bytes)| {
                Some((name.strip_prefix(folder)?.strip_prefix('/')?, bytes.as_slice()))
            })
            .collect()
    }

    /// The base databases.
    pub fn bases(&self) -> BTreeMap<String, Vec<u8>> {
        let databases = self.under("base").into_iter().filter(|(name, _)| has_extension(name, "edb"));
        databases.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect()
    }

    /// The logs by generation.
    pub fn logs(&self) -> Vec<LogFile> {
        let logs = self.under("logs");
        let mut logs: Vec<_> = logs
            .iter()
            .filter(|(name, _)| has_extension(name, "log"))
            .map(|(name, bytes)| LogFile::open(bytes.to_vec()).unwrap_or_else(|e| panic!("{name}: {e}")))
            .collect();
        logs.sort_by_key(|log| log.header().generation);
        logs
    }
}

/// The cases whose names `wanted` takes.
pub fn cases(test: &str, wanted: impl Fn(&str) -> bool) -> Vec<Case> {
    let Some(folder) = samples::path(test, "data/ese/cases") else { return Vec::new() };
    let only = std::env::var("REEL_CASE").ok();
    samples::files(&folder)
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(".tar.zst"))
        .filter(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().replace(".tar.zst", "");
            wanted(&name) && only.as_ref().is_none_or(|only| *only == name)
        })
        .map(|path| Case::open(path))
        .collect()
}
