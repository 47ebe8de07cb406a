//! The sandbox's program: holds a pod's namespaces open, reaps orphans, ends at SIGTERM or SIGINT.
//!
//! It runs as PID 1 of a container made of nothing but this file, so it has no C library and no
//! standard library: less than two kilobytes, and a few kilobytes of memory for each pod. `build.rs`
//! compiles it; the daemon carries it and loads it as an image, so that no registry is needed.
//!
//! **This is the one place of the product with `unsafe` code**: a process entry and system calls in
//! assembly. Each system call is given pointers to live locals only, or null.
//!
//! The signals are blocked and then waited for. So none is lost before the first wait, PID 1 gets
//! them although it has no handlers, and no handler needs a restorer.

#![no_std]
#![no_main]

use core::{
    arch::{asm, naked_asm},
    panic::PanicInfo,
    ptr::null,
};

const SIGINT: usize = 2;
const SIGTERM: usize = 15;
const SIGCHLD: usize = 17;
const SIG_BLOCK: usize = 0;
const WNOHANG: usize = 1;
const EINTR: isize = -4;

#[cfg(target_arch = "x86_64")]
mod number {
    pub const RT_SIGPROCMASK: usize = 14;
    pub const EXIT_GROUP: usize = 231;
    pub const WAIT4: usize = 61;
    pub const RT_SIGTIMEDWAIT: usize = 128;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const RT_SIGPROCMASK: usize = 135;
    pub const EXIT_GROUP: usize = 94;
    pub const WAIT4: usize = 260;
    pub const RT_SIGTIMEDWAIT: usize = 137;
}

/// A system call with up to four arguments.
///
/// # Safety
/// The arguments must be what the call takes; pointers must be valid for what it does with them.
#[cfg(target_arch = "x86_64")]
unsafe fn call(number: usize, arguments: [usize; 4]) -> isize {
    let result: isize;
    let [a, b, c, d] = arguments;
    // SAFETY: the kernel clobbers rcx and r11 and nothing else; the rest is the caller's promise.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

/// A system call with up to four arguments.
///
/// # Safety
/// The arguments must be what the call takes; pointers must be valid for what it does with them.
#[cfg(target_arch = "aarch64")]
unsafe fn call(number: usize, arguments: [usize; 4]) -> isize {
    let result: isize;
    let [a, b, c, d] = arguments;
    // SAFETY: the kernel keeps all registers but x0; the rest is the caller's promise.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b, in("x2") c, in("x3") d,
             options(nostack));
    }
    result
}

/// Ends the process.
fn exit(code: usize) -> ! {
    loop {
        // SAFETY: takes no pointer, and does not return.
        unsafe { call(number::EXIT_GROUP, [code, 0, 0, 0]) };
    }
}

extern "C" fn main() -> ! {
    let awaited: u64 = [SIGINT, SIGTERM, SIGCHLD].iter().fold(0, |set, signal| set | 1 << (signal - 1));
    let set = &raw const awaited as usize;
    let none = null::<u8>() as usize;
    // SAFETY: `set` points to eight bytes that live until the end; the old set is not asked for.
    if unsafe { call(number::RT_SIGPROCMASK, [SIG_BLOCK, set, none, size_of::<u64>()]) } < 0 {
        exit(1);
    }
    loop {
        // SAFETY: as above; neither details nor a time limit are given.
        match unsafe { call(number::RT_SIGTIMEDWAIT, [set, none, none, size_of::<u64>()]) } {
            signal if signal == SIGCHLD as isize => {
                // One SIGCHLD may stand for many children.
                // SAFETY: neither status nor usage is asked for. -1 is any child.
                while unsafe { call(number::WAIT4, [usize::MAX, none, WNOHANG, none]) } > 0 {}
            }
            signal if signal > 0 => exit(0),
            EINTR => {}
            _ => exit(1),
        }
    }
}

/// Where the kernel enters: aligns the stack as functions expect it and never comes back.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    #[cfg(target_arch = "x86_64")]
    naked_asm!("xor ebp, ebp", "and rsp, -16", "call {main}", "ud2", main = sym main);
    #[cfg(target_arch = "aarch64")]
    naked_asm!("mov x29, xzr", "mov x30, xzr", "bl {main}", "brk 0", main = sym main);
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(1)
}
