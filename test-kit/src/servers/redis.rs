//! Redis: a server of one's own, and enough of its protocol to administer it.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::certificate::Certificate;
use super::process::{self, Folder, Process, free_port, local};
use super::{REDIS, wait_until};

/// How a server is started; [`Redis::options`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    program: Option<PathBuf>,
    settings: Vec<String>,
    password: Option<String>,
    tls: bool,
    /// The file of a sentinel, but for its port.
    sentinel: Option<String>,
}

impl Options {
    /// A version of [`versions`].
    pub fn version(mut self, version: &Version) -> Self {
        self.program = Some(version.program.clone());
        self
    }

    /// Any setting of `redis.conf`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.extend([format!("--{name}"), value.to_owned()]);
        self
    }

    /// As many proxies are, and old servers.
    pub fn without(mut self, command: &str) -> Self {
        self.settings.extend(["--rename-command".to_owned(), command.to_owned(), String::new()]);
        self
    }

    /// Each write is on the disk before it is acknowledged.
    pub fn durable(self) -> Self {
        self.setting("appendonly", "yes").setting("appendfsync", "always")
    }

    /// As `2mb`; writes are refused above it.
    pub fn max_memory(self, size: &str) -> Self {
        self.setting("maxmemory", size).setting("maxmemory-policy", "noeviction")
    }

    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.setting("requirepass", password).setting("masterauth", password)
    }

    /// The URL has the scheme `rediss`, and [`Redis::authority`] what to trust.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    pub fn replica_of(self, master: &Redis) -> Self {
        self.setting("replicaof", &format!("127.0.0.1 {}", master.plain_port))
    }

    /// Not a server of data, but a sentinel that watches one, with two others.
    pub(super) fn sentinel_of(mut self, master: &Redis, name: &str, patience: Duration) -> Self {
        let settings = format!(
            "sentinel monitor {name} 127.0.0.1 {port} 2\nsentinel down-after-milliseconds {name} {patience}\n\
             sentinel failover-timeout {name} 2000\n",
            port = master.plain_port,
            patience = patience.as_millis()
        );
        self.sentinel = Some(settings);
        self
    }

    /// Starts it, where there is a program.
    pub fn start(self, purpose: &str) -> Option<Redis> {
        let program = REDIS.program(purpose, self.program.clone().or_else(program))?;
        Some(self.run(&program))
    }

    pub(super) fn run(self, program: &Path) -> Redis {
        for _ in 0..3 {
            let mut redis = self.spawn(program);
            if redis.is_up() {
                return redis;
            }
            // Another process was quicker to take the port.
            assert!(redis.process.log().contains("in use"), "{}", redis.process.log());
        }
        panic!("three ports in a record were taken")
    }

    fn spawn(&self, program: &Path) -> Redis {
        let folder = Folder::new("redis");
        let plain_port = free_port();
        let mut words = vec![program.display().to_string()];
        if let Some(settings) = &self.sentinel {
            // A sentinel writes what it learns into its file.
            let file = folder.join("sentinel.conf");
            fs::write(&file, format!("port {plain_port}\nbind 127.0.0.1\n{settings}")).expect("a file");
            words.extend([file.display().to_string(), "--sentinel".to_owned()]);
        } else {
            // A replica gets its copy at once, not with others that might come within five seconds.
            words.extend(["--repl-diskless-sync-delay", "0"].map(str::to_owned));
            words.extend(["--bind", "127.0.0.1", "--save", "", "--port"].map(str::to_owned));
            words.push(plain_port.to_string());
        }
        let tls = self.tls.then(|| (free_port(), Certificate::write(&folder)));
        if let Some((port, certificate)) = &tls {
            words.extend(["--tls-port".to_owned(), port.to_string()]);
            words.extend(["--tls-auth-clients", "no"].map(str::to_owned));
            for (setting, file) in [("--tls-cert-file", &certificate.server), ("--tls-key-file", &certificate.key)] {
                words.extend([setting.to_owned(), file.display().to_string()]);
            }
        }
        words.extend(self.settings.iter().cloned());
        let process = Process::start(words, &folder);
        Redis { process, plain_port, tls, password: self.password.clone(), _folder: folder }
    }
}

/// A private server, gone with this value.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    plain_port: u16,
    tls: Option<(u16, Certificate)>,
    password: Option<String>,
    _folder: Folder,
}

impl Redis {
    pub fn options() -> Options {
        Options::default()
    }

    /// With no setting in particular: nothing of it survives a restart.
    pub fn start(purpose: &str) -> Option<Self> {
        Self::options().start(purpose)
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        let user = self.password.as_ref().map_or_else(String::new, |password| format!(":{password}@"));
        format!("{scheme}://{user}{}", self.address())
    }

    pub fn port(&self) -> u16 {
        self.tls.as_ref().map_or(self.plain_port, |(port, _)| *port)
    }

    pub fn address(&self) -> SocketAddr {
        local(self.port())
    }

    /// The file of the certificate authority of a server with tls.
    pub fn authority(&self) -> Option<&Path> {
        self.tls.as_ref().map(|(_, certificate)| certificate.authority.as_path())
    }

    /// Sends a command on a connection of its own.
    ///
    /// # Errors
    ///
    /// The server cannot be reached; what it refuses is a [`Reply::Error`].
    pub fn try_command(&self, words: &[&str]) -> io::Result<Reply> {
        let mut connection = Connection::open(local(self.plain_port))?;
        if let Some(password) = &self.password {
            connection.command(&["AUTH", password])?;
        }
        connection.command(words)
    }

    /// Sends a command to a server that is up.
    #[track_caller]
    pub fn command(&self, words: &[&str]) -> Reply {
        self.try_command(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Whether it is this process that answers, and has loaded its data: false when the process ended before.
    fn is_up(&mut self) -> bool {
        let (port, password) = (self.plain_port, self.password.clone());
        self.process.becomes(|id| {
            let answer = Connection::open(local(port)).and_then(|mut connection| {
                if let Some(password) = &password {
                    connection.command(&["AUTH", password])?;
                }
                connection.command(&["INFO"])
            });
            answer.is_ok_and(|answer| {
                let info = answer.text();
                info.contains(&format!("process_id:{id}\r")) && !info.contains("\nloading:1\r")
            })
        })
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGSTOP: the system accepts connections, nothing answers.
    pub fn stop(&self) {
        self.process.stop();
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Kills it if it runs, and starts it on the same port and folder. Back when it answers.
    pub fn restart(&mut self) {
        self.process.start_again();
        assert!(self.is_up(), "{}", self.process.log());
    }

    /// Waits until this replica follows its master.
    pub fn wait_for_replication(&self) {
        wait_until("the replica follows its master", || {
            self.try_command(&["INFO", "replication"]).is_ok_and(|info| info.text().contains("master_link_status:up"))
        });
    }
}

/// A version that is installed.
#[derive(Clone, Debug)]
pub struct Version {
    /// As the server says it: `7.0.15`.
    pub name: String,
    program: PathBuf,
}

/// The server of this system, else the newest of the further versions.
pub(super) fn program() -> Option<PathBuf> {
    process::program("redis-server").or_else(|| further_versions().into_iter().next_back())
}

/// Those in `target/servers`.
fn further_versions() -> Vec<PathBuf> {
    let files = ["redis-6.2", "redis-8"].map(|folder| process::further_versions().join(folder).join("redis-server"));
    files.into_iter().filter(|file| file.is_file()).collect()
}

/// All versions that are installed, the oldest first; none if servers cannot be started here.
///
/// # Panics
///
/// With `CI=true`, unless 6.2, 7 and 8 are among them.
pub(super) fn versions(purpose: &str) -> Vec<Version> {
    if REDIS.program(purpose, program()).is_none() {
        return Vec::new();
    }
    let programs = process::program("redis-server").into_iter().chain(further_versions());
    let mut versions: Vec<_> = programs
        .map(|program| {
            // "Redis server v=7.0.15 sha=..".
            let said = process::run(process::command(&[program.display().to_string(), "--version".to_owned()]));
            let name = said.split_once("v=").and_then(|(_, rest)| rest.split(' ').next()).unwrap_or_default();
            Version { name: name.to_owned(), program }
        })
        .collect();
    versions.sort_by(|one, other| one.name.cmp(&other.name));
    super::require_in_ci("Redis", &["6.2.", "7.", "8."], versions.iter().map(|version| version.name.as_str()));
    versions
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Nil,
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Array(Vec<Self>),
}

impl Reply {
    /// The words of it, errors too; lines of an array.
    pub fn text(&self) -> String {
        match self {
            Self::Nil => String::new(),
            Self::Simple(text) | Self::Error(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Array(replies) => replies.iter().map(Self::text).collect::<Vec<_>>().join("\n"),
        }
    }
}

/// A connection that speaks RESP 2.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let patience = Duration::from_secs(5);
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    pub fn command(&mut self, words: &[&str]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(request.as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
        let rest = line[1..].trim_end();
        Ok(match line.as_bytes()[0] {
            b'+' => Reply::Simple(rest.to_owned()),
            b'-' => Reply::Error(rest.to_owned()),
            b':' => Reply::Integer(rest.parse().map_err(invalid)?),
            b'$' | b'*' if rest == "-1" => Reply::Nil,
            b'$' => {
                let mut bytes = vec![0; rest.parse::<usize>().map_err(invalid)? + 2];
                self.0.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Reply::Bulk(bytes)
            }
            b'*' => {
                let count: usize = rest.parse().map_err(invalid)?;
                Reply::Array((0..count).map(|_| self.reply()).collect::<io::Result<_>>()?)
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        })
    }
}
