//! What a search leaves behind in the allocator.

/// Gives freed memory back to the system. Syntax trees are millions of small pieces on many threads, and glibc would keep
/// hundreds of megabytes of them for later; other allocators give it back by themselves. Takes a few milliseconds.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // Safe to call at any time, from any thread: it takes the allocator's own locks and reads no memory of ours.
    #[allow(unsafe_code, reason = "the C library has no safe name for it")]
    unsafe {
        libc::malloc_trim(0);
    }
}
