//! The listing of a checkpoint, `eseutil /mk`.

use super::log::attachments;
use super::{Group, Item, Listing, Value, environment};
use crate::ese::checkpoint::Checkpoint;

/// What a checkpoint says, with the labels of `eseutil /mk`.
pub fn checkpoint(checkpoint: &Checkpoint) -> Listing {
    let mut items = vec![
        Item::place(
            "      LastFullBackupCheckpoint: ",
            "last_full_backup_checkpoint",
            checkpoint.last_full_backup_checkpoint,
        ),
        Item::place("      Checkpoint: ", "checkpoint", checkpoint.checkpoint),
        Item::place("      DbConsistency: ", "consistency", checkpoint.consistency),
        Item::place("      FullBackup: ", "full_backup", checkpoint.full_backup),
        Item::time("      FullBackup time: ", "full_backup_time", checkpoint.full_backup_time),
        Item::place("      IncBackup: ", "incremental_backup", checkpoint.incremental_backup),
        Item::time("      IncBackup time: ", "incremental_backup_time", checkpoint.incremental_backup_time),
        Item::signature("      Signature: ", "log_signature", checkpoint.log_signature),
        Item::words("      Env SystemPath: ", "system_path", &checkpoint.environment.system_path),
        Item::words("      Env LogFilePath: ", "log_path", &checkpoint.environment.log_path),
        environment(&checkpoint.environment),
    ];
    items.push(match &checkpoint.attachments {
        Some(list) => attachments(list),
        None => Item::new("", "attachments", "", Value::Absent).printed_if(false),
    });
    Listing::new(vec![Group::new("", items)])
}
