//! The log of a mail server: a text file of any length, which no page size divides.

use crate::dictionary::Dictionary;
use crate::random::{Random, hash};
use std::fs::File;
use std::io::{self, Write};

/// Seconds of the log that are written at a time.
const SECONDS: u64 = 600;
const HOSTS: u32 = 12;
const STATES: [&str; 6] = [
    "sent (250 ok)",
    "sent (250 ok)",
    "sent (250 ok)",
    "sent (queued)",
    "deferred (timed out)",
    "bounced (550 unknown)",
];

/// Lines that tell of mails which come and go, in the order of their times. The same seed gives the same text.
#[derive(Debug)]
pub struct Text {
    seed: u64,
    bytes: u64,
    dictionary: Dictionary,
}

impl Text {
    /// A text of so many bytes; its last line may be cut off.
    pub fn new(seed: u64, bytes: u64) -> Text {
        Text { seed, bytes, dictionary: Dictionary::new(seed) }
    }

    /// Writes it from where the file stands.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write_to(&self, mut file: &File) -> io::Result<()> {
        let (mut left, mut lines) = (self.bytes, Vec::new());
        for part in 0.. {
            lines.clear();
            self.lines(part, &mut lines)?;
            let now = left.min(lines.len() as u64);
            file.write_all(&lines[..now as usize])?;
            left -= now;
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// The lines of some minutes.
    fn lines(&self, part: u64, out: &mut Vec<u8>) -> io::Result<()> {
        let mut random = Random::new(hash(&[self.seed, 0x7E47, part]));
        for second in part * SECONDS..(part + 1) * SECONDS {
            for _ in 0..random.between(1, 9) {
                self.mail(second, &mut random, out)?;
            }
        }
        Ok(())
    }

    /// What is said of one mail: where it came from, what it is, where it went.
    fn mail(&self, second: u64, random: &mut Random, out: &mut Vec<u8>) -> io::Result<()> {
        let (day, hour, minute) = (second / 86_400 % 28 + 1, second / 3600 % 24, second / 60 % 60);
        let time = format!("2026-01-{day:02}T{hour:02}:{minute:02}:{:02}", second % 60);
        let host = random.below(HOSTS);
        let (process, id) = (random.between(1000, 32_000), random.next() >> 24);
        let milli = random.below(900);
        write!(out, "{time}.{milli:03} mx{host:02} smtpd[{process}]: {id:010X}: client=")?;
        out.extend(self.dictionary.word(random));
        writeln!(out, ".mail.example[10.{}.{}.{}]", host, random.below(8), random.below(250))?;
        write!(out, "{time}.{:03} mx{host:02} cleanup[{process}]: {id:010X}: subject=\"", milli + 20)?;
        let at = out.len();
        out.resize(at + random.between(10, 60) as usize, b' ');
        self.dictionary.text(random, &mut out[at..]);
        write!(out, "\"\n{time}.{:03} mx{host:02} qmgr[{process}]: {id:010X}: from=<", milli + 40)?;
        self.address(random, out);
        writeln!(out, ">, size={}, nrcpt=1 (queue active)", random.between(900, 90_000))?;
        write!(out, "{time}.{:03} mx{host:02} lmtp[{process}]: {id:010X}: to=<", milli + 80)?;
        self.address(random, out);
        let state = STATES[random.below(STATES.len() as u32) as usize];
        writeln!(
            out,
            ">, relay=store{}.mail.example, delay=0.{:02}, status={state}",
            host / 4,
            random.below(99)
        )
    }

    fn address(&self, random: &mut Random, out: &mut Vec<u8>) {
        out.extend(self.dictionary.word(random));
        out.push(b'.');
        out.extend(self.dictionary.word(random));
        out.extend(b"@mail.example");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_lines_of_text() {
        let (mut one, mut again, mut other) = (Vec::new(), Vec::new(), Vec::new());
        Text::new(3, 0).lines(5, &mut one).unwrap();
        Text::new(3, 9).lines(5, &mut again).unwrap();
        Text::new(4, 0).lines(5, &mut other).unwrap();
        assert!(one == again && one != other);
        let text = String::from_utf8(one).unwrap();
        assert!(text.lines().count() > 1000 && text.lines().all(|line| line.starts_with("2026-01-01T0")));
    }
}
