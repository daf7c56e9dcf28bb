//! Where chunks begin and end (`docs/format.md` section 12).

pub mod gear;
pub mod pages;
