//! A queue of requests to the kernel (io_uring) whose buffers are handed over with them and come back when they are done,
//! so that nobody can touch a buffer that the kernel reads or writes.
#![allow(unsafe_code)]

use super::IO_ENV;
use io_uring::{IoUring, opcode, squeue, types};
use memmap2::MmapMut;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// Memory for one request, page-aligned as direct requests want it.
pub(super) struct Buffer {
    index: u16,
    bytes: MmapMut,
}

impl Buffer {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
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
    pub fn new(count: u16, length: usize) -> io::Result<(Self, Vec<Buffer>)> {
        let uring = open(u32::from(count).next_power_of_two())?;
        let mut buffers = Vec::with_capacity(usize::from(count));
        for index in 0..count {
            buffers.push(Buffer { index, bytes: MmapMut::map_anon(length)? });
        }
        let places: Vec<_> = buffers
            .iter_mut()
            .map(|b| libc::iovec { iov_base: b.bytes.as_mut_ptr().cast(), iov_len: b.bytes.len() })
            .collect();
        // SAFETY: each place is a mapping of just that length. A buffer that is dropped stays pinned for the kernel until the
        // queue is closed, and requests name a registered buffer only while they own it.
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
        mut buffer: Buffer,
        file: Arc<File>,
        offset: u64,
        length: usize,
        tag: T,
    ) -> Result<(), (Buffer, T)> {
        let length = length.min(buffer.bytes.len()) as u32;
        let (fd, memory) = (types::Fd(file.as_raw_fd()), buffer.bytes.as_mut_ptr());
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
        let bytes = buffer.bytes.get(range).unwrap_or_default();
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
