//! A queue of requests to the kernel (io_uring) whose buffers are handed over with them and come back when they are done,
//! so that nobody can touch a buffer that the kernel reads or writes.
#![allow(unsafe_code)]

use super::IO_ENV;
use io_uring::{IoUring, opcode, squeue, types};
use memmap2::{Advice, MmapMut};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::Arc;

/// Bytes of a huge page where pages have 4 KiB; elsewhere it only aligns.
const HUGE: usize = 2 << 20;

/// What the buffers of a queue lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pages {
    /// Those that the system gives everyone.
    Plain,
    /// Huge ones where the system gives them: to the device a buffer is one stretch of memory then, and not one for each 4 KiB.
    /// Cold reads and the single requests of an image are faster for it; the many writes of a restore are not.
    Huge,
}

/// Memory for one request, page-aligned as direct requests want it: its own stretch of what the buffers of a queue share.
pub(super) struct Buffer {
    index: u16,
    place: NonNull<u8>,
    length: usize,
    /// Is there as long as the buffer, and is looked at through buffers only.
    _shared: Arc<MmapMut>,
}

// SAFETY: a buffer owns its stretch, which no other has, like a boxed slice.
unsafe impl Send for Buffer {}
// SAFETY: the same; what is shared can only be read.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// As many buffers of `length` bytes as `count`.
    fn several(count: u16, length: usize, pages: Pages) -> io::Result<Vec<Buffer>> {
        let all = length * usize::from(count);
        let mut shared = MmapMut::map_anon(all + HUGE)?;
        let begin = shared.as_ptr().align_offset(HUGE);
        if pages == Pages::Huge {
            // Whole ones only, so that there is no more memory than asked for.
            let _ = shared.advise_range(Advice::HugePage, begin, all / HUGE * HUGE);
        }
        let places: Vec<_> =
            shared[begin..begin + all].chunks_exact_mut(length).map(|b| NonNull::from(b).cast()).collect();
        let shared = Arc::new(shared);
        let buffer = |(index, place)| Buffer { index, place, length, _shared: shared.clone() };
        Ok((0..count).zip(places).map(buffer).collect())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the stretch is mapped as long as `_shared` is there, no other buffer has it, and bytes of a mapping have values.
        unsafe { std::slice::from_raw_parts(self.place.as_ptr(), self.length) }
    }

    /// Its bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the same; and `self` is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.place.as_ptr(), self.length) }
    }
}

/// A request that the kernel has. It keeps the file open.
struct Flight<T> {
    buffer: Buffer,
    tag: T,
    _file: Arc<File>,
}

/// A request that is done.
pub(super) struct Landed<T> {
    /// What it was called.
    pub tag: T,
    /// The buffer it had.
    pub buffer: Buffer,
    /// Bytes that were moved: fewer than asked for at the end of a file.
    pub result: io::Result<usize>,
}

/// A queue with a fixed number of buffers. Requests are called by a `T` of the user's.
pub(super) struct Ring<T> {
    uring: Arc<IoUring>,
    /// The kernel knows the buffers already, so that a request need not pin them.
    registered: bool,
    /// By buffer.
    flights: Vec<Option<Flight<T>>>,
    flying: usize,
}

impl<T> Ring<T> {
    /// A queue and its buffers: `count` (at most 4,096) of `length` bytes each.
    ///
    /// # Errors
    /// Where the kernel gives no io_uring, or no memory.
    pub fn new(count: u16, length: usize, pages: Pages) -> io::Result<(Self, Vec<Buffer>)> {
        let uring = open(u32::from(count).next_power_of_two())?;
        let buffers = Buffer::several(count, length, pages)?;
        let places: Vec<_> = buffers
            .iter()
            .map(|b| libc::iovec { iov_base: b.place.as_ptr().cast(), iov_len: b.length })
            .collect();
        // SAFETY: each place is mapped memory of just that length. A buffer that is dropped stays pinned for the kernel until
        // the queue is closed, and requests name a registered buffer only while they own it.
        let registered = unsafe { uring.submitter().register_buffers(&places) }.is_ok();
        let flights = (0..count).map(|_| None).collect();
        Ok((Ring { uring: Arc::new(uring), registered, flights, flying: 0 }, buffers))
    }

    /// Requests that the kernel has.
    pub fn flying(&self) -> usize {
        self.flying
    }

    /// Puts a read of at most `length` bytes at `offset` of `file` into the queue; [`Ring::submit`] sends it. Gives both
    /// back if the queue is full.
    pub fn read(
        &mut self,
        buffer: Buffer,
        file: Arc<File>,
        offset: u64,
        length: usize,
        tag: T,
    ) -> Result<(), (Buffer, T)> {
        let length = length.min(buffer.length) as u32;
        let (fd, memory) = (types::Fd(file.as_raw_fd()), buffer.place.as_ptr());
        let request = if self.registered {
            opcode::ReadFixed::new(fd, memory, length, buffer.index).offset(offset).build()
        } else {
            opcode::Read::new(fd, memory, length).offset(offset).build()
        };
        self.push(request, buffer, file, tag)
    }

    /// Puts a write of a range of the buffer's bytes, as far as it has them, at `offset` of `file` into the queue, like
    /// [`Ring::read`].
    pub fn write(
        &mut self,
        buffer: Buffer,
        file: Arc<File>,
        offset: u64,
        range: Range<usize>,
        tag: T,
    ) -> Result<(), (Buffer, T)> {
        let bytes = buffer.bytes().get(range).unwrap_or_default();
        let (fd, memory, length) = (types::Fd(file.as_raw_fd()), bytes.as_ptr(), bytes.len() as u32);
        let request = if self.registered {
            opcode::WriteFixed::new(fd, memory, length, buffer.index).offset(offset).build()
        } else {
            opcode::Write::new(fd, memory, length).offset(offset).build()
        };
        self.push(request, buffer, file, tag)
    }

    fn push(
        &mut self,
        request: squeue::Entry,
        buffer: Buffer,
        file: Arc<File>,
        tag: T,
    ) -> Result<(), (Buffer, T)> {
        let index = usize::from(buffer.index);
        let Some(place) = self.flights.get_mut(index).filter(|place| place.is_none()) else {
            return Err((buffer, tag));
        };
        let request = request.user_data(index as u64);
        // SAFETY: of the queue's users only those with `&mut self` push or take, so there is one at a time. The request's memory
        // is the buffer's, within it, and its file is open: both are kept in `flights` until it is done.
        let pushed = unsafe { self.uring.submission_shared().push(&request) };
        if pushed.is_err() {
            return Err((buffer, tag));
        }
        *place = Some(Flight { buffer, tag, _file: file });
        self.flying += 1;
        Ok(())
    }

    /// Sends what was put into the queue. What the kernel does not take now goes with the next call or [`Waiter::wait`].
    pub fn submit(&self) {
        let _ = self.uring.submit();
    }

    /// Takes the requests that are done.
    pub fn land(&mut self, mut landed: impl FnMut(Landed<T>)) {
        // SAFETY: as in `push`: there is one user at a time.
        for done in unsafe { self.uring.completion_shared() } {
            let index = usize::try_from(done.user_data()).unwrap_or(usize::MAX);
            let Some(Flight { buffer, tag, .. }) = self.flights.get_mut(index).and_then(Option::take) else {
                continue;
            };
            self.flying -= 1;
            let result = usize::try_from(done.result())
                .map_err(|_| io::Error::from_raw_os_error(done.result().saturating_neg()));
            landed(Landed { tag, buffer, result });
        }
    }

    /// What sends requests and waits for them while others use the queue.
    pub fn waiter(&self) -> Waiter {
        Waiter(self.uring.clone())
    }
}

fn open(entries: u32) -> io::Result<IoUring> {
    if std::env::var_os(IO_ENV).is_some_and(|value| value == "without-uring") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    IoUring::new(entries)
}

/// Whether the kernel gives io_uring.
pub(super) fn probe() -> io::Result<()> {
    open(1).map(drop)
}

impl<T> Drop for Ring<T> {
    /// Waits until the kernel has left the buffers alone; if that cannot be had, they are never freed.
    fn drop(&mut self) {
        while self.flying > 0 {
            if self.waiter().wait().is_err() {
                std::mem::forget(std::mem::take(&mut self.flights));
                return;
            }
            self.land(drop);
        }
    }
}

/// Sends requests of a [`Ring`] and waits for them.
pub(super) struct Waiter(Arc<IoUring>);

impl Waiter {
    /// As [`Ring::submit`].
    pub fn submit(&self) {
        let _ = self.0.submit();
    }

    /// Returns when at least one request is done that was not taken yet. Never to be called while none is under way, or while
    /// another may take it.
    pub fn wait(&self) -> io::Result<()> {
        match self.0.submitter().submit_and_wait(1) {
            Err(e) if !matches!(e.kind(), io::ErrorKind::Interrupted) && !is_busy(&e) => Err(e),
            // Whoever waits looks again.
            _ => Ok(()),
        }
    }
}

/// The kernel wants what is done to be taken first.
fn is_busy(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EAGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_page_aligned_and_none_has_a_byte_of_another() {
        let (plain, huge) = (Pages::Plain, Pages::Huge);
        for (count, length, pages) in
            [(1, 4096, plain), (3, 256 << 10, huge), (17, 256 << 10, huge), (5, 1 << 20, plain)]
        {
            let mut buffers = Buffer::several(count, length, pages).unwrap();
            for buffer in &mut buffers {
                let value = buffer.index as u8 + 1;
                assert_eq!(buffer.place.as_ptr() as usize % 4096, 0);
                assert!(buffer.bytes().iter().all(|byte| *byte == 0), "another wrote here");
                buffer.bytes_mut().fill(value);
            }
            let indexes: Vec<u16> = buffers.iter().map(|buffer| buffer.index).collect();
            assert!(indexes.into_iter().eq(0..count));
            // The memory is there as long as one of them.
            while buffers.len() > 1 {
                drop(buffers.swap_remove(0));
            }
            for buffer in &buffers {
                let bytes = buffer.bytes();
                assert_eq!(bytes.len(), length);
                assert!(bytes.iter().all(|byte| *byte == buffer.index as u8 + 1), "{count} of {length}");
            }
        }
    }
}
