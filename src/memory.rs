//! How much memory each thread holds, so that a script's can be bounded.
//!
//! A script makes values in more ways than can be looked at one by one: lists in maps in closures,
//! clones of clones. What they come to is known in one place only, the allocator, which is the
//! one of the program with two numbers kept beside it.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use tikv_jemallocator::Jemalloc;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// Bytes that this thread has allocated and not freed. What another thread allocated and this one
/// frees counts, too, so that it may be below 0: only differences mean something.
pub fn held() -> isize {
    HELD.get()
}

/// Bytes that this thread has allocated, freed or not.
pub fn taken() -> usize {
    TAKEN.get()
}

/// The allocator, counting. It is jemalloc: what one thread makes is freed by another here (the event by the
/// journal), and with glibc's a fifth less is delivered.
pub struct Counting;

fn take(bytes: usize) {
    // Without a destructor, the thread's numbers are there as long as the thread is.
    HELD.set(HELD.get().wrapping_add_unsigned(bytes));
    TAKEN.set(TAKEN.get().wrapping_add(bytes));
}

fn give_back(bytes: usize) {
    HELD.set(HELD.get().wrapping_sub_unsigned(bytes));
}

// SAFETY: all is left to `Jemalloc`; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller keeps to what `GlobalAlloc` asks.
        unsafe { Jemalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as above.
        unsafe { Jemalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: as above.
        unsafe { Jemalloc.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        give_back(layout.size());
        take(new_size);
        // SAFETY: as above.
        unsafe { Jemalloc.realloc(block, layout, new_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_holds_is_counted_until_it_is_freed() {
        let (held_before, taken_before) = (held(), taken());
        let mut bytes = Vec::<u8>::with_capacity(100_000);
        assert_eq!(held() - held_before, 100_000);
        bytes.resize(200_000, 7);
        assert_eq!(held() - held_before, 200_000);
        let zeros = vec![0u8; 5_000];
        assert_eq!(held() - held_before, 205_000);
        drop((bytes, zeros));
        assert_eq!((held() - held_before, taken() - taken_before), (0, 305_000));
    }

    #[test]
    fn each_thread_has_its_own() {
        let (mine, before) = (held(), vec![0u8; 1 << 20]);
        let theirs = std::thread::spawn(held).join().expect("it does not panic");
        assert!(theirs < 1 << 20 && held() - mine >= before.len().cast_signed(), "{theirs}");
    }
}
