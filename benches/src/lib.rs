//! The ratio table: what backup and restore reach, beside the limits of the same machine in the same run
//! (`reference/performance.md` section 1), and the check that memory stays in its bound.
//!
//! Absolute rates say little: they are other ones on every machine. What counts is the ratio of a run to a model that is
//! made of the limits of its stages. `README.md` in this folder tells how to read the table.
#![warn(missing_docs)]

pub mod cold;
pub mod cuts;
pub mod gauge;
pub mod index;
pub mod integrity;
pub mod limits;
pub mod linear;
pub mod machine;
pub mod memory;
mod mmap;
pub mod model;
pub mod peers;
pub mod pipeline;
pub mod rebuild;
pub mod rebuild_table;
pub mod row;
pub mod rows;
pub mod samples;
pub mod stage;
pub mod table;
pub mod turns;
pub mod workbench;

/// What ends a benchmark.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// What the steps of a benchmark give.
pub type Result<T> = std::result::Result<T, Failure>;
