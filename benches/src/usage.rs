//! What the process has used: CPU seconds and memory, from the kernel's own account.
use std::fs;

/// CPU seconds (user and system) of the process so far.
#[must_use]
pub fn cpu_seconds() -> f64 {
    // Fields 14 and 15 of /proc/self/stat, counted after the command's closing parenthesis; 100 ticks a second on Linux.
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

/// Greatest resident memory so far, octets.
#[must_use]
pub fn peak_rss_bytes() -> u64 {
    of_status("VmHWM:")
}

/// Resident memory now, octets.
#[must_use]
pub fn rss_bytes() -> u64 {
    of_status("VmRSS:")
}

fn of_status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(name));
    let kib = line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}
