//! PostgreSQL: a server of one's own, administered through `psql`.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use super::POSTGRES;
use super::certificate::Certificate;
use super::process::{self, Folder, Process, free_port, local};

/// How a server is started; [`Postgres::options`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    programs: Option<PathBuf>,
    settings: Vec<String>,
    password: Option<String>,
    tls: bool,
    durable: bool,
}

impl Options {
    /// A version of [`versions`].
    pub fn version(mut self, version: &Version) -> Self {
        self.programs = Some(version.programs.clone());
        self
    }

    /// Any setting of `postgresql.conf`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.extend(["-c".to_owned(), format!("{name}={value}")]);
        self
    }

    /// Each commit is on the disk before it is acknowledged.
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    pub fn max_connections(self, count: u16) -> Self {
        // Superusers, as whom the tests connect, have places of their own.
        self.setting("max_connections", &count.to_string()).setting("superuser_reserved_connections", "0")
    }

    /// Checked by SCRAM.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Connections without tls are refused, and [`Postgres::authority`] has what to trust.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Starts it, where there are the programs.
    pub fn start(self, purpose: &str) -> Option<Postgres> {
        let programs = POSTGRES.program(purpose, self.programs.clone().or_else(folder))?;
        Some(self.run(&programs))
    }

    pub(super) fn run(self, programs: &Path) -> Postgres {
        let folder = Folder::new("postgres");
        let certificate = self.tls.then(|| Certificate::write(&folder));
        folder.hand_over();
        self.initialize(programs, &folder);
        self.serve(programs, folder, certificate.as_ref())
    }

    fn initialize(&self, programs: &Path, folder: &Folder) {
        match &self.password {
            None => copy_template(programs, folder),
            Some(password) => {
                let file = folder.join("password");
                fs::write(&file, password).expect("a file");
                initdb(programs, folder, &["-A", "scram-sha-256", "--pwfile", &file.display().to_string()]);
            }
        }
        if self.tls {
            let rules = folder.join("data/pg_hba.conf");
            let method = if self.password.is_some() { "scram-sha-256" } else { "trust" };
            fs::write(rules, format!("hostssl all all 127.0.0.1/32 {method}\n")).expect("the rules of access");
        }
    }

    fn serve(&self, programs: &Path, folder: Folder, certificate: Option<&Certificate>) -> Postgres {
        for _ in 0..3 {
            let port = free_port();
            let mut postgres = Postgres {
                process: Process::start(self.words(programs, &folder, certificate, port), &folder).asked_first(),
                port,
                certificate: certificate.cloned(),
                password: self.password.clone(),
                programs: programs.to_owned(),
                data: folder.join("data"),
                _folder: None,
            };
            if postgres.is_up() {
                postgres._folder = Some(folder);
                return postgres;
            }
            // Another process was quicker to take the port.
            assert!(postgres.process.log().contains("in use"), "{}", postgres.process.log());
        }
        panic!("three ports in a record were taken")
    }

    fn words(&self, programs: &Path, folder: &Folder, certificate: Option<&Certificate>, port: u16) -> Vec<String> {
        let mut words = process::unprivileged(&programs.join("postgres"));
        words.extend(["-D".to_owned(), data(folder), "-p".to_owned(), port.to_string()]);
        let mut set = |name: &str, value: &str| words.extend(["-c".to_owned(), format!("{name}={value}")]);
        set("listen_addresses", "127.0.0.1");
        set("unix_socket_directories", &folder.path().display().to_string());
        // In its folder, which is removed however it ends.
        set("dynamic_shared_memory_type", "mmap");
        set("fsync", if self.durable { "on" } else { "off" });
        if let Some(certificate) = certificate {
            set("ssl", "on");
            set("ssl_cert_file", &certificate.server.display().to_string());
            set("ssl_key_file", &certificate.key.display().to_string());
        }
        words.extend(self.settings.iter().cloned());
        words
    }
}

fn initdb(programs: &Path, folder: &Folder, access: &[&str]) {
    let mut words = process::unprivileged(&programs.join("initdb"));
    words.extend(["-U", "postgres", "-E", "UTF8", "--locale", "C", "--no-sync", "-D"].map(str::to_owned));
    words.push(data(folder));
    words.extend(access.iter().copied().map(str::to_owned));
    process::run(process::command(&words));
}

/// What `initdb` makes takes it most of the time of a start, so it makes it once for each version.
fn copy_template(programs: &Path, folder: &Folder) {
    static TEMPLATES: Mutex<BTreeMap<PathBuf, Folder>> = Mutex::new(BTreeMap::new());
    let mut templates = TEMPLATES.lock().expect("initdb has worked before");
    let template = templates.entry(programs.to_owned()).or_insert_with(|| {
        let template = Folder::new("template");
        template.hand_over();
        initdb(programs, &template, &["-A", "trust"]);
        template
    });
    process::run(process::command(&["cp".to_owned(), "-a".to_owned(), data(template), data(folder)]));
}

fn data(folder: &Folder) -> String {
    folder.join("data").display().to_string()
}

/// A private server, gone with this value.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
    certificate: Option<Certificate>,
    password: Option<String>,
    programs: PathBuf,
    data: PathBuf,
    _folder: Option<Folder>,
}

impl Postgres {
    pub fn options() -> Options {
        Options::default()
    }

    /// With no setting in particular: fast, and a crash of the machine would lose data.
    pub fn start(purpose: &str) -> Option<Self> {
        Self::options().start(purpose)
    }

    /// As the superuser `postgres`, to the database `postgres`.
    pub fn url(&self) -> String {
        let password = self.password.as_ref().map_or_else(String::new, |password| format!(":{password}"));
        let tls = if self.certificate.is_some() { "?sslmode=require" } else { "" };
        format!("postgres://postgres{password}@{}/postgres{tls}", self.address())
    }

    /// Where it runs.
    pub fn folder(&self) -> &Path {
        self.data.parent().expect("the folder of the data")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self) -> SocketAddr {
        local(self.port)
    }

    /// The file of the certificate authority of a server with tls.
    pub fn authority(&self) -> Option<&Path> {
        self.certificate.as_ref().map(|certificate| certificate.authority.as_path())
    }

    /// Runs statements; records as lines, columns between `|`.
    ///
    /// # Panics
    ///
    /// When one fails, with what the server said.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> String {
        psql(&self.url(), statements).unwrap_or_else(|said| panic!("{statements}: {said}"))
    }

    /// Starts a hot standby, which follows this server and refuses writes. Of the same version, with Debian's programs.
    pub fn standby(&self) -> Self {
        let folder = Folder::new("standby");
        folder.hand_over();
        let mut words = process::unprivileged(&self.programs.join("pg_basebackup"));
        words.extend(["-d".to_owned(), self.url(), "-D".to_owned(), data(&folder)]);
        // With what it needs to follow, and at once.
        words.extend(["-R", "--checkpoint=fast", "--no-sync"].map(str::to_owned));
        process::run(process::command(&words));
        let options = Options { password: self.password.clone(), ..Options::default() };
        options.serve(&self.programs, folder, None)
    }

    /// Whether this process takes connections: false when it ended before.
    fn is_up(&mut self) -> bool {
        let status = self.data.join("postmaster.pid");
        self.process.becomes(|id| {
            let status = fs::read_to_string(&status).unwrap_or_default();
            let mut lines = status.lines();
            // The first line is its process, the last its state.
            lines.next() == Some(&id.to_string()) && lines.next_back().is_some_and(|state| state.trim() == "ready")
        })
    }

    /// `kill -9`, of all its processes.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGSTOP to all its processes: the system accepts connections, nothing answers.
    pub fn stop(&self) {
        self.process.stop();
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Kills it if it runs, and starts it on the same port and folder. Back when it takes connections.
    pub fn restart(&mut self) {
        // It refuses to start as long as a process of before has not quite ended.
        let is_up = (0..20).any(|attempt| {
            std::thread::sleep(Duration::from_millis(50 * attempt));
            self.process.start_again();
            self.is_up()
        });
        assert!(is_up, "{}", self.process.log());
    }
}

/// Runs statements on the server of a URL; records as lines, columns between `|`.
///
/// # Errors
///
/// What the server said when one failed.
pub fn psql(url: &str, statements: &str) -> Result<String, String> {
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statements, url]);
    let output = psql.output().expect("psql is installed with postgresql");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
}

/// A version that is installed.
#[derive(Clone, Debug)]
pub struct Version {
    /// As the server says it: `15.18`.
    pub name: String,
    programs: PathBuf,
}

/// Folders of programs: those of the system, the oldest version first, then the further ones.
fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    // Where it really is: on the way there, as in a clone that is closed to others, nobody else may get through.
    for version in ["postgres-15", "postgres-18"] {
        folders.extend(process::further_versions().join(version).join("bin").canonicalize());
    }
    folders.extend(process::program("initdb").and_then(|file| Some(file.canonicalize().ok()?.parent()?.to_owned())));
    folders.retain(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()));
    let mut seen = Vec::new();
    folders.retain(|folder| {
        !seen.contains(folder) && {
            seen.push(folder.clone());
            true
        }
    });
    folders
}

/// The programs of this system, else those of the further version.
pub(super) fn folder() -> Option<PathBuf> {
    process::program("psql")?;
    folders().into_iter().next()
}

/// All versions that are installed; none if servers cannot be started here.
///
/// # Panics
///
/// With `CI=true`, unless 15 and 18 are among them.
pub(super) fn versions(purpose: &str) -> Vec<Version> {
    if POSTGRES.program(purpose, folder()).is_none() {
        return Vec::new();
    }
    let versions = folders().into_iter().map(|programs| {
        // "postgres (PostgreSQL) 15.18 (Debian ..)".
        let words = [programs.join("postgres").display().to_string(), "--version".to_owned()];
        let said = process::run(process::command(&words));
        Version { name: said.split_whitespace().nth(2).unwrap_or_default().to_owned(), programs }
    });
    let versions: Vec<_> = versions.collect();
    super::require_in_ci("PostgreSQL", &["15.", "18."], versions.iter().map(|version| version.name.as_str()));
    versions
}
