//! The scripts: each is one step for the server, and touches one key.

use std::sync::LazyLock;

use ::redis::Cmd;

pub(super) struct Script {
    source: &'static str,
    hash: String,
}

impl Script {
    fn new(source: &'static str) -> Self {
        Self { source, hash: ::redis::Script::new(source).get_hash().to_owned() }
    }

    pub(super) fn load(&self) -> Cmd {
        let mut command = Cmd::new();
        command.arg("SCRIPT").arg("LOAD").arg(self.source);
        command
    }

    /// Arguments come after.
    pub(super) fn on(&self, key: &[u8]) -> Cmd {
        let mut command = Cmd::new();
        command.arg("EVALSHA").arg(&self.hash).arg(1).arg(key);
        command
    }
}

macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $file))),+)))
    };
}

pub(super) static INSERT: LazyLock<Script> = script!("row.lua", "insert.lua");
pub(super) static UPDATE: LazyLock<Script> = script!("row.lua", "update.lua");
pub(super) static TOUCH: LazyLock<Script> = script!("row.lua", "touch.lua");
pub(super) static DESTROY: LazyLock<Script> = script!("row.lua", "destroy.lua");
pub(super) static LINK: LazyLock<Script> = script!("link.lua");
pub(super) static UNLINK: LazyLock<Script> = script!("unlink.lua");
pub(super) static RAISE: LazyLock<Script> = script!("raise.lua");

pub(super) fn all() -> [&'static Script; 7] {
    [&INSERT, &UPDATE, &TOUCH, &DESTROY, &LINK, &UNLINK, &RAISE]
}
