//! Deterministic mail-store-like ESE databases, their daily changes and their transaction logs, and the log of a mail
//! server as text, for the demo, the benchmarks and the tests.
//!
//! Every page is a function of the store's seed, its own number and the days on which it was picked, so a store of any
//! size can be written on all cores, brought from one day to the next by rewriting what changed, or read at any offset
//! without a file. Pages have right checksums, nodes, keys, links, trees, space trees, records, long values and catalog.
//! Compressibility and duplicates are those of a mail store: text, tables, already compressed attachments, and about a
//! fifth of the attachment bytes stored twice, at other places of their pages.
//!
//! What it never does: keep a database in memory, depend on time, machine or number of threads, or pretend to be an
//! engine. The logs read well and name the changes of the day, but they are not complete: replayed onto the day before
//! they do not give the day after. Secondary indexes of the catalog are empty, and entries of the folder index point at
//! messages at random.
//!
//! ```
//! use reel_workload::Store;
//!
//! let monday = Store::new(7, 4 << 20).with_page_size(4096);
//! let tuesday = monday.next_day(30, 20);
//! let mut page = vec![0; 4096];
//! tuesday.read_at(&mut page, 2 * 4096);
//! assert!(tuesday.changed_pages().count() > 10 && tuesday.len() > monday.len());
//! ```
#![warn(missing_docs)]

mod catalog;
mod content;
mod dictionary;
mod file;
mod header;
mod layout;
mod log;
mod messages;
mod page;
mod random;
mod store;
mod system;
mod text;
mod tree;
mod values;

pub use log::Logs;
pub use store::Store;
pub use text::Text;
