//! Measures stages alone, again and again, on the bytes that the runs beside them have.

mod files;
mod processor;

pub(crate) use files::read_by;
pub(crate) use processor::GROUP;

use crate::Result;
use crate::cold::cold_read;
use crate::limits::{Limits, Measured};
use crate::machine::Seconds;
use crate::stage::Stage;
use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::rc::Rc;

/// Bytes that the stages of the processor are measured on, from so large pieces all over the file.
const SAMPLE: u64 = 128 << 20;
const PIECE: u64 = 4 << 20;

/// What is measured, and where.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file that the runs read.
    pub input: PathBuf,
    /// Bytes of its pages.
    pub unit: usize,
    /// Where files may be written.
    pub folder: PathBuf,
    /// What "all threads" are.
    pub threads: usize,
    /// The best of all measurements of such bytes.
    pub best: Rc<RefCell<Limits>>,
}

/// Gives what a byte of a stage takes now.
type Meter = Box<dyn FnMut() -> Result<Seconds>>;

/// Some stages, ready to be measured.
pub struct Gauge {
    best: Rc<RefCell<Limits>>,
    meters: Vec<(Stage, Meter)>,
}

impl Gauge {
    /// Takes a sample of the file and whatever the stages need, and lets each run once, so that the first measurement finds
    /// everything as warm as the last.
    ///
    /// # Errors
    /// Those of the file.
    pub fn new(place: &Place, stages: impl IntoIterator<Item = Stage>) -> Result<Gauge> {
        let sample = Rc::new(sample(place)?);
        let mut gauge = Gauge { best: place.best.clone(), meters: Vec::new() };
        for stage in stages {
            if gauge.meters.iter().all(|(known, _)| *known != stage) {
                gauge.meters.push((stage, meter(place, &sample, stage)?));
            }
        }
        gauge.measure()?;
        Ok(gauge)
    }

    /// Measures each stage.
    ///
    /// # Errors
    /// Those of the file.
    pub fn measure(&mut self) -> Result<Measured> {
        let mut now = Measured::default();
        for (stage, meter) in &mut self.meters {
            now.add(*stage, meter()?);
        }
        self.best.borrow_mut().raise(&now.best);
        Ok(now)
    }
}

fn meter(place: &Place, sample: &Rc<Vec<u8>>, stage: Stage) -> Result<Meter> {
    let (input, folder) = (place.input.clone(), &place.folder);
    let sample = sample.clone();
    Ok(match stage {
        Stage::Read => files::read(File::open(input)?, 1)?,
        Stage::ReadAll => files::read(File::open(input)?, place.threads)?,
        Stage::ReadCold => Box::new(move || Ok(Seconds::once(1.0 / cold_read(&input, 1)?.best()))),
        Stage::Map => files::touch(File::open(input)?),
        Stage::Write => files::write(sample, input.metadata()?.len(), folder.join("limit")),
        Stage::WriteDurable => files::write_durable(sample, input.metadata()?.len(), folder.join("limit")),
        Stage::Copy => processor::copy(1),
        Stage::CopyAll => processor::copy(place.threads),
        Stage::Cdc => processor::cut_points(sample),
        Stage::HashPages => processor::hash_pages(sample, place.unit),
        Stage::HashChunks => processor::hash_chunks(sample),
        Stage::Compress(level) => processor::compress(sample, level)?,
        Stage::Decode(level) => processor::decode(&sample, level)?,
    })
}

/// Pieces from all over the file, one behind the other; all of it, if it is short.
fn sample(place: &Place) -> Result<Vec<u8>> {
    let file = File::open(&place.input)?;
    let length = file.metadata()?.len();
    let mut sample = vec![0; usize::try_from(length.min(SAMPLE))?];
    let (all, taken) = (length.div_ceil(PIECE), sample.len().div_ceil(PIECE as usize) as u64);
    for (number, piece) in (0..).zip(sample.chunks_mut(PIECE as usize)) {
        // Whole pages, as their sizes divide that of a piece.
        file.read_exact_at(piece, number * all / taken * PIECE)?;
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_is_its_own_sample_and_a_long_one_is_sampled_all_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place {
            input: folder.path().join("input"),
            unit: 4096,
            folder: folder.path().to_owned(),
            threads: 1,
            best: Rc::default(),
        };
        let bytes: Vec<u8> = (0..5 * PIECE / 2).map(|at| (at >> 12) as u8).collect();
        std::fs::write(&place.input, &bytes).unwrap();
        assert!(sample(&place).unwrap() == bytes);

        // Three times as long: every third piece, and the last of them near the end.
        let file = File::options().write(true).open(&place.input).unwrap();
        file.set_len(3 * SAMPLE).unwrap();
        file.write_all_at(&[9], 3 * (SAMPLE - PIECE)).unwrap();
        let sample = sample(&place).unwrap();
        assert_eq!(sample.len() as u64, SAMPLE);
        assert!(sample[..PIECE as usize] == bytes[..PIECE as usize]);
        assert_eq!(sample[(SAMPLE - PIECE) as usize], 9);
    }
}
