//! How full the machine's memory is, as Linux tells it. Elsewhere nothing is known, and nothing is held back for it.
use crate::domain::memory::MemoryUse;
use crate::ports::Fut;
use crate::ports::system::MemoryGauge;

#[derive(Clone, Copy, Debug, Default)]
pub struct SystemMemory;

impl MemoryGauge for SystemMemory {
    fn read(&self) -> Option<MemoryUse> {
        let text = |path: &str| std::fs::read_to_string(path).ok();
        let machine = of_machine(&text("/proc/meminfo")?)?;
        let group = |name: &str| text(&format!("/sys/fs/cgroup/{name}"));
        let known = group("memory.max").zip(group("memory.current"));
        let cache = || reclaimable(&group("memory.stat").unwrap_or_default());
        let (total, available) = match known.and_then(|(max, used)| of_group(&max, &used, cache())) {
            // A container's own limit, where it is the nearer one.
            Some((total, available)) if total < machine.0 => (total, available.min(machine.1)),
            _ => machine,
        };
        let own = kilobytes(&text("/proc/self/status")?, "VmRSS:")?;
        Some(MemoryUse { total, available, own })
    }

    fn give_back(&self) -> Fut<'_, ()> {
        Box::pin(async {
            // Cut off with the runtime, it has done what it could.
            let _ = tokio::task::spawn_blocking(give_back).await;
        })
    }
}

/// Gives freed memory back to the system. Of many small pieces, freed on many threads, glibc keeps whole pages between
/// those in use, by the hundred megabytes after a search of syntax trees; other allocators give them back by themselves.
/// Takes a few milliseconds.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // Safe to call at any time, from any thread: it takes the allocator's own locks and reads no memory of ours.
    #[allow(unsafe_code, reason = "the C library has no safe name for it")]
    unsafe {
        libc::malloc_trim(0);
    }
}

fn of_machine(meminfo: &str) -> Option<(u64, u64)> {
    Some((kilobytes(meminfo, "MemTotal:")?, kilobytes(meminfo, "MemAvailable:")?))
}

/// None where the group has no limit (`max`).
fn of_group(max: &str, used: &str, reclaimable: u64) -> Option<(u64, u64)> {
    let (max, used): (u64, u64) = (max.trim().parse().ok()?, used.trim().parse().ok()?);
    Some((max, max.saturating_sub(used.saturating_sub(reclaimable))))
}

/// What of a group's use the kernel takes back as soon as it is needed: cached files, most of it. A group that has read
/// files for a while is full of them, and nobody is short of anything. The kernel's own `MemAvailable` counts the same.
fn reclaimable(stat: &str) -> u64 {
    let names = ["active_file", "inactive_file", "slab_reclaimable"];
    let of_line = |line: &str| {
        let (name, bytes) = line.split_once(' ')?;
        names.contains(&name).then(|| bytes.trim().parse::<u64>().ok())?
    };
    stat.lines().filter_map(of_line).fold(0, u64::saturating_add)
}

/// The value of a line such as `MemTotal:  16384 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read() {
        let meminfo = "MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:    4096 kB\n";
        assert_eq!(of_machine(meminfo), Some((16 << 20, 4 << 20)));
        assert_eq!(of_machine("MemTotal: 1 kB\n"), None);
        assert_eq!(of_group("1000\n", "400\n", 0), Some((1000, 600)));
        assert_eq!(of_group("max\n", "400\n", 0), None);
        // Full to its limit, of files that were read.
        let stat = "anon 200\nfile 750\nactive_file 300\ninactive_file 400\nslab_reclaimable 50\nslab 70\nshmem 50\n";
        assert_eq!(reclaimable(stat), 750);
        assert_eq!(of_group("1000\n", "1000\n", reclaimable(stat)), Some((1000, 750)));
        assert_eq!((reclaimable(""), reclaimable("active_file x\n")), (0, 0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells() {
        let found = SystemMemory.read().expect("Linux tells");
        assert!(found.total > 1 << 28 && found.available < found.total && found.own > 1 << 20, "{found:?}");
    }
}
