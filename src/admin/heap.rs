//! The allocator's memory: what was freed goes back to the system.
//!
//! glibc keeps freed memory below the newest block in use. After a peak that is nearly all of it:
//! 28 MB at rest were 308 MB after a hundred clients had read 8 MB each, and stayed so. Besides,
//! each thread keeps what is free above its newest block, as much as its largest blocks were.

use crate::worker::Shared;

/// Gives back to the system what the allocator keeps of freed memory. Allocations of other threads
/// wait meanwhile.
pub async fn give_back(shared: &Shared) {
    glibc::keep_above(0);
    shared.ask_all(|_| glibc::free_a_block()).await;
    glibc::keep_above(KEEP_ABOVE);
    glibc::trim();
}

/// Says what the allocator keeps while all goes its way; before the first thread starts.
pub fn set_up() {
    glibc::map_from(MAP_FROM);
    glibc::keep_above(KEEP_ABOVE);
}

/// Blocks of this size on are mapped by themselves: one that grows is not copied, so that it never
/// is there twice, and goes back when it is freed. Left alone, glibc raises this to the largest block
/// that was ever freed.
const MAP_FROM: i32 = 1 << 20;
/// So much free memory above the newest block is kept, for what comes next.
const KEEP_ABOVE: i32 = 32 << 20;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
mod glibc {
    /// See M_MMAP_THRESHOLD in mallopt(3).
    pub(super) fn map_from(bytes: i32) {
        // SAFETY: mallopt(3) takes two numbers and may be called from any thread.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, bytes) };
    }

    /// See M_TRIM_THRESHOLD in mallopt(3).
    pub(super) fn keep_above(bytes: i32) {
        // SAFETY: as above.
        unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, bytes) };
    }

    /// A thread frees what is above its newest block only when it frees a block of 64 KiB or more.
    pub(super) fn free_a_block() {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(128 * 1024)));
    }

    /// See malloc_trim(3).
    pub(super) fn trim() {
        // SAFETY: it takes a number of bytes to keep, moves no block that is in use, and may be
        // called from any thread.
        unsafe { libc::malloc_trim(0) };
    }
}

/// Other allocators give back by themselves, or not at all.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod glibc {
    pub(super) fn map_from(_: i32) {}
    pub(super) fn keep_above(_: i32) {}
    pub(super) fn free_a_block() {}
    pub(super) fn trim() {}
}
