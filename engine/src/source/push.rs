//! Streams without a file: what a reader gives, or what a program pushes.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::{Source, check_name, shown};
use crate::attributes::Attributes;
use crate::error::{Error, Result};
use crate::io::fill;

/// Bytes of one buffer between the two ends of a [`push`].
const BUFFER_BYTES: usize = 256 << 10;
/// Buffers of one [`push`], that of the reader among them.
const BUFFERS: usize = 4;

/// A stream that takes its bytes from any reader: standard input, a socket, a [`PushReader`].
pub struct ReadSource<R> {
    name: Vec<u8>,
    attributes: Attributes,
    reader: R,
    position: u64,
}

impl<R: Read + Send> ReadSource<R> {
    /// The bytes `reader` gives, as the stream `name`.
    ///
    /// # Errors
    /// When `name` is no stream name ([`check_name`]).
    pub fn new(name: impl Into<Vec<u8>>, reader: R) -> Result<Self> {
        let name = name.into();
        check_name(&name)?;
        Ok(Self { name, attributes: Attributes::pushed(), reader, position: 0 })
    }
}

impl<R: Read + Send> Source for ReadSource<R> {
    fn name(&self) -> &[u8] {
        &self.name
    }

    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn len(&self) -> Option<u64> {
        None
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        match fill(buf, |rest, _| self.reader.read(rest)) {
            Ok(count) => {
                self.position += count as u64;
                Ok(count)
            }
            Err((filled, e)) => {
                self.position += filled as u64;
                Err(Error::io(shown(&self.name), "cannot read", e).at(self.position))
            }
        }
    }
}

/// A stream whose bytes a program writes, from another thread than the one that reads the source.
///
/// At most 1 MiB waits between the two: [`PushWriter::write`] then blocks until the backup has taken some of it.
///
/// # Errors
/// When `name` is no stream name ([`check_name`]).
pub fn push(name: impl Into<Vec<u8>>) -> Result<(PushWriter, ReadSource<PushReader>)> {
    let (full_in, full_out) = sync_channel(BUFFERS);
    let (empty_in, empty_out) = sync_channel(BUFFERS);
    // One buffer is the reader's own. They grow at first use, so that a short stream costs little.
    for _ in 1..BUFFERS {
        empty_in.try_send(Vec::new()).expect("the channel holds BUFFERS and its other end is in scope");
    }
    let writer = PushWriter { full: full_in, empty: empty_out, current: None };
    let reader =
        PushReader { full: full_out, empty: empty_in, current: Vec::new(), taken: 0, complete: false };
    Ok((writer, ReadSource::new(name, reader)?))
}

enum Message {
    Bytes(Vec<u8>),
    /// The stream is complete.
    End,
    /// The writer gave it up, and why.
    Abort(String),
}

/// The end of a [`push`] that the program writes to. Dropped without [`PushWriter::finish`], it leaves a stream that is
/// cut off, which the backup reports as failed.
pub struct PushWriter {
    full: SyncSender<Message>,
    empty: Receiver<Vec<u8>>,
    current: Option<Vec<u8>>,
}

impl PushWriter {
    /// Hands over what is left and says that the stream is complete.
    ///
    /// # Errors
    /// When the backup has stopped reading. Success means that the bytes were handed over, not that they are on a medium.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.send(Message::End)
    }

    /// Gives the stream up; the backup reports it as failed, with this reason.
    pub fn abort(self, reason: impl Into<String>) {
        // A reader that is gone has nobody to tell.
        let _ = self.full.send(Message::Abort(reason.into()));
    }

    fn send(&self, message: Message) -> io::Result<()> {
        self.full.send(message).map_err(|_| reader_gone())
    }
}

impl Write for PushWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.empty.recv().map_err(|_| reader_gone())?,
        };
        let (taken, _) = buf.split_at(buf.len().min(BUFFER_BYTES - current.len()));
        current.extend_from_slice(taken);
        if current.len() == BUFFER_BYTES {
            self.send(Message::Bytes(current))?;
        } else {
            self.current = Some(current);
        }
        Ok(taken.len())
    }

    /// Hands over what was written so far.
    fn flush(&mut self) -> io::Result<()> {
        self.current.take().map_or(Ok(()), |current| self.send(Message::Bytes(current)))
    }
}

fn reader_gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the backup has stopped reading this stream")
}

/// The end of a [`push`] that the backup reads.
pub struct PushReader {
    full: Receiver<Message>,
    empty: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    taken: usize,
    complete: bool,
}

impl Read for PushReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let rest = self.current.get(self.taken..).unwrap_or_default();
            if !rest.is_empty() || buf.is_empty() {
                let count = rest.len().min(buf.len());
                let (from, _) = rest.split_at(count);
                let (to, _) = buf.split_at_mut(count);
                to.copy_from_slice(from);
                self.taken += count;
                return Ok(count);
            }
            if self.complete {
                return Ok(0);
            }
            match self.full.recv() {
                Ok(Message::Bytes(bytes)) => {
                    let mut used = std::mem::replace(&mut self.current, bytes);
                    self.taken = 0;
                    used.clear();
                    // Refused only when the writer is gone, and then nobody wants it.
                    let _ = self.empty.try_send(used);
                }
                Ok(Message::End) => self.complete = true,
                Ok(Message::Abort(reason)) => {
                    return Err(io::Error::other(format!("given up by its writer: {reason}")));
                }
                Err(_) => {
                    let why = "cut off: its writer went away without saying that it is complete";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::attributes::NodeKind;

    fn read_all(source: &mut dyn Source) -> Result<Vec<u8>> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 1000]);
        loop {
            match source.read(&mut buffer)? {
                0 => return Ok(all),
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn any_reader_is_a_stream() {
        let mut source = ReadSource::new("stdin", &b"some bytes"[..]).unwrap();
        assert_eq!((source.len(), source.attributes().kind), (None, NodeKind::Pushed));
        assert_eq!(read_all(&mut source).unwrap(), b"some bytes");
        assert!(ReadSource::new("../stdin", &b""[..]).is_err());
    }

    #[test]
    fn pushed_bytes_arrive_in_order_whatever_the_sizes_of_the_writes() {
        let (mut writer, mut source) = push("p/stream").unwrap();
        let bytes: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
        let expected = bytes.clone();
        let pushing = thread::spawn(move || {
            let mut rest = &bytes[..];
            for size in (1..).map(|n: usize| n * n * 7 % 300_000) {
                let (now, later) = rest.split_at(size.min(rest.len()));
                writer.write_all(now).unwrap();
                if size % 3 == 0 {
                    writer.flush().unwrap();
                }
                rest = later;
                if rest.is_empty() {
                    return writer.finish().unwrap();
                }
            }
        });
        assert!(read_all(&mut source).unwrap() == expected);
        assert_eq!(source.read(&mut [0]).unwrap(), 0, "the end stays the end");
        pushing.join().unwrap();
    }

    #[test]
    fn a_pushed_stream_without_its_end_is_an_error() {
        let (mut writer, mut source) = push("p").unwrap();
        writer.write_all(b"half").unwrap();
        writer.flush().unwrap();
        drop(writer);
        let error = read_all(&mut source).unwrap_err();
        assert_eq!(error.position(), Some(4));
        assert!(error.to_string().contains("cut off"), "{error}");
        assert!(source.read(&mut [0]).is_err(), "an error is never followed by an end");
    }

    #[test]
    fn a_stream_given_up_tells_why() {
        let (mut writer, mut source) = push("p").unwrap();
        writer.write_all(b"half").unwrap();
        writer.abort("the snapshot was lost");
        let error = read_all(&mut source).unwrap_err();
        assert!(error.to_string().contains("the snapshot was lost"), "{error}");
    }

    #[test]
    fn pushing_to_a_backup_that_has_stopped_fails_instead_of_waiting() {
        let (mut writer, source) = push("p").unwrap();
        drop(source);
        let written = writer.write_all(&vec![0; 8 << 20]);
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_source_that_fails_names_the_place() {
        struct Broken(usize);
        impl Read for Broken {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                match self.0 {
                    1 => Ok(buf.len().min(600)),
                    2 => Err(io::ErrorKind::Interrupted.into()),
                    3 => Ok(buf.len().min(100)),
                    _ => Err(io::Error::other("the line is dead")),
                }
            }
        }
        let error = read_all(&mut ReadSource::new("line", Broken(0)).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "line at byte 700: cannot read: the line is dead");
    }
}
