//! How many bytes the scanners have looked at: tests see by it that nothing is scanned twice.
//! Outside tests nothing is counted.

#[cfg(test)]
thread_local! {
    static LOOKED_AT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts `bytes` bytes that were looked at.
#[cfg(test)]
pub(super) fn spend(bytes: usize) {
    LOOKED_AT.set(LOOKED_AT.get() + bytes as u64);
}

/// Counts nothing.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn spend(_bytes: usize) {}

/// How many bytes this thread has looked at since it was last asked.
#[cfg(test)]
pub(super) fn take() -> u64 {
    LOOKED_AT.take()
}
