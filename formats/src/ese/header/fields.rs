//! Where each field of a database header stands (reference, database.md section 2).

use super::super::file_type;
use super::{BackupKind, DatabaseHeader, DatabaseState, Occurrences, Reverts, ScanProgress};
use crate::le::Fields;

impl DatabaseHeader {
    /// The fields of a header page that is known to be good.
    pub(super) fn from_fields(fields: Fields<'_>, page_size: u32) -> Self {
        let occurrences =
            |at, earlier| Occurrences { count: fields.u32(at), last: fields.logtime(at + 4), earlier };
        // Four counts have the older one behind them.
        let counted_twice = |at| occurrences(at, fields.u32(at + 12));
        let kind = |at| BackupKind::from_number(fields.u32(at));
        Self {
            checksum: fields.u32(0),
            version: fields.u32(8),
            update_major: fields.u32(232),
            update_minor: fields.u32(644),
            create_version: fields.u32(340),
            create_update: fields.u32(344),
            engine_version: fields.u32(648),
            page_size,
            state: DatabaseState::from_number(fields.u32(52)),
            dbtime: fields.u64(16),
            last_objid: fields.u32(212),
            dbid: fields.u32(104),
            signature: fields.signature(24),
            log_signature: fields.signature(108),
            consistent: fields.lgpos(56),
            consistent_time: fields.logtime(64),
            attached: fields.lgpos(80),
            attached_time: fields.logtime(72),
            detached: fields.lgpos(96),
            detached_time: fields.logtime(88),
            reattached: fields.lgpos(572),
            reattached_time: fields.logtime(564),
            last_resize: fields.lgpos(656),
            min_required: fields.u32(296),
            max_required: fields.u32(300),
            max_required_time: fields.logtime(672),
            max_committed: fields.u32(416),
            max_committed_time: fields.logtime(348),
            min_consistent: fields.u32(640),
            recovering: fields.u32(536),
            pre_redo_min_consistent: fields.u32(680),
            pre_redo_min_required: fields.u32(684),
            repairs: occurrences(240, fields.u32(364)),
            reseeds: counted_twice(476),
            page_patches: counted_twice(492),
            scrub_dbtime: fields.u64(280),
            scrub_time: fields.logtime(288),
            ecc_fixed: counted_twice(368),
            ecc_failed: counted_twice(384),
            bad_checksums: counted_twice(400),
            extends: occurrences(540, 0),
            shrinks: occurrences(552, 0),
            trim_count: fields.u32(580),
            reverts: Reverts {
                count: fields.u32(716),
                from: fields.logtime(720),
                to: fields.logtime(728),
                pages: fields.u32(736),
                last_commit: fields.lgpos(740),
            },
            scan: ScanProgress {
                finished: fields.logtime(516),
                started: fields.logtime(524),
                highest_continuous_page: fields.u32(532),
                highest_page: fields.u32(652),
            },
            upgraded_pages: [304, 308, 312].map(|at| fields.u32(at)),
            full_backup: fields.backup(136),
            full_backup_kind: kind(356),
            incremental_backup: fields.backup(160),
            incremental_backup_kind: kind(360),
            current_full_backup: fields.backup(184),
            current_snapshot: fields.backup(316),
            copy_backup: fields.backup(420),
            copy_backup_kind: kind(468),
            differential_backup: fields.backup(444),
            differential_backup_kind: kind(472),
            shadowing_disabled: fields.u8(208) & 1 != 0,
            header_flush_signature: fields.signature(584),
            flush_map_signature: fields.signature(612),
            snapshot_signature: fields.signature(688),
            os_version: [216, 220, 224, 228].map(|at| fields.u32(at)),
            sort_version: fields.u64(508),
            has_file_type: fields.u32(file_type::AT) == file_type::DATABASE,
        }
    }
}
