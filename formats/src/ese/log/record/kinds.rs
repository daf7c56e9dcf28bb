//! The types of log records: number, the name in the engine's listings, length of the fixed part (reference, log.md
//! section 6).

use std::fmt;

/// The type of a log record: its first byte. Any number can stand here; see [`RecordType::is_known`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u8);

/// Types are numbered from 0 to below this; a number from here on is damage.
pub const TYPES_END: u8 = 102;

#[derive(Clone, Copy)]
struct Known {
    name: &'static str,
    fixed_len: u16,
}

/// One line for each type: what it is, its constant, its number, its name in listings, the length of its fixed part.
macro_rules! record_types {
    ($($(#[$about:meta])+ $constant:ident = $number:literal, $name:literal, $fixed_len:literal;)+) => {
        impl RecordType {
            $($(#[$about])+ pub const $constant: Self = Self($number);)+
        }

        const TABLE: [Option<Known>; TYPES_END as usize] = {
            let mut table = [None; TYPES_END as usize];
            $(table[$number] = Some(Known { name: $name, fixed_len: $fixed_len });)+
            table
        };
    };
}

record_types! {
    /// Fill of one byte; not a record that listings show.
    NOP = 0, "NOP", 1;
    /// The engine started, without a time.
    INIT = 1, "Init", 568;
    /// The engine ended cleanly, without a time.
    TERM = 2, "Term", 18;
    /// Link between sectors in formats before 7.
    MULTI_SECTOR = 3, "MS", 9;
    /// End of the log in old formats.
    END = 4, "End", 1;
    /// A nested transaction begins.
    BEGIN = 5, "Begin", 4;
    /// A nested transaction commits.
    COMMIT = 6, "Commit", 4;
    /// Levels of a transaction are rolled back.
    ROLLBACK = 7, "Rollback", 4;
    /// An outermost transaction begins.
    BEGIN0 = 8, "Begin0", 8;
    /// An outermost transaction commits.
    COMMIT0 = 9, "Commit0", 8;
    /// A transaction gets a new begin time.
    REFRESH = 10, "Refresh", 7;
    /// A change of several pages begins.
    MACRO_BEGIN = 11, "McroBegin", 11;
    /// A change of several pages is complete.
    MACRO_COMMIT = 12, "McroComit", 11;
    /// A change of several pages did not happen.
    MACRO_ABORT = 13, "McroAbort", 11;
    /// A database was created.
    CREATE_DB = 14, "CreateDB", 43;
    /// A database was attached.
    ATTACH_DB = 15, "AttachDB", 75;
    /// A database was detached.
    DETACH_DB = 16, "DetachDB", 7;
    /// Recovery begins to undo, without a time.
    RECOVERY_UNDO = 17, "RcvUndo", 1;
    /// Recovery ended, without a time.
    RECOVERY_QUIT = 18, "RcvQuit", 18;
    /// A full backup began, in old formats.
    FULL_BACKUP = 19, "FullBkUp", 3;
    /// An incremental backup began, in old formats.
    INC_BACKUP = 20, "IncBkUp", 3;
    /// A call of the engine's interface, for debugging.
    JET_OP = 21, "JetOp", 4;
    /// Text for people.
    TRACE = 22, "Trace", 5;
    /// All databases are about to be closed.
    SHUT_DOWN_MARK = 23, "ShutDown", 1;
    /// A tree with trees of its extents was created.
    CREATE_MULTIPLE_EXTENT_FDP = 24, "Create M", 56;
    /// A tree of one extent was created.
    CREATE_SINGLE_EXTENT_FDP = 25, "Create S", 48;
    /// A tree of one extent got trees of its extents, in formats up to 7.3704.6.
    CONVERT_FDP = 26, "Convert", 60;
    /// A page was split, without its image.
    SPLIT = 27, "Split", 102;
    /// A page was merged, without its image.
    MERGE = 28, "Merge", 88;
    /// A node was inserted.
    INSERT = 29, "Insert", 50;
    /// A deleted node was made valid again.
    FLAG_INSERT = 30, "FInsert", 48;
    /// A deleted node was made valid again with new data.
    FLAG_INSERT_AND_REPLACE_DATA = 31, "FInsertRD", 52;
    /// A node was marked deleted.
    FLAG_DELETE = 32, "FDelete", 44;
    /// A node's data was replaced.
    REPLACE = 33, "Replace", 50;
    /// A node's data was replaced; only the difference is logged.
    REPLACE_D = 34, "ReplaceD", 50;
    /// A node was removed.
    DELETE = 35, "Delete", 44;
    /// What a node was before it was changed.
    UNDO_INFO = 36, "UndoInfo", 56;
    /// A 32-bit counter was changed.
    DELTA = 37, "Delta", 54;
    /// A page's external header was replaced.
    SET_EXTERNAL_HEADER = 38, "SetExtHdr", 46;
    /// A change was undone.
    UNDO = 39, "Undo", 51;
    /// Checksum of a flush in the container of format 7.
    CHECKSUM = 42, "Checksum", 22;
    /// A restore ended, in old formats.
    EXT_RESTORE = 45, "ExtRest", 3;
    /// A backup's step, in old formats.
    BACKUP = 46, "Backup", 5;
    /// All pages of a tree but its root were emptied.
    EMPTY_TREE = 48, "EmptyTree", 46;
    /// The engine started.
    INIT2 = 49, "Init", 576;
    /// The engine ended cleanly.
    TERM2 = 50, "Term", 26;
    /// Recovery begins to undo.
    RECOVERY_UNDO2 = 51, "RcvUndo", 9;
    /// Recovery ended.
    RECOVERY_QUIT2 = 52, "RcvQuit", 26;
    /// A distributed transaction begins.
    BEGIN_DT = 53, "BeginDT", 8;
    /// A distributed transaction is prepared to commit.
    PREP_COMMIT = 54, "PreComit", 7;
    /// A prepared transaction is rolled back.
    PREP_ROLLBACK = 55, "PreRollbk", 3;
    /// The log was forced to disk.
    FORCE_WRITE_LOG = 57, "ForceWrt", 3;
    /// A tree of one extent got trees of its extents.
    CONVERT_FDP2 = 58, "Convert", 68;
    /// A restore ended.
    EXT_RESTORE2 = 59, "ExtRest2", 3;
    /// A backup's step.
    BACKUP2 = 60, "Backup2", 35;
    /// A new generation was asked for.
    FORCE_LOG_ROLLOVER = 61, "ForceRoll", 5;
    /// A page was split.
    SPLIT2 = 62, "Split2", 110;
    /// A page was merged.
    MERGE2 = 63, "Merge2", 96;
    /// Bytes no longer used were overwritten.
    SCRUB = 64, "Scrub", 54;
    /// A page was moved.
    PAGE_MOVE = 65, "PageMove", 96;
    /// A page was found bad and asked for.
    PAGE_PATCH_REQUEST = 66, "PagePatch", 46;
    /// The pages of a change of several pages.
    MACRO_INFO = 67, "McroInfo", 5;
    /// A database file grew.
    EXTEND_DB = 68, "ExtendDB", 5;
    /// What a caller wanted logged with a commit.
    COMMIT_CTX = 69, "CommitCtx", 5;
    /// A page was checked by a scan.
    SCAN_CHECK = 70, "ScanChk", 5;
    /// Fill of any length.
    NOP2 = 71, "NOP2", 5;
    /// A database stayed attached over a recovery.
    RE_ATTACH = 72, "ReAttach", 5;
    /// The pages of a change of several pages, with their database.
    MACRO_INFO2 = 73, "McroInfo2", 5;
    /// A tree was given up.
    FREE_FDP = 74, "FreeFDP", 5;
    /// May be skipped.
    IGNORED9 = 75, "Ignored9", 5;
    /// First piece of a record that did not fit in a segment.
    FRAGMENT_BEGIN = 76, "FragBegin", 7;
    /// Another piece of it.
    FRAGMENT = 77, "Fragment", 3;
    /// A database file was cut.
    SHRINK_DB = 78, "ShrinkDB", 10;
    /// A database's creation is complete.
    CREATE_DB_FINISH = 79, "CrDBFinsh", 4;
    /// Recovery ended and its databases stay attached.
    RECOVERY_QUIT_KEEP_ATTACHMENTS = 80, "RcvQKA", 26;
    /// Pages in a database file were given back to the file system.
    TRIM_DB = 81, "TrimDB", 10;
    /// May be skipped.
    IGNORED10 = 82, "Ignored10", 5;
    /// May be skipped.
    IGNORED11 = 83, "Ignored11", 5;
    /// May be skipped.
    IGNORED12 = 84, "Ignored12", 5;
    /// May be skipped.
    IGNORED13 = 85, "Ignored13", 5;
    /// May be skipped.
    IGNORED14 = 86, "Ignored14", 5;
    /// May be skipped.
    IGNORED15 = 87, "Ignored15", 5;
    /// May be skipped.
    IGNORED16 = 88, "Ignored16", 5;
    /// May be skipped.
    IGNORED17 = 89, "Ignored17", 5;
    /// May be skipped.
    IGNORED18 = 90, "Ignored18", 5;
    /// May be skipped.
    IGNORED19 = 91, "Ignored19", 5;
    /// A database's format version was set.
    SET_DB_VERSION = 92, "SetDbVer", 14;
    /// A 64-bit counter was changed.
    DELTA64 = 93, "Delta64", 58;
    /// A database file was cut.
    SHRINK_DB2 = 94, "ShrinkDB2", 10;
    /// A page was taken into use.
    NEW_PAGE = 95, "NewPage", 20;
    /// The root of a tree was moved.
    ROOT_PAGE_MOVE = 96, "PageMoveR", 16;
    /// A database can be used.
    SIGNAL_ATTACH_DB = 97, "SAttachDB", 2;
    /// A page was checked by a scan.
    SCAN_CHECK2 = 98, "ScanChk2", 27;
    /// A database file was cut.
    SHRINK_DB3 = 99, "ShrinkDB3", 18;
    /// Pages were given back.
    EXTENT_FREED = 100, "ExtFreed", 11;
    /// Pages were given back.
    EXTENT_FREED2 = 101, "ExtFreed2", 19;
}

impl RecordType {
    /// The name that the engine's listings use, for instance `FDelete`; `Unknown` for a number that is no known type.
    pub fn name(self) -> &'static str {
        self.known().map_or("Unknown", |known| known.name)
    }

    /// Whether records of this type can be read. Those of types that went out of use before their layout was published
    /// cannot.
    pub fn is_known(self) -> bool {
        self.known().is_some()
    }

    /// Whether a reader that does not know the type must skip its records: they say themselves how long they are.
    pub fn is_ignorable(self) -> bool {
        matches!(self.0, 67..=75 | 82..=91)
    }

    /// Whether the log ends cleanly with such a record: no database is left attached in the state of a crash.
    pub fn is_clean_end(self) -> bool {
        matches!(
            self,
            Self::TERM
                | Self::TERM2
                | Self::RECOVERY_QUIT
                | Self::RECOVERY_QUIT2
                | Self::RECOVERY_QUIT_KEEP_ATTACHMENTS
        )
    }

    /// Length of the part that every record of this type has, in bytes; `None` for an unknown type.
    pub fn fixed_len(self) -> Option<usize> {
        self.known().map(|known| usize::from(known.fixed_len))
    }

    #[inline]
    fn known(self) -> Option<Known> {
        TABLE.get(usize::from(self.0)).copied().flatten()
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(known) => f.pad(known.name),
            None => write!(f, "type {}", self.0),
        }
    }
}
