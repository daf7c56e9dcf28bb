//! A file by direct requests through io_uring, and nothing is done with its bytes.
#![allow(unsafe_code)]

use io_uring::{IoUring, opcode, types};
use memmap2::MmapMut;
use rustix::fs::OFlags;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Requests at once, and bytes of each.
const DEPTH: usize = 16;
const BLOCK: usize = 256 << 10;

/// Reads all of a file and gives how many bytes it had.
pub(crate) fn read_all(path: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::DIRECT.bits().cast_signed()).open(path)?;
    let length = file.metadata()?.len();
    let mut memory = MmapMut::map_anon(DEPTH * BLOCK)?;
    // After the memory, so that it is closed before that goes.
    let mut ring = IoUring::new(DEPTH as u32)?;
    let places: Vec<_> = memory
        .chunks_mut(BLOCK)
        .map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() })
        .collect();
    // SAFETY: the places are parts of `memory`, which outlives the requests: each is waited for, or the process ends.
    unsafe { ring.submitter().register_buffers(&places) }?;
    let (mut next, mut flying, mut read) = (0, 0, 0);
    let mut free: Vec<usize> = (0..DEPTH).collect();
    let mut failed = None;
    loop {
        while next < length
            && failed.is_none()
            && let Some(index) = free.pop()
        {
            let place = places[index].iov_base.cast();
            let request =
                opcode::ReadFixed::new(types::Fd(file.as_raw_fd()), place, BLOCK as u32, index as u16);
            let request = request.offset(next).build().user_data(index as u64);
            // SAFETY: the place has `BLOCK` bytes and no other request, and the file stays open.
            unsafe { ring.submission().push(&request) }.expect("as many places as the queue has");
            next += BLOCK as u64;
            flying += 1;
        }
        if flying == 0 {
            return failed.map_or(Ok(read), Err);
        }
        while let Err(e) = ring.submit_and_wait(1) {
            assert_eq!(
                e.kind(),
                io::ErrorKind::Interrupted,
                "requests are under way in memory that would go: {e}"
            );
        }
        for done in ring.completion() {
            flying -= 1;
            free.push(done.user_data() as usize);
            match u64::try_from(done.result()) {
                Ok(bytes) => read += bytes,
                Err(_) => failed = Some(io::Error::from_raw_os_error(-done.result())),
            }
        }
    }
}
