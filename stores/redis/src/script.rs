//! The Lua scripts. Each runs as one step on the server, and uses one key, so it works in every cluster.

use std::sync::LazyLock;

use ::redis::Cmd;

pub(crate) struct Script {
    source: &'static str,
    hash: String,
}

impl Script {
    fn new(source: &'static str) -> Self {
        Self { source, hash: ::redis::Script::new(source).get_hash().to_owned() }
    }

    pub(crate) fn load(&self) -> Cmd {
        let mut command = Cmd::new();
        command.arg("SCRIPT").arg("LOAD").arg(self.source);
        command
    }

    /// Calls the script. Its arguments are to be added.
    pub(crate) fn on(&self, key: &[u8]) -> Cmd {
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

pub(crate) static INSERT: LazyLock<Script> = script!("record.lua", "insert.lua");
pub(crate) static UPDATE: LazyLock<Script> = script!("record.lua", "update.lua");
pub(crate) static TOUCH: LazyLock<Script> = script!("record.lua", "touch.lua");
pub(crate) static DESTROY: LazyLock<Script> = script!("record.lua", "destroy.lua");
pub(crate) static LINK: LazyLock<Script> = script!("link.lua");
pub(crate) static UNLINK: LazyLock<Script> = script!("unlink.lua");
pub(crate) static RAISE: LazyLock<Script> = script!("raise.lua");

pub(crate) fn all() -> [&'static Script; 7] {
    [&INSERT, &UPDATE, &TOUCH, &DESTROY, &LINK, &UNLINK, &RAISE]
}
