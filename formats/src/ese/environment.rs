//! The parameters of the instance that wrote a log or a checkpoint (reference, log.md section 2, DBMS_PARAM).

use super::attachment::text;
use crate::le::Fields;

/// Length on disk, in bytes.
pub(crate) const LEN: usize = 567;
const PATH_LEN: usize = 261;
const FLAG_CIRCULAR: u8 = 1;

/// What the writing instance was told; for people only, replay needs none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Folder of the checkpoint.
    pub system_path: String,
    /// Folder of the logs.
    pub log_path: String,
    /// Circular logging was asked for.
    pub circular: bool,
    /// Most sessions.
    pub sessions: u32,
    /// Most open tables.
    pub open_tables: u32,
    /// Most pages of the version store.
    pub version_pages: u32,
    /// Most cursors.
    pub cursors: u32,
    /// Log buffers, in sectors.
    pub log_buffers: u32,
    /// Length of a log file, in sectors.
    pub log_sectors: u32,
    /// Most pages in the cache.
    pub cache_pages: u32,
}

impl Environment {
    /// Reads what stands at byte `at` of a header.
    pub(crate) fn read(header: &[u8], at: usize) -> Self {
        let fields = Fields(Fields(header).tail(at, LEN));
        Self {
            system_path: text(fields.tail(0, PATH_LEN)),
            log_path: text(fields.tail(PATH_LEN, PATH_LEN)),
            circular: fields.u8(522) & FLAG_CIRCULAR != 0,
            sessions: fields.u32(523),
            open_tables: fields.u32(527),
            version_pages: fields.u32(531),
            cursors: fields.u32(535),
            log_buffers: fields.u32(539),
            log_sectors: fields.u32(543),
            cache_pages: fields.u32(547),
        }
    }
}
