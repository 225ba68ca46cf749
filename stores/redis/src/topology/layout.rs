//! Which server has which sessions.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::RedisResult;

use super::address::Address;
use super::server::{Server, ServerOptions};

const SLOTS: u16 = 16_384;

/// The primaries, and their slots. Without a cluster, one primary has all slots.
pub(crate) struct Layout {
    ranges: Vec<(RangeInclusive<u16>, Arc<Server>)>,
    /// Each server once, in the order of their addresses.
    pub(crate) primaries: Vec<Arc<Server>>,
    /// Another number if other servers have the slots.
    pub(crate) shape: u64,
}

impl Layout {
    pub(super) fn of_one(server: Arc<Server>) -> Self {
        Self { ranges: vec![(0..=SLOTS - 1, Arc::clone(&server))], primaries: vec![server], shape: 0 }
    }

    pub(super) fn server(&self, key: &[u8]) -> Option<&Arc<Server>> {
        if let [(slots, server)] = self.ranges.as_slice()
            && slots.len() == usize::from(SLOTS)
        {
            return Some(server);
        }
        let slot = slot(key);
        self.ranges.iter().find(|(slots, _)| slots.contains(&slot)).map(|(_, server)| server)
    }
}

/// The slot of a key: of its hash tag, the first text in braces, if it has a hash tag.
fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|start| {
        let rest = key.get(start + 1..)?;
        rest.get(..rest.iter().position(|byte| *byte == b'}')?).filter(|tag| !tag.is_empty())
    });
    // CRC-16/XMODEM.
    let checksum = tag.unwrap_or(key).iter().fold(0_u16, |checksum, byte| {
        (0..8).fold(checksum ^ (u16::from(*byte) << 8), |checksum, _| {
            (checksum << 1) ^ if checksum & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    });
    checksum % SLOTS
}

/// The servers that are in use. A server that stays in use keeps its connections.
pub(super) struct Servers {
    options: ServerOptions,
    by_address: Mutex<HashMap<Address, Arc<Server>>>,
}

impl Servers {
    pub(super) fn new(options: ServerOptions) -> Self {
        Self { options, by_address: Mutex::default() }
    }

    pub(super) fn at(&self, address: &Address) -> RedisResult<Arc<Server>> {
        let mut servers = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = servers.get(address) {
            return Ok(Arc::clone(server));
        }
        let server = Arc::new(self.options.server_at(address)?);
        servers.insert(address.clone(), Arc::clone(&server));
        Ok(server)
    }

    pub(super) fn addresses(&self) -> Vec<Address> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    pub(super) fn layout_of_one(&self, primary: Address) -> RedisResult<Layout> {
        let server = self.at(&primary)?;
        self.retain(&[primary]);
        Ok(Layout::of_one(server))
    }

    pub(super) fn layout(&self, mut ranges: Vec<(u16, u16, Address)>) -> RedisResult<Layout> {
        ranges.sort();
        let mut hasher = DefaultHasher::new();
        ranges.hash(&mut hasher);
        let mut addresses: Vec<Address> = ranges.iter().map(|(_, _, address)| address.clone()).collect();
        addresses.sort();
        addresses.dedup();
        let primaries = addresses.iter().map(|address| self.at(address)).collect::<RedisResult<_>>()?;
        let ranges = ranges.iter().map(|(first, last, address)| Ok((*first..=*last, self.at(address)?)));
        let ranges = ranges.collect::<RedisResult<_>>()?;
        self.retain(&addresses);
        Ok(Layout { ranges, primaries, shape: hasher.finish() })
    }

    /// Drops the connections to servers that have left, or have become replicas.
    fn retain(&self, addresses: &[Address]) {
        let mut servers = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        servers.retain(|address, _| addresses.contains(address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The numbers are what `CLUSTER KEYSLOT` answers.
    #[test]
    fn a_key_has_the_slot_that_servers_compute() {
        for (key, expected) in [
            ("123456789", 12_739),
            ("foo", 12_182),
            ("{user1000}.following", 3_443),
            ("{user1000}.followers", 3_443),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
            ("foo{bar}{zap}", 5_061),
            ("", 0),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }
}
