//! Tables of a database: trees of pages and what is in them.

pub mod tree;
