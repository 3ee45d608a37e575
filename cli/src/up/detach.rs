//! A mesh in the background, and its end.

use std::{
    fs::OpenOptions,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::state;
use crate::{
    arguments::Up,
    failure::Failure,
    output::{own_name, say},
};

/// How often the other process is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Opening the data of a large stand-in takes a while.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Longer than the router's own drain.
const STOP_TIMEOUT: Duration = Duration::from_secs(150);

/// Starts `layer up` as a process of its own and returns when it is ready.
pub fn detach(arguments: &Up) -> Result<(), Failure> {
    let directory = arguments.data.data_dir();
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", directory.display()));
    std::fs::create_dir_all(&directory).map_err(|error| failed(&error))?;
    if let Some(running) = state::running(&directory) {
        say(&running.banner);
        return Err(Failure::new(format!("it runs already; stop it with `{}`", down_line(&directory))));
    }
    let log_file = directory.join("layer.log");
    // Another mesh may be starting on this directory, and its log is not ours to cut.
    let log = OpenOptions::new().create(true).append(true).open(&log_file).map_err(|error| failed(&error))?;
    let before = log.metadata().map_err(|error| failed(&error))?.len();
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let own: Vec<_> = std::env::args_os().skip(1).filter(|argument| argument != "--detach").collect();
    let mut child = Command::new(program)
        .args(own)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0)
        .spawn()
        .map_err(|error| failed(&error))?;
    let started = Instant::now();
    loop {
        let own = state::running(&directory).filter(|running| u32::try_from(running.pid) == Ok(child.id()));
        if let Some(running) = own {
            say(&running.banner);
            say(&format!(
                "\nIt runs in the background; its log is {}; stop it with `{}`.\n",
                log_file.display(),
                down_line(&directory)
            ));
            return Ok(());
        }
        if child.try_wait().map_err(|error| failed(&error))?.is_some() {
            let said = std::fs::read(&log_file).unwrap_or_default();
            let said = said.get(usize::try_from(before).unwrap_or(usize::MAX)..).unwrap_or_default();
            return Err(Failure::new(String::from_utf8_lossy(said).trim().trim_start_matches("error: ").to_owned()));
        }
        if started.elapsed() > START_TIMEOUT {
            return Err(Failure::new(format!("it is not ready after {START_TIMEOUT:?}; see {}", log_file.display())));
        }
        sleep(LOOK);
    }
}

fn down_line(directory: &Path) -> String {
    format!("{} down --data-dir {}", own_name(), directory.display())
}

/// `layer down`
pub fn down(directory: &Path) -> Result<(), Failure> {
    if !state::is_claimed(directory) {
        return Err(Failure::new(format!("no mesh runs on {}; another one? --data-dir", directory.display())));
    }
    let running = state::running(directory);
    let pid = running.and_then(|running| Pid::from_raw(running.pid));
    let pid = pid.ok_or_else(|| Failure::new("the mesh is still starting; try again in a moment"))?;
    kill_process(pid, Signal::TERM)
        .map_err(|error| Failure::new(format!("process {}: {error}", pid.as_raw_nonzero())))?;
    let told = Instant::now();
    while state::is_claimed(directory) {
        if told.elapsed() > STOP_TIMEOUT {
            return Err(Failure::new(format!("process {} still runs after {STOP_TIMEOUT:?}", pid.as_raw_nonzero())));
        }
        sleep(LOOK);
    }
    say("stopped\n");
    Ok(())
}
