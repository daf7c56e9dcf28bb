//! Where chunks begin and end (`docs/format.md` section 12).

pub mod chain;
pub mod gear;
pub mod guide;
pub mod pages;
