//! pgbouncer in transaction mode, where no state of a connection outlives a transaction.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use super::PGBOUNCER;
use super::postgres::{self, Postgres};
use super::process::{self, Folder, Process, free_port, local};

/// A private one before a private server, gone with this value.
#[derive(Debug)]
pub struct PgBouncer {
    _process: Process,
    port: u16,
    _folder: Folder,
    postgres: Postgres,
}

/// pgbouncer, if there is a server for it too.
pub(super) fn program() -> Option<PathBuf> {
    postgres::folder().and_then(|_| process::program("pgbouncer"))
}

impl PgBouncer {
    /// Starts both, where they are installed.
    pub fn start(purpose: &str) -> Option<Self> {
        let program = PGBOUNCER.program(purpose, program())?;
        Some(Self::run(&program))
    }

    pub(super) fn run(program: &Path) -> Self {
        let postgres = Postgres::options().run(&postgres::folder().expect("looked for before"));
        let folder = Folder::new("pgbouncer");
        let users = folder.join("users");
        fs::write(&users, "\"postgres\" \"\"\n").expect("a file");
        for _ in 0..3 {
            let (port, settings) = (free_port(), folder.join("settings"));
            let lines = [
                "[databases]".to_owned(),
                format!("* = host=127.0.0.1 port={}", postgres.port()),
                "[pgbouncer]".to_owned(),
                format!("listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir ="),
                format!("auth_type = trust\nauth_file = {}", users.display()),
                "pool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 200\n".to_owned(),
            ];
            fs::write(&settings, lines.join("\n")).expect("a file");
            folder.hand_over();
            let mut words = process::unprivileged(program);
            words.push(settings.display().to_string());
            let mut process = Process::start(words, &folder);
            if process.becomes(|_| TcpStream::connect(local(port)).is_ok()) {
                return Self { _process: process, port, _folder: folder, postgres };
            }
            // Another process was quicker to take the port.
            assert!(process.log().contains("in use"), "{}", process.log());
        }
        panic!("three ports in a record were taken")
    }

    pub fn url(&self) -> String {
        super::url_through(&self.postgres.url(), self.address())
    }

    pub fn address(&self) -> SocketAddr {
        local(self.port)
    }

    /// The server behind it.
    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }
}
