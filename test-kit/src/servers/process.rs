//! Child processes that never outlive this one, their folders, their ports, and where their programs are.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take until it answers. A machine under load is slow; one that never answers is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Repeats `attempt` until it gives something: `None` after a minute.
pub fn eventually<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Some(found) => return Some(found),
            None if start.elapsed() > PATIENCE => return None,
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Waits until `condition` holds, and panics after a minute.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    assert!(eventually(|| condition().then_some(())).is_some(), "waited a minute until {what}");
}

/// Waits for the end of its input, which comes when the tests' process ends, however it does. Then it kills what still
/// runs in the folder and removes that. PostgreSQL is asked first, and has five seconds: killed, it leaves shared memory behind.
const JANITOR: &str = r#"
cat
inside() {
  case "$(readlink "/proc/$1/cwd")" in "$2"/*) ;; *) false ;; esac
}
for process in /proc/[0-9]*; do
  inside "${process#/proc/}" "$1" && kill -s CONT "${process#/proc/}"
done
asked=
for file in "$1"/*/data/postmaster.pid; do
  # The process of a file that was left behind may be anything by now.
  [ -f "$file" ] && read -r id <"$file" && inside "$id" "$1" && kill -s QUIT "$id" && asked="$asked $id"
done
for attempt in $(seq 50); do
  is_left=
  for id in $asked; do inside "$id" "$1" && is_left=yes; done
  [ "$is_left" ] || break
  sleep 0.1
done
for attempt in 1 2 3 4 5 6 7 8 9; do
  for process in /proc/[0-9]*; do
    inside "${process#/proc/}" "$1" && kill -9 "${process#/proc/}"
  done
  rm -rf -- "$1" && exit
  sleep 0.2
done
"#;

/// The folder of all folders of this process. Every server runs in one of them, and none outlives it.
fn folders() -> &'static Path {
    static FOLDERS: OnceLock<PathBuf> = OnceLock::new();
    FOLDERS.get_or_init(|| {
        let temporary = std::env::temp_dir().canonicalize().expect("a folder for temporary files");
        let root = temporary.join(format!("http-session-tests-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir(&root).expect("a temporary folder");
        // In a session of its own it outlives a Ctrl-C.
        let mut janitor = Command::new("setsid");
        janitor.args(["sh", "-c", JANITOR, "sh"]).arg(&root);
        janitor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // This process holds the other end of its input, and never closes it.
        std::mem::forget(janitor.spawn().expect("setsid and sh"));
        root
    })
}

/// A temporary folder of a server, removed with it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let folder = folders().join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&folder).expect("a folder of its own");
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Hands the folder and what is in it to the user of [`unprivileged`].
    pub fn hand_over(&self) {
        if is_root() {
            let mut chown = Command::new("chown");
            chown.args(["-R", NOBODY]).arg(&self.0);
            run(chown);
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Servers that refuse root run as this user, where the tests are run by root.
const NOBODY: &str = "65534";

fn is_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n"))
}

/// The words that run `program`, and not as root.
pub fn unprivileged(program: &Path) -> Vec<String> {
    let mut words = Vec::new();
    if is_root() {
        words.extend(["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"].map(str::to_owned));
    }
    words.push(program.display().to_string());
    words
}

/// A command of these words.
pub fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Runs a command to its end.
///
/// # Panics
///
/// If it fails, with what it said.
pub fn run(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A port that nobody listens on.
///
/// They lie below those that the system gives to outgoing connections, so that a server finds its port free when it
/// starts again; and so that another 10,000 above, where Redis Cluster has its bus, is a port too.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 11_000;
    const COUNT: u16 = 10_000;
    let first = std::process::id() as u16;
    for _ in 0..COUNT {
        let offset = first.wrapping_mul(131).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + offset % COUNT;
        if [port, port + COUNT].iter().all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()) {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT)
}

pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A running server.
#[derive(Debug)]
pub struct Process {
    /// So that it can be run again.
    words: Vec<String>,
    folder: PathBuf,
    child: Child,
    asks_first: bool,
}

impl Process {
    /// Runs these words in a folder; what it prints goes to `log` there.
    pub fn start(words: Vec<String>, folder: &Folder) -> Self {
        let folder = folder.path().to_owned();
        let child = Self::spawn(&words, &folder);
        Self { words, folder, child, asks_first: false }
    }

    /// It is asked to end, by SIGQUIT, before it is killed with this value: else it leaves shared memory behind.
    pub fn asked_first(mut self) -> Self {
        self.asks_first = true;
        self
    }

    fn spawn(words: &[String], folder: &Path) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("a log");
        let mut command = command(words);
        command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        command.spawn().unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Waits until `ready` gives true; false when the process ended before.
    ///
    /// # Panics
    ///
    /// After a minute, with the log.
    pub fn becomes(&mut self, mut ready: impl FnMut(u32) -> bool) -> bool {
        let id = self.id();
        let answer = eventually(|| {
            let running = self.is_running();
            (!running || ready(id)).then_some(running)
        });
        answer.unwrap_or_else(|| panic!("{}: not ready after a minute\n{}", self.words.join(" "), self.log()))
    }

    /// Its children: the backends of PostgreSQL.
    fn children(&self) -> Vec<u32> {
        let parent = self.id().to_string();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(|id| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // "id (name) state parent ..", where the name may hold anything.
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            fields.split_whitespace().nth(1) == Some(&parent)
        })
        .collect()
    }

    /// Sends a signal to it and all its children at once.
    fn signal(&self, signal: &str) {
        let ids = self.children().into_iter().chain([self.id()]);
        let done = Command::new("kill").args(["-s", signal]).args(ids.map(|id| id.to_string())).output();
        // A child may have ended since.
        assert!(done.is_ok(), "kill(1): {done:?}");
    }

    /// `kill -9`, children too, and waits until none is left.
    pub fn kill(&mut self) {
        if !self.is_running() {
            return;
        }
        let children = self.children();
        // The parent first: it must not start others, nor notice that one is gone.
        let _ = self.child.kill();
        if !children.is_empty() {
            let _ = Command::new("kill").args(["-s", "KILL"]).args(children.iter().map(u32::to_string)).output();
        }
        let _ = self.child.wait();
        wait_until("the children of a killed server are gone", || {
            children.iter().all(|id| {
                let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
                stat.rsplit_once(')').is_none_or(|(_, fields)| fields.trim_start().starts_with('Z'))
            })
        });
    }

    /// SIGSTOP: connections are still accepted, by the system, and nothing answers.
    pub fn stop(&self) {
        self.signal("STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// SIGQUIT, at which PostgreSQL ends at once, with its children. It has five seconds.
    fn ask(&mut self) {
        self.resume();
        let _ = Command::new("kill").args(["-s", "QUIT", &self.id().to_string()]).output();
        for _ in 0..500 {
            if !self.is_running() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs the same again in the same folder, after [`kill`](Self::kill).
    pub fn start_again(&mut self) {
        self.kill();
        self.child = Self::spawn(&self.words, &self.folder);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.asks_first && self.is_running() {
            self.ask();
        }
        self.kill();
    }
}

/// The folder of further versions: `target/servers`.
pub fn further_versions() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace.join(target).join("servers")
}

/// A program on the PATH, or where Debian has those of administrators.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// What this system lacks to keep servers from outliving a test.
pub fn missing() -> Option<&'static str> {
    if !Path::new("/proc/self/cwd").exists() {
        return Some("/proc");
    }
    ["setsid", "setpriv", "kill"].into_iter().find(|name| program(name).is_none())
}
