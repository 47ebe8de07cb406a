//! Images for test containers, made on the spot: there is no registry.

use kubelet_lite::engine::{
    Engine,
    archive::{ImageArchive, LayerEntry, image_archive},
};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Debian's busybox with a shell; no command of its own.
pub const BUSYBOX: &str = "kl-test/busybox:1";
/// The test server (`tests/server`), nothing else: its entrypoint is `/server`.
pub const SERVER: &str = "kl-test/server:1";

const APPLETS: [&str; 20] = [
    "sh", "sleep", "true", "false", "cat", "echo", "kill", "nc", "httpd", "wget", "ls", "id", "env", "hostname",
    "touch", "mkdir", "head", "ps", "rm", "killall",
];

const PASSWD: &str = "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\ntoor:x:0:0:toor:/:/bin/sh\n";

/// The busybox image. `None` if the package busybox-static is not installed.
pub fn busybox() -> ImageArchive {
    busybox_as(BUSYBOX, "")
}

/// The busybox image with a `USER`. It knows `root`, `nobody`, and `toor`, who is root too.
pub fn busybox_as(tag: &str, user: &str) -> ImageArchive {
    busybox_with(tag, &json!({ "Env": ["PATH=/bin"], "User": user }))
}

/// The busybox image with a `STOPSIGNAL`.
pub fn busybox_stopped_by(tag: &str, signal: &str) -> ImageArchive {
    busybox_with(tag, &json!({ "Env": ["PATH=/bin"], "StopSignal": signal }))
}

/// The busybox image whose entrypoint is this script, called `name`; without a script, the applet of that
/// name is its command. `directories` are there too.
pub fn program(tag: &str, name: &str, script: &str, directories: &[&str]) -> ImageArchive {
    let path = format!("/bin/{name}");
    let run = match script {
        "" => json!({ "Env": ["PATH=/bin"], "Cmd": [path] }),
        _ => json!({ "Env": ["PATH=/bin"], "Entrypoint": [path] }),
    };
    let script = format!("#!/bin/sh\n{script}");
    let mut more: Vec<LayerEntry<'_>> = directories.iter().map(|path| LayerEntry::Directory(path, 0o755)).collect();
    if run.get("Entrypoint").is_some() {
        more.push(LayerEntry::File(path.trim_start_matches('/'), 0o755, script.as_bytes()));
    }
    busybox_and(tag, &run, more)
}

fn busybox_with(tag: &str, run: &serde_json::Value) -> ImageArchive {
    busybox_and(tag, run, Vec::new())
}

/// The busybox image with more files and what `run` says.
pub fn busybox_and(tag: &str, run: &serde_json::Value, more: Vec<LayerEntry<'_>>) -> ImageArchive {
    let program = fs::read("/bin/busybox").expect("/bin/busybox: install the package busybox-static");
    let links: Vec<String> = APPLETS.iter().map(|name| format!("bin/{name}")).collect();
    let mut layer = vec![
        LayerEntry::Directory("bin", 0o755),
        LayerEntry::Directory("tmp", 0o1777),
        LayerEntry::Directory("etc", 0o755),
        LayerEntry::File("etc/passwd", 0o644, PASSWD.as_bytes()),
        LayerEntry::File("etc/group", 0o644, b"root:x:0:\nnogroup:x:65534:\n"),
        LayerEntry::File("bin/busybox", 0o755, &program),
    ];
    layer.extend(links.iter().map(|link| LayerEntry::Symlink(link, "busybox")));
    layer.extend(more);
    image_archive(tag, run, &layer)
}

/// The test server's image.
pub fn server() -> ImageArchive {
    server_as(SERVER)
}

/// The test server's image under another name.
pub fn server_as(tag: &str) -> ImageArchive {
    let program = fs::read(server_program()).expect("the test server that was just built");
    let run = json!({ "Entrypoint": ["/server"], "ExposedPorts": { "8080/tcp": {} } });
    image_archive(tag, &run, &[LayerEntry::Directory("tmp", 0o1777), LayerEntry::File("server", 0o755, &program)])
}

/// An image whose program at this path serves gRPC health checks there, and HTTP on port 8080.
pub fn grpc_server_as(tag: &str, path: &str, port: u16) -> ImageArchive {
    let server = fs::read(server_program()).expect("the test server that was just built");
    let script = format!("#!/bin/sh\nexec /bin/server --grpc {port}\n");
    let files = vec![
        LayerEntry::File("bin/server", 0o755, &server),
        LayerEntry::File(path.trim_start_matches('/'), 0o755, script.as_bytes()),
    ];
    busybox_and(tag, &json!({ "Env": ["PATH=/bin"] }), files)
}

/// Loads an image into an engine.
pub async fn load<E: Engine>(engine: &E, image: ImageArchive) {
    if engine.image_inspect(&image.id).await.is_err() {
        engine.image_load(image.bytes).await.expect("load a test image");
    }
}

/// The statically linked test server, built once for each test program.
pub fn server_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let arch = std::env::consts::ARCH;
        let musl = format!("{arch}-unknown-linux-musl");
        // With musl a program is static anyway; its target may not be installed.
        let library = Command::new("rustc").args(["--print", "target-libdir", "--target", &musl]).output();
        let has_musl = library.is_ok_and(|out| Path::new(String::from_utf8_lossy(&out.stdout).trim()).is_dir());
        let target = if has_musl { musl } else { format!("{arch}-unknown-linux-gnu") };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // A directory of its own: the usual one may be locked by a build that waits for us.
        let directory = root.join("target/test-server");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root).args(["build", "--quiet", "--release", "--locked", "-p", "kubelet-lite-test-server"]);
        cargo.arg("--target-dir").arg(&directory).args(["--target", &target]);
        cargo.env("RUSTFLAGS", "-C target-feature=+crt-static").env_remove("CARGO_ENCODED_RUSTFLAGS");
        assert!(cargo.status().expect("run cargo").success(), "can not build the test server");
        directory.join(target).join("release/kubelet-lite-test-server")
    })
}
