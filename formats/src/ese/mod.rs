//! Extensible Storage Engine: the database files and transaction logs of Exchange, Active Directory and Windows.

pub mod page;
mod space;

pub use space::owned_end;

/// The page sizes that databases come in, in bytes. 2,048 is legacy.
pub const PAGE_SIZES: [u32; 5] = [2048, 4096, 8192, 16384, 32768];

/// The page size that a header's field means: zero stands for 4,096. `None` if it is no page size.
pub(crate) fn page_size_of_field(field: u32) -> Option<u32> {
    let size = if field == 0 { 4096 } else { field };
    PAGE_SIZES.contains(&size).then_some(size)
}
