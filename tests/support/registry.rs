//! A private registry: Debian's docker-registry on the loopback, with one user.

use super::{debian, eventually};
use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

/// Who alone may push and pull: name and password.
pub const USER: (&str, &str) = ("ann", "wert-8251");
/// The same for htpasswd.
const HTPASSWD: &str = "ann:$2b$04$tW083l8k.HQquBLVsXFC5u.85wswH1mqZmljtcIycVQsB9UJLP1mG\n";

/// A registry that ends when it is dropped.
pub struct Registry {
    /// Host and port.
    pub address: String,
    program: Child,
}

impl Registry {
    /// Starts one that keeps all it has below `dir`. Docker talks to one on the loopback in plain HTTP.
    pub async fn start(dir: &Path) -> Self {
        let dir = dir.join("registry");
        fs::create_dir_all(&dir).expect("a directory for the registry");
        fs::write(dir.join("htpasswd"), HTPASSWD).expect("users");
        let config = serde_json::json!({
            "version": 0.1,
            "storage": { "filesystem": { "rootdirectory": dir.join("data") } },
            "http": { "addr": "127.0.0.1:0" },
            "auth": { "htpasswd": { "realm": "test", "path": dir.join("htpasswd") } },
        });
        fs::write(dir.join("config.yml"), config.to_string()).expect("a configuration");
        let log = File::create(dir.join("log")).expect("log");
        let program = debian::unpack(&["docker-registry"]).path("usr/bin/docker-registry");
        let mut command = Command::new(program);
        command.arg("serve").arg(dir.join("config.yml")).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("log")).stderr(log);
        let program = command.spawn().expect("docker-registry");
        let mut registry = Self { address: String::new(), program };
        let listens = || async {
            let said = fs::read_to_string(dir.join("log")).ok()?;
            let (address, _) = said.split_once("listening on ")?.1.split_once('"')?;
            Some(address.to_owned())
        };
        registry.address = eventually("the registry listens", listens).await;
        registry
    }

    /// The name of an image there.
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
