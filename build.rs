//! Compiles the pause program (see `packaging/pause/pause.rs`) into `OUT_DIR`, whence it is embedded.
//!
//! It is compiled by hand, because Cargo can neither build a `panic = "abort"` program beside an
//! unwinding one nor hand a program to another crate on the stable toolchain.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

const SOURCE: &str = "packaging/pause/pause.rs";

/// The same bytes from the same compiler, and no more of them than needed.
const FLAGS: [&str; 7] = [
    "-Copt-level=s",
    "-Cpanic=abort",
    "-Clto=fat",
    "-Ccodegen-units=1",
    "-Crelocation-model=static",
    "-Cstrip=symbols",
    "-Dwarnings",
];

/// Ways to link, in order: the linker that comes with Rust needs no C compiler and links for the
/// other architecture too; else the C compiler's.
const LINKERS: [&[&str]; 2] = [
    &[
        "-Clinker-flavor=ld.lld",
        "-Clinker=rust-lld",
        "-Clink-args=-static --build-id=none -z noseparate-code -z norelro --gc-sections",
    ],
    &["-Clink-args=-nostartfiles -nostdlib -static -no-pie -Wl,--build-id=none,-z,noseparate-code,-z,norelro"],
];

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    let architecture = text("CARGO_CFG_TARGET_ARCH")?;
    if !["x86_64", "aarch64"].contains(&architecture.as_str()) {
        return Err(format!("{SOURCE} has no system calls for {architecture} yet"));
    }
    let output = Path::new(&text("OUT_DIR")?).join("pause");
    let mut complaints = String::new();
    for linker in LINKERS {
        match compile(&output, linker) {
            Ok(()) => return Ok(()),
            Err(complaint) => complaints.push_str(&complaint),
        }
    }
    Err(format!("can not compile {SOURCE}:\n{complaints}"))
}

fn compile(output: &Path, linker: &[&str]) -> Result<(), String> {
    let (target, host) = (text("TARGET")?, text("HOST")?);
    let mut rustc = Command::new(PathBuf::from(variable("RUSTC")?));
    // Flags meant for the daemon do not fit a program without a standard library.
    rustc.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    rustc.args(["--edition=2024", "--crate-type=bin", "--crate-name=pause"]).args(FLAGS).args(linker);
    // It needs nothing of the target but its architecture. On the host's it is compiled for the host, since
    // targets with a C library of their own (musl) would link that library's start code as well.
    let architecture = |triple: &str| triple.split('-').next().map(str::to_owned);
    if architecture(&target) != architecture(&host) {
        rustc.args(["--target", &target]);
    }
    let result = rustc.arg("-o").arg(output).arg(SOURCE).output();
    let result = result.map_err(|error| format!("can not run rustc: {error}\n"))?;
    if result.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&result.stderr).into_owned()) }
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set: run this through Cargo"))
}

fn text(name: &str) -> Result<String, String> {
    variable(name)?.into_string().map_err(|_| format!("{name} is not UTF-8"))
}
