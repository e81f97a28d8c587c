//! What processes cost, as `/proc` tells it.

use anyhow::Context;
use std::fs;
use std::time::Duration;

/// A clock tick of `/proc`: `USER_HZ` is 100 on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// The part of `/proc/<pid>/stat` that matters here.
struct Stat {
    parent: u32,
    own_ticks: u32,
    ended_children_ticks: u32,
}

fn stat(pid: u32) -> anyhow::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command's name comes first, in parentheses, and may hold anything.
    let (_, rest) = text.rsplit_once(')').context("`/proc/<pid>/stat` has another form")?;
    let fields: Vec<u32> = rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let field = |at: usize| fields.get(at).copied().unwrap_or(0);
    // Counted from the state: the parent is the 2nd, times are the 12th to the 15th.
    Ok(Stat {
        parent: field(1),
        own_ticks: field(11) + field(12),
        ended_children_ticks: field(13) + field(14),
    })
}

/// User and system time of one process.
pub(crate) fn cpu_of(pid: u32) -> anyhow::Result<Duration> {
    Ok(TICK * stat(pid)?.own_ticks)
}

/// User and system time of a process and its children, those that ended included.
pub(crate) fn cpu_of_family(pid: u32) -> anyhow::Result<Duration> {
    let parent = stat(pid)?;
    let mut ticks = parent.own_ticks + parent.ended_children_ticks;
    for entry in fs::read_dir("/proc")?.flatten() {
        let child = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // A process that ended meanwhile is in its parent's sum by the next look.
        let Some(Ok(child)) = child.map(stat) else { continue };
        if child.parent == pid {
            ticks += child.own_ticks;
        }
    }
    Ok(TICK * ticks)
}

/// Memory that a process has in use, in KiB.
pub(crate) fn rss_kib(pid: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).context("`/proc/<pid>/status` names no VmRSS")
}
