//! CPU time and memory of processes, as Linux counts them (proc(5)).

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// A process and its children, as they were when this was made.
#[derive(Debug, Clone)]
pub struct Family {
    pids: Vec<u32>,
}

impl Family {
    /// `root` and its direct children: all there is of nginx (a master and its workers) and of the router.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn of(root: u32) -> Result<Self> {
        let mut pids = vec![root];
        for entry in fs::read_dir("/proc").context("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A process may be gone by now.
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if parent(&stat) == Some(root) {
                pids.push(pid);
            }
        }
        Ok(Self { pids })
    }

    /// The process `pid` alone.
    pub fn only(pid: u32) -> Self {
        Self { pids: vec![pid] }
    }

    /// How many processes there are in it.
    #[allow(clippy::len_without_is_empty, reason = "a family has at least its root")]
    pub fn len(&self) -> usize {
        self.pids.len()
    }

    /// Processor time used since their start by the threads that live now.
    ///
    /// From `schedstat`, which counts nanoseconds; `stat` counts in steps of 10 ms, too coarse for short rounds.
    ///
    /// # Errors
    /// When a process ended or the kernel keeps no `schedstat`.
    pub fn cpu(&self) -> Result<Duration> {
        let (mut nanoseconds, mut told) = (0, false);
        for pid in &self.pids {
            let path = format!("/proc/{pid}/task");
            for thread in fs::read_dir(&path).context(path)? {
                let path = thread?.path().join("schedstat");
                // A thread may end between the two reads.
                let text = fs::read_to_string(path).unwrap_or_default();
                let used = on_cpu(&text);
                told |= used.is_some();
                nanoseconds += used.unwrap_or(0);
            }
        }
        anyhow::ensure!(told, "this kernel keeps no /proc/PID/task/TID/schedstat");
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// The sum of the processes' highest resident memory, in bytes. Pages that they share count once for each.
    ///
    /// # Errors
    /// When a process ended.
    pub fn peak_resident_bytes(&self) -> Result<u64> {
        self.pids.iter().try_fold(0, |sum, pid| {
            let path = format!("/proc/{pid}/status");
            let status = fs::read_to_string(&path).context(path)?;
            Ok(sum + kibibytes(&status, "VmHWM:").context("VmHWM")? * 1_024)
        })
    }

    /// Makes [`peak_resident_bytes`](Self::peak_resident_bytes) start anew from what is resident now.
    ///
    /// # Errors
    /// When a process ended or belongs to someone else.
    pub fn reset_peak(&self) -> Result<()> {
        for pid in &self.pids {
            let path = format!("/proc/{pid}/clear_refs");
            fs::write(&path, "5").context(path)?;
        }
        Ok(())
    }
}

/// Processor time of `root` and of all processes below it, also of those that have ended and were waited for. In the kernel's
/// ticks, 10 ms each: for spans of seconds, where processes come and go.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn cpu_of_all_below(root: u32) -> Result<Duration> {
    let mut known = Vec::new();
    for entry in fs::read_dir("/proc").context("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may be gone by now.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        known.extend(parent(&stat).zip(ticks(&stat)).map(|(parent, ticks)| (pid, parent, ticks)));
    }
    let (mut of, mut sum) = (vec![root], 0);
    while let Some(one) = of.pop() {
        sum += known.iter().find(|(pid, ..)| *pid == one).map_or(0, |(.., ticks)| *ticks);
        of.extend(known.iter().filter(|(_, parent, _)| *parent == one).map(|(pid, ..)| *pid));
    }
    Ok(Duration::from_secs_f64(sum as f64 / ticks_per_second() as f64))
}

/// Ticks of the whole machine since boot, over all cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// All ticks.
    pub total: u64,
    /// Ticks in which a core did something for this machine.
    pub busy: u64,
    /// Ticks in which the hypervisor ran something else.
    pub stolen: u64,
}

impl Machine {
    /// The counts now.
    ///
    /// # Errors
    /// When `/proc/stat` cannot be read or understood.
    pub fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("/proc/stat")?;
        machine(&text).context("/proc/stat: the line of all processors")
    }
}

/// Ticks per second in [`Machine`].
pub fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

/// The fields of `/proc/PID/stat` after the name, which may itself hold spaces and brackets; the first is the state.
fn after_name(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace()
}

fn parent(stat: &str) -> Option<u32> {
    after_name(stat).nth(1)?.parse().ok()
}

/// Ticks that a process has used, and those of its children that it has waited for.
fn ticks(stat: &str) -> Option<u64> {
    let ticks: Vec<u64> = after_name(stat).skip(11).take(4).map(str::parse).collect::<Result<_, _>>().ok()?;
    (ticks.len() == 4).then(|| ticks.iter().sum())
}

fn on_cpu(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

fn kibibytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Order in `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; guests count in user already.
fn machine(stat: &str) -> Option<Machine> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let [user, nice, system, idle, waiting, hard, soft, stolen] = ticks[..] else {
        return None;
    };
    let busy = user + nice + system + hard + soft;
    Some(Machine { total: busy + idle + waiting + stolen, busy, stolen })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{self, Command, Stdio};
    use std::time::Instant;

    #[test]
    fn fields_are_found_after_an_odd_name() {
        assert_eq!(parent("17 (a) b (c) S 42 17 17"), Some(42));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn status_and_machine_lines_are_read() {
        assert_eq!(kibibytes("VmPeak:\t 9 kB\nVmHWM:\t  1234 kB\n", "VmHWM:"), Some(1_234));
        let stat = "cpu  10 1 5 100 4 2 3 7 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        let expected = Machine { total: 132, busy: 21, stolen: 7 };
        assert_eq!(machine(stat), Some(expected));
        assert_eq!(machine("cpu  1 2\n"), None);
    }

    #[test]
    fn what_children_took_is_counted_when_they_are_gone() {
        assert_eq!(ticks("17 (a) S 42 17 17 0 -1 0 0 0 0 0 1 20 300 4000 20 0"), Some(4_321));
        assert_eq!(ticks("17 (a) S 42"), None);
        let before = cpu_of_all_below(process::id()).unwrap();
        let loops = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        assert!(Command::new("sh").args(["-c", loops]).status().unwrap().success());
        assert!(cpu_of_all_below(process::id()).unwrap() > before);
    }

    #[test]
    fn work_costs_as_much_as_it_took() {
        let family = Family { pids: vec![process::id()] };
        let before = family.cpu().unwrap();
        let until = before + Duration::from_millis(50);
        let begun = Instant::now();
        // The count must move with work done, not with time passed.
        while family.cpu().unwrap() < until {
            assert!(begun.elapsed() < Duration::from_secs(30), "the count does not move");
        }
    }

    #[test]
    fn children_and_their_memory_belong_to_the_family() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let family = Family::of(process::id()).unwrap();
        assert!(family.pids.contains(&process::id()) && family.pids.contains(&child.id()));
        // Children of other tests may be in the family, and end any time.
        let own = Family { pids: vec![process::id(), child.id()] };
        assert!(own.peak_resident_bytes().unwrap() > 500_000);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
