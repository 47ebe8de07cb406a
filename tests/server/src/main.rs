//! A program for test containers that behaves as it is told.
//!
//! Flags (each `--name value`):
//! - `--port N`: serve HTTP there (default 8080; 0 serves nothing).
//! - `--host ADDRESS`: where that is (default 0.0.0.0).
//! - `--grpc N`: serve gRPC health checks there, as `/set?grpc=…` says: a serving status (1 is SERVING, the
//!   beginning), `hang`, or `code:N` for a gRPC status. It knows the services "" and `known`.
//! - `--garbage N`: answer every connection there with a line of another protocol.
//! - `--deaf N`: take connections there and never answer.
//! - `--udp N`: send every datagram that comes there back to its sender.
//! - `--log FILE`: append a line for every start, signal and exit: `<unix ms> <pid> <word> <detail>`.
//! - `--on-term exit:CODE | ignore | slow:MILLISECONDS:CODE`: what SIGTERM does (default `exit:0`).
//! - `--exit-after MILLISECONDS:CODE`: end by itself.
//! - `--ready-after MILLISECONDS`: `/readyz` fails until then.
//! - `--allocate MEGABYTES`: take and touch so much memory at the start.
//!
//! HTTP: `/healthz` and `/readyz` answer 200, or what `/set?healthz=500` (a status, or `hang`) said
//! last; `/exit?code=N` ends the program; `/env`, `/args` and `/headers` show what it was given;
//! `/echo?text` answers the text; `/redirect?url` redirects; anything else is 404.

mod grpc;

use std::{
    collections::BTreeMap,
    env,
    fmt::Display,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    process::exit,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use signal_hook::{consts::signal, iterator::Signals};

struct Server {
    began: Instant,
    ready_after: Duration,
    log: Mutex<Option<File>>,
    answers: Mutex<BTreeMap<String, String>>,
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let flag = |name: &str| args.iter().position(|a| a == name).and_then(|at| args.get(at + 1)).cloned();
    let millis = |text: &str| Duration::from_millis(text.parse().expect("milliseconds"));
    let log = flag("--log").map(|path| OpenOptions::new().create(true).append(true).open(path).expect("log file"));
    let server = Arc::new(Server {
        began: Instant::now(),
        ready_after: flag("--ready-after").map_or(Duration::ZERO, |t| millis(&t)),
        log: Mutex::new(log),
        answers: Mutex::default(),
    });
    server.note("start", args.join(" "));
    // Before anything else that takes time: a signal must not come too early to be seen.
    let known = [signal::SIGTERM, signal::SIGINT, signal::SIGHUP, signal::SIGQUIT, signal::SIGUSR1, signal::SIGUSR2];
    let signals = Signals::new(known).expect("signal handlers");
    let on_term = flag("--on-term").unwrap_or_else(|| "exit:0".to_owned());
    let waiting = thread::spawn({
        let server = Arc::clone(&server);
        move || server.serve_signals(signals, &on_term)
    });
    let port = |name: &str| flag(name).map(|t| t.parse::<u16>().expect("port"));
    if let Some(port) = port("--grpc") {
        let server = Arc::clone(&server);
        thread::spawn(move || grpc::serve(port, move |service| server.health(service)));
    }
    for (name, says) in [("--garbage", Some("SSH-2.0-OpenSSH_9.2\r\n")), ("--deaf", None)] {
        if let Some(port) = port(name) {
            let listener = TcpListener::bind(("0.0.0.0", port)).expect("listen");
            thread::spawn(move || talk(&listener, says));
        }
    }
    if let Some(port) = port("--udp") {
        let socket = UdpSocket::bind(("0.0.0.0", port)).expect("bind");
        thread::spawn(move || {
            let mut datagram = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut datagram) {
                let _ = socket.send_to(&datagram[..length], from);
            }
        });
    }
    let memory: Vec<u8> = vec![1; flag("--allocate").map_or(0, |t| t.parse::<usize>().expect("megabytes") << 20)];
    if let Some(text) = flag("--exit-after") {
        let (after, code) = text.split_once(':').expect("MILLISECONDS:CODE");
        thread::sleep(millis(after));
        server.leave(code);
    }
    let port = port("--port").unwrap_or(8080);
    if port != 0 {
        let host = flag("--host").unwrap_or_else(|| "0.0.0.0".to_owned());
        let listener = TcpListener::bind((host.as_str(), port)).expect("listen");
        server.note("listen", port);
        for stream in listener.incoming().flatten() {
            let server = Arc::clone(&server);
            thread::spawn(move || server.serve(stream));
        }
    }
    let _ = waiting.join();
    drop(memory);
}

/// Says this to everybody, or takes every connection and says nothing.
fn talk(listener: &TcpListener, says: Option<&str>) {
    let mut held = Vec::new();
    for mut stream in listener.incoming().flatten() {
        match says {
            Some(says) => {
                let _ = stream.write_all(says.as_bytes());
            }
            None => held.push(stream),
        }
    }
}

impl Server {
    /// What to do with a health check.
    fn health(&self, service: &str) -> String {
        if !["", "known"].contains(&service) {
            return "code:5".to_owned();
        }
        self.answers.lock().expect("answers").get("grpc").cloned().unwrap_or_else(|| "1".to_owned())
    }

    /// Writes to the log, and to standard output for `docker logs`.
    fn note(&self, word: &str, detail: impl Display) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let line = format!("{now} {} {word} {detail}\n", std::process::id());
        if let Some(log) = &mut *self.log.lock().expect("log") {
            log.write_all(line.as_bytes()).expect("log");
        }
        print!("{line}");
        let _ = std::io::stdout().flush();
    }

    fn leave(&self, code: &str) -> ! {
        self.note("exit", code);
        exit(code.parse().expect("exit code"));
    }

    fn serve_signals(&self, mut signals: Signals, on_term: &str) {
        for number in signals.forever() {
            self.note("signal", signal_hook::low_level::signal_name(number).unwrap_or("?"));
            if number != signal::SIGTERM {
                continue;
            }
            match on_term.split(':').collect::<Vec<_>>()[..] {
                ["exit", code] => self.leave(code),
                ["slow", after, code] => {
                    thread::sleep(Duration::from_millis(after.parse().expect("milliseconds")));
                    self.leave(code);
                }
                _ => {}
            }
        }
    }

    fn serve(&self, stream: TcpStream) {
        let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let Some(request) = lines.next() else { return };
        let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let target = request.split_whitespace().nth(1).unwrap_or("/");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let name = path.trim_start_matches('/');
        let told = self.answers.lock().expect("answers").get(name).cloned();
        let (status, body) = match (name, told.as_deref()) {
            (_, Some("hang")) => {
                thread::sleep(Duration::from_secs(3600));
                return;
            }
            (_, Some(status)) => (status.to_owned(), "as told\n".to_owned()),
            ("healthz", None) => ("200".to_owned(), "ok\n".to_owned()),
            ("readyz", None) if self.began.elapsed() < self.ready_after => ("503".to_owned(), "not yet\n".to_owned()),
            ("readyz", None) => ("200".to_owned(), "ok\n".to_owned()),
            ("set", None) => {
                let (key, value) = query.split_once('=').unwrap_or((query, "200"));
                self.answers.lock().expect("answers").insert(key.to_owned(), value.to_owned());
                ("200".to_owned(), String::new())
            }
            ("exit", None) => self.leave(query.strip_prefix("code=").unwrap_or("0")),
            ("env", None) => ("200".to_owned(), env::vars().map(|(k, v)| format!("{k}={v}\n")).collect()),
            ("args", None) => ("200".to_owned(), env::args().skip(1).map(|a| a + "\n").collect()),
            ("headers", None) => ("200".to_owned(), headers.join("\n")),
            ("echo", None) => ("200".to_owned(), query.to_owned()),
            ("redirect", None) => ("302".to_owned(), String::new()),
            _ => ("404".to_owned(), "no such page\n".to_owned()),
        };
        let location = if status == "302" { format!("Location: {query}\r\n") } else { String::new() };
        let head =
            format!("HTTP/1.1 {status} .\r\n{location}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        // A prober may hang up at any time.
        let _ = (&stream).write_all((head + &body).as_bytes());
    }
}
