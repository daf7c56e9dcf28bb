//! Writes a store of one day, the same store a day later, and the logs of both: `write_store FOLDER BYTES [PAGE_SIZE]`.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use reel_workload::Store;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, bytes, rest @ ..] = &arguments[..] else {
        return Err("two arguments: folder and bytes".into());
    };
    let page_size = rest.first().map_or(Ok(32768), |size| size.parse())?;
    let (folder, first_day) = (Path::new(folder), Store::new(1, bytes.parse()?).with_page_size(page_size));
    for day in [first_day.clone(), first_day.next_day(30, 20)] {
        let started = Instant::now();
        day.write_to(&File::create(folder.join(format!("day{}.edb", day.day())))?)?;
        println!("day {}: {} bytes in {:.2} s", day.day(), day.len(), started.elapsed().as_secs_f64());
        let started = Instant::now();
        let logs = day.logs().write_to(folder, 0, u32::MAX)?;
        println!("{} logs in {:.2} s", logs.len(), started.elapsed().as_secs_f64());
    }
    Ok(())
}
