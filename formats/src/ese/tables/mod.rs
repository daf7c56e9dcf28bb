//! Tables of a database: [`Catalog::read`] finds them, [`Table::rows`] gives their rows and [`Index::entries`] the
//! entries of an index, one at a time, so that memory does not grow with the table. What is damaged costs what stands on
//! the damaged pages and is named in its place; everything else is given.

pub mod catalog;
pub mod check;
pub mod compression;
pub mod long_value;
pub mod record;
pub mod rows;
pub mod space;
pub mod text;
pub mod tree;
pub mod value;
pub mod xpress;

pub use catalog::{Catalog, Column, Index, Object, Table};
pub use rows::{IndexEntry, Row, Rows};
pub use tree::{Lost, Tree};
pub use value::{ColumnType, Value};
