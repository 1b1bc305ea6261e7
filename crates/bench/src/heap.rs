//! What a subject holds of the heap.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
};

/// The system's allocator, which counts the bytes that are held while a subject takes its first turn; at any other time it
/// does nothing else. A program that is to know `heap_bytes` makes it its `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
/// More than at the beginning of the count; less than 0 when what was there before has been freed.
static HELD: AtomicI64 = AtomicI64::new(0);
static MOST: AtomicI64 = AtomicI64::new(0);

fn changed(by: i64) {
    if COUNTS.load(Ordering::Relaxed) {
        let held = HELD.fetch_add(by, Ordering::Relaxed) + by;
        MOST.fetch_max(held, Ordering::Relaxed);
    }
}

#[expect(unsafe_code, reason = "an allocator is unsafe; this one hands everything to the system's")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        changed(layout.size() as i64);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        changed(layout.size() as i64);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        changed(-(layout.size() as i64));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        changed(size as i64 - layout.size() as i64);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// A count under way; one at a time.
#[derive(Debug)]
pub(crate) struct Count;

impl Count {
    pub(crate) fn start() -> Self {
        HELD.store(0, Ordering::Relaxed);
        MOST.store(0, Ordering::Relaxed);
        COUNTS.store(true, Ordering::Relaxed);
        Self
    }

    /// The most bytes that were held at once, above what was held at the start; none in a program with another allocator.
    pub(crate) fn most(self) -> Option<u64> {
        drop(black_box(Box::new(0_u8)));
        u64::try_from(MOST.load(Ordering::Relaxed)).ok().filter(|&most| most > 0)
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        COUNTS.store(false, Ordering::Relaxed);
    }
}
