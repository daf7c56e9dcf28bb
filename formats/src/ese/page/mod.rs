//! One database page: its checksums.

pub mod checksum;
mod parity;
