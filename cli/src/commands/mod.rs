//! One short file a command.

pub mod backup;
pub mod demo;
pub mod ese;
pub mod info;
pub mod list;
pub mod manual;
pub mod rebuild;
pub mod restore;
pub mod scan;
pub mod verify;
