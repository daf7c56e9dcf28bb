//! `--io`: where there is no io_uring, and runs that are killed while they write through it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn reel(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reel"));
    command.args(args).current_dir(folder).env("REEL_CACHE", folder.join("cache"));
    command
}

fn run(mut command: Command, code: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Bytes that do not compress and do not repeat.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(next).collect()
}

fn image(folder: &Path, pool: &str) -> PathBuf {
    folder.join(pool).join("RM0001.tap")
}

#[test]
fn without_io_uring_it_is_an_error_only_where_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data"), noise(9_000_000)).unwrap();
    let backup = |pool, io| {
        let args = ["backup", "--clock", "5", "--seed", "9", "--pool", pool, "--io", io, "data"];
        let mut command = reel(folder.path(), &args);
        command.env("REEL_IO", "without-uring");
        command
    };
    let refused = run(backup("none", "uring"), 2);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("io_uring was asked for, but the system does not give it"), "{said}");
    assert!(!folder.path().join("none").exists());
    run(backup("auto", "auto"), 0);
    let mut with = backup("with", "auto");
    with.env_remove("REEL_IO");
    run(with, 0);
    run(backup("plain", "plain"), 0);
    let images = ["auto", "with", "plain"].map(|pool| fs::read(image(folder.path(), pool)).unwrap());
    assert!(images[0] == images[1] && images[1] == images[2]);
}

fn args(pool: &str) -> [&str; 11] {
    ["backup", "--clock", "5", "--seed", "9", "--level=none", "--io", "uring", "--pool", pool, "data"]
}

#[test]
fn a_run_that_is_killed_leaves_a_beginning_of_its_image_and_the_next_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data"), noise(160 << 20)).unwrap();
    if reel(folder.path(), &args("whole")).output().unwrap().status.code() == Some(2) {
        eprintln!("skipped: a_run_that_is_killed_...: the system gives no io_uring");
        return;
    }
    let whole = fs::read(image(folder.path(), "whole")).unwrap();
    let (mut killed, mut gone_on) = (0, 0);
    for (number, megabytes) in [1, 9, 30, 55, 80, 110].into_iter().enumerate() {
        let pool = format!("killed-{number}");
        let mut child = reel(folder.path(), &args(&pool)).stdout(Stdio::null()).spawn().unwrap();
        let path = image(folder.path(), &pool);
        while fs::metadata(&path).map_or(0, |m| m.len()) < megabytes << 20
            && child.try_wait().unwrap().is_none()
        {}
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        let torn = fs::read(&path).unwrap();
        assert!(whole.starts_with(&torn), "killed at {megabytes} MiB: {} bytes", torn.len());
        let again = run(reel(folder.path(), &args(&pool)), 0);
        gone_on += u32::from(String::from_utf8_lossy(&again.stdout).contains("duplicate"));
        run(reel(folder.path(), &["verify", "--pool", &pool]), 0);
        fs::remove_dir_all(folder.path().join(&pool)).unwrap();
    }
    assert!(killed > 0 && gone_on > 0, "{killed} killed, {gone_on} went on with what was there");
}

#[test]
fn a_restore_is_the_same_with_and_without_io_uring_and_an_error_only_where_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = noise(9_000_001);
    fs::write(folder.path().join("data"), &data).unwrap();
    run(reel(folder.path(), &["backup", "--pool", "pool", "data"]), 0);
    let restore = |to, io, without: bool| {
        let mut command = reel(folder.path(), &["restore", "--pool", "pool", "--to", to, "--io", io]);
        if without {
            command.env("REEL_IO", "without-uring");
        }
        command
    };
    let refused = run(restore("none", "uring", true), 2);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("io_uring was asked for, but the system does not give it"), "{said}");
    assert!(!folder.path().join("none").exists());
    for (to, io, without) in [("auto", "auto", false), ("without", "auto", true), ("plain", "plain", false)] {
        run(restore(to, io, without), 0);
        assert!(fs::read(folder.path().join(to).join("data")).unwrap() == data, "{to}");
    }
}

#[test]
fn a_restore_that_is_killed_leaves_no_incomplete_file_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = noise(120 << 20);
    fs::write(folder.path().join("data"), &data).unwrap();
    run(reel(folder.path(), &["backup", "--level=none", "--pool", "pool", "data"]), 0);
    let mut killed = 0;
    for milliseconds in [5, 20, 40, 70] {
        let mut child = reel(folder.path(), &["restore", "--pool", "pool", "--to", "out"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().unwrap();
        let was_killed = !child.wait().unwrap().success();
        killed += u32::from(was_killed);
        for entry in fs::read_dir(folder.path().join("out")).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_temporary =
                was_killed && name.starts_with(".reel-") && path.extension().is_some_and(|end| end == "part");
            assert!(is_temporary || fs::read(&path).unwrap() == data, "{name}");
        }
        let _ = fs::remove_dir_all(folder.path().join("out"));
    }
    assert!(killed > 0);
}
