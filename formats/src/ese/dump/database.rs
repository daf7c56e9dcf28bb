//! The listing of a database header, `eseutil /mh`.

use super::{DATABASE_VERSION, ENGINE_VERSION, Group, Item, Listing, Value};
use crate::ese::header::{BackupKind, DatabaseHeader, MAGIC, Occurrences};
use crate::ese::position::{BackupInfo, LgPos, LogTime};

/// What a database header says, with the labels of `eseutil /mh`. The checksum shown as computed is that of the copy
/// that was parsed, which was found right.
pub fn database(header: &DatabaseHeader) -> Listing {
    let checksum = |label, name| {
        Item::new(
            label,
            name,
            format_args!("{:#010x}", header.checksum),
            Value::Number(header.checksum.into()),
        )
    };
    let mut fields = vec![
        Item::new("        File Type: ", "file_type", "Database", Value::Text("Database".into())),
        // Here the engine leaves leading zeros out.
        Item::new(
            "         Checksum: ",
            "checksum",
            format_args!("{:#x}", header.checksum),
            Value::Number(header.checksum.into()),
        ),
    ];
    fields.extend(identity(header));
    fields.extend(state(header));
    fields.extend(history(header));
    let groups = [
        Group::new(
            "DATABASE HEADER:\nChecksum Information:\n",
            vec![
                checksum("Expected Checksum: ", "expected_checksum"),
                checksum("  Actual Checksum: ", "actual_checksum"),
            ],
        ),
        Group::new("Fields:\n", fields),
    ];
    let groups = groups.into_iter().chain(backups(header)).chain(file_changes(header)).chain(errors(header));
    Listing::new(groups.collect())
}

fn identity(header: &DatabaseHeader) -> Vec<Item> {
    let magic =
        |label, name| Item::new(label, name, format_args!("{MAGIC:#010x}"), Value::Number(MAGIC.into()));
    let version = |[version, update_major, update_minor]: [u32; 3], engine: u32| {
        Value::Fields(vec![
            ("version", Value::Number(version.into())),
            ("update_major", Value::Number(update_major.into())),
            ("update_minor", Value::Number(update_minor.into())),
            ("engine_version", Value::Number(engine.into())),
        ])
    };
    let format @ [major, update_major, update_minor] =
        [header.version, header.update_major, header.update_minor];
    let known @ [known_major, known_update_major, known_update_minor] = DATABASE_VERSION;
    let engine = header.engine_version;
    vec![
        magic("   Format ulMagic: ", "format_magic"),
        magic("   Engine ulMagic: ", "engine_magic"),
        Item::new(
            " Format ulVersion: ",
            "format_version",
            format_args!("{major:#x},{update_major},{update_minor}  (attached by {engine})"),
            version(format, engine),
        ),
        Item::new(
            " Engine ulVersion: ",
            "engine_version",
            format_args!(
                "{known_major:#x},{known_update_major},{known_update_minor}  (efvCurrent = {ENGINE_VERSION})"
            ),
            version(known, ENGINE_VERSION),
        ),
        Item::new(
            "Created ulVersion: ",
            "created_version",
            format_args!("{:#x},{}", header.create_version, header.create_update),
            Value::Fields(vec![
                ("version", Value::Number(header.create_version.into())),
                ("update_major", Value::Number(header.create_update.into())),
            ]),
        ),
        Item::signature("     DB Signature: ", "signature", header.signature),
        Item::number("         cbDbPage: ", "page_size", header.page_size),
        Item::two_notations("           dbtime: ", "dbtime", header.dbtime),
    ]
}

fn state(header: &DatabaseHeader) -> Vec<Item> {
    let generation = |number: u32| Value::Number(number.into());
    let (low, high) = (header.min_required, header.max_required);
    let (pre_low, pre_consistent) = (header.pre_redo_min_required, header.pre_redo_min_consistent);
    let (committed, consistent) = (header.max_committed, header.min_consistent);
    vec![
        Item::new("            State: ", "state", header.state, Value::Text(header.state.to_string())),
        Item::new(
            "     Log Required: ",
            "log_required",
            format_args!("{} [Min. Req. Pre-Redo: {pre_low} ({pre_low:#x})]", range(low, high)),
            Value::Fields(vec![
                ("low", generation(low)),
                ("high", generation(high)),
                ("low_before_redo", generation(pre_low)),
            ]),
        ),
        Item::time("Gen. Max. Req. Creation Time: ", "log_required_high_created", header.max_required_time),
        // The engine shows no lower end of this range.
        Item::new("    Log Committed: ", "log_committed_high", range(0, committed), generation(committed)),
        Item::time("Gen. Max. Com. Creation Time: ", "log_committed_high_created", header.max_committed_time),
        Item::new(
            "   Log Consistent: ",
            "log_consistent",
            format_args!("{consistent} ({consistent:#x}) [Pre-Redo: {pre_consistent} ({pre_consistent:#x})]"),
            Value::Fields(vec![
                ("low", generation(consistent)),
                ("low_before_redo", generation(pre_consistent)),
            ]),
        ),
        Item::two_notations("   Log Recovering: ", "log_recovering", header.recovering),
        Item::yes_no("         Shadowed: ", "shadowed", !header.shadowing_disabled, ["Yes", "No"]),
        Item::number("       Last Objid: ", "last_objid", header.last_objid),
    ]
}

fn history(header: &DatabaseHeader) -> Vec<Item> {
    let moment = |label, name, place: LgPos, time: LogTime| {
        let value = Value::Fields(vec![("place", Value::Place(place)), ("time", Value::Time(time))]);
        Item::new(label, name, format_args!("{place}  {time}"), value)
    };
    let (repairs, reseeds, patches) = (header.repairs, header.reseeds, header.page_patches);
    let happened = |what: Occurrences| what != Occurrences::default();
    let [major, minor, build, service_pack] = header.os_version;
    let (sort_high, sort_low) = (header.sort_version >> 32, header.sort_version & 0xFFFF_FFFF);
    vec![
        Item::two_notations("     Scrub Dbtime: ", "scrub_dbtime", header.scrub_dbtime),
        Item::time("       Scrub Date: ", "scrub_time", header.scrub_time),
        Item::number("     Repair Count: ", "repair_count", repairs.count),
        Item::time("      Repair Date: ", "repair_time", repairs.last),
        Item::number(" Old Repair Count: ", "old_repair_count", repairs.earlier),
        Item::number("     Reseed Count: ", "reseed_count", reseeds.count).printed_if(happened(reseeds)),
        Item::time("      Reseed Date: ", "reseed_time", reseeds.last).printed_if(happened(reseeds)),
        Item::number(" Old Reseed Count: ", "old_reseed_count", reseeds.earlier)
            .printed_if(happened(reseeds)),
        Item::number("      Patch Count: ", "patch_count", patches.count).printed_if(happened(patches)),
        Item::time("       Patch Date: ", "patch_time", patches.last).printed_if(happened(patches)),
        Item::number("  Old Patch Count: ", "old_patch_count", patches.earlier).printed_if(happened(patches)),
        moment("  Last Consistent: ", "last_consistent", header.consistent, header.consistent_time),
        moment("      Last Attach: ", "last_attach", header.attached, header.attached_time),
        moment("      Last Detach: ", "last_detach", header.detached, header.detached_time),
        moment("    Last ReAttach: ", "last_reattach", header.reattached, header.reattached_time),
        Item::number("             Dbid: ", "dbid", header.dbid),
        Item::signature("    Log Signature: ", "log_signature", header.log_signature),
        Item::new(
            "       OS Version: ",
            "os_version",
            format_args!("({major}.{minor}.{build} SP {service_pack} NLS {sort_high:x}.{sort_low:x})"),
            Value::Fields(vec![
                ("major", Value::Number(major.into())),
                ("minor", Value::Number(minor.into())),
                ("build", Value::Number(build.into())),
                ("service_pack", Value::Number(service_pack.into())),
                ("sort_version", Value::Number(header.sort_version)),
            ]),
        ),
    ]
}

fn backups(header: &DatabaseHeader) -> [Group; 6] {
    let backup = |name, title, info: BackupInfo, kind: Option<BackupKind>| {
        let (word, kind) = match kind {
            Some(kind) => kind_words(kind),
            None => (String::new(), Value::Absent),
        };
        let (low, high) = (info.low_generation, info.high_generation);
        Group::named(
            name,
            title,
            vec![
                Item::new(
                    "        Log Gen: ",
                    "log_generations",
                    format_args!("{}{word}", range(low, high)),
                    Value::Fields(vec![
                        ("low", Value::Number(low.into())),
                        ("high", Value::Number(high.into())),
                        ("kind", kind),
                    ]),
                ),
                Item::place("           Mark: ", "mark", info.mark),
                Item::time("           Mark: ", "time", info.time),
            ],
        )
    };
    let (full, incremental) = (header.full_backup_kind, header.incremental_backup_kind);
    let (copy, differential) = (header.copy_backup_kind, header.differential_backup_kind);
    [
        backup("previous_full_backup", "Previous Full Backup:\n", header.full_backup, Some(full)),
        backup(
            "previous_incremental_backup",
            "Previous Incremental Backup:\n",
            header.incremental_backup,
            Some(incremental),
        ),
        backup("previous_copy_backup", "Previous Copy Backup:\n", header.copy_backup, Some(copy)),
        backup(
            "previous_differential_backup",
            "Previous Differential Backup:\n",
            header.differential_backup,
            Some(differential),
        ),
        backup("current_full_backup", "Current Full Backup:\n", header.current_full_backup, None),
        backup("current_shadow_copy_backup", "Current Shadow copy backup:\n", header.current_snapshot, None),
    ]
}

/// What follows the generations of a backup, and the word for programs.
fn kind_words(kind: BackupKind) -> (String, Value) {
    let word = match kind {
        BackupKind::Streaming => return (String::new(), Value::Text("Streaming".into())),
        BackupKind::OsSnapshot => "OSSnapshot".to_owned(),
        BackupKind::Snapshot => "Snapshot".to_owned(),
        BackupKind::Surrogate => "Surrogate".to_owned(),
        BackupKind::Unknown(number) => format!("Unknown({number})"),
    };
    (format!(" - {word}"), Value::Text(word))
}

fn file_changes(header: &DatabaseHeader) -> [Group; 6] {
    let [pages, free_pages, space_map_pages] = header.upgraded_pages;
    // A place that was never set equals one that was never set: so the engine compares them.
    let resized = match header.last_resize {
        place if place == header.consistent => "(Matches \"Last Consistent\", no subsequent resize)",
        place if place == header.attached => "(Matches \"Last Attach\", no subsequent resize)",
        _ => "",
    };
    let reverts = header.reverts;
    let was_reverted = reverts.count > 0;
    [
        Group::new(
            "",
            vec![
                Item::number("     cpgUpgrade55Format: ", "upgraded_pages", pages),
                Item::number("    cpgUpgradeFreePages: ", "upgraded_free_pages", free_pages),
                Item::number("cpgUpgradeSpaceMapPages: ", "upgraded_space_map_pages", space_map_pages),
            ],
        ),
        Group::new(
            "",
            vec![Item::new(
                "      Last Resize: ",
                "last_resize",
                format_args!("{}  {resized}", header.last_resize),
                Value::Place(header.last_resize),
            )],
        ),
        Group::new(
            "",
            vec![
                Item::number("     Extend Count: ", "extend_count", header.extends.count),
                Item::time("      Extend Date: ", "extend_time", header.extends.last),
            ],
        ),
        Group::new(
            "",
            vec![
                Item::number("     Shrink Count: ", "shrink_count", header.shrinks.count),
                Item::time("      Shrink Date: ", "shrink_time", header.shrinks.last),
            ],
        ),
        Group::new("", vec![Item::number("       Trim Count: ", "trim_count", header.trim_count)]),
        Group::new(
            "",
            vec![
                Item::number("     Revert Count: ", "revert_count", reverts.count).printed_if(was_reverted),
                Item::time("      Revert From: ", "revert_from", reverts.from).printed_if(was_reverted),
                Item::time("        Revert To: ", "revert_to", reverts.to).printed_if(was_reverted),
                Item::number("     Revert Pages: ", "revert_pages", reverts.pages).printed_if(was_reverted),
                Item::place("Last Commit Before Revert: ", "last_commit_before_revert", reverts.last_commit)
                    .printed_if(was_reverted),
            ],
        ),
    ]
}

fn errors(header: &DatabaseHeader) -> [Group; 3] {
    let count = |label, name, what: Occurrences| {
        let value = Value::Fields(vec![
            ("count", Value::Number(what.count.into())),
            ("time", Value::Time(what.last)),
        ]);
        match what.count {
            0 => Item::new(label, name, "none", value),
            count => Item::new(label, name, format_args!("{count} ({})", what.last), value),
        }
    };
    let old = |label, name, what: Occurrences| match what.earlier {
        0 => Item::new(label, name, "none", Value::Number(0)),
        count => Item::number(label, name, count),
    };
    let (fixed, failed, bad) = (header.ecc_fixed, header.ecc_failed, header.bad_checksums);
    let scan = header.scan;
    [
        Group::new(
            "",
            vec![
                count("       ECC Fix Success Count: ", "ecc_fix_success", fixed),
                old("   Old ECC Fix Success Count: ", "old_ecc_fix_success_count", fixed),
                count("         ECC Fix Error Count: ", "ecc_fix_error", failed),
                old("     Old ECC Fix Error Count: ", "old_ecc_fix_error_count", failed),
                count("    Bad Checksum Error Count: ", "bad_checksum_error", bad),
                old("Old bad Checksum Error Count: ", "old_bad_checksum_error_count", bad),
            ],
        ),
        Group::new(
            "",
            vec![
                Item::time("  Last Database Maintenance Finish Date: ", "scan_finished", scan.finished),
                Item::time("Current Database Maintenance Start Date: ", "scan_started", scan.started),
                Item::number(
                    "      Highest Continuous Database Maintenance Page: ",
                    "scan_highest_continuous_page",
                    scan.highest_continuous_page,
                ),
                Item::number(
                    "      Highest Database Maintenance Page: ",
                    "scan_highest_page",
                    scan.highest_page,
                ),
            ],
        ),
        Group::new(
            "",
            vec![
                Item::signature(
                    "  Database Header Flush Signature: ",
                    "header_flush_signature",
                    header.header_flush_signature,
                ),
                Item::signature(
                    " Flush Map Header Flush Signature: ",
                    "flush_map_signature",
                    header.flush_map_signature,
                ),
                Item::signature(
                    "       RBS Header Flush Signature: ",
                    "revert_snapshot_signature",
                    header.snapshot_signature,
                ),
            ],
        ),
    ]
}

/// Generations in both notations.
fn range(low: u32, high: u32) -> String {
    format!("{low}-{high} ({low:#x}-{high:#x})")
}
