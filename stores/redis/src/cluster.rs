//! A cluster: which server has which slot.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::{ErrorKind, RedisResult, Value};
use tokio::time::Instant;

use super::refusal::is_worse;
use super::renewed::{Held, Renewed};
use super::server::{Address, Failure, Server, Template, Wait, text};

pub(super) struct Cluster {
    template: Template,
    /// As the URL names them: asked when nobody else answers.
    seeds: Vec<Address>,
    servers: Mutex<HashMap<Address, Arc<Server>>>,
    slots: Renewed<Arc<Slots>>,
    turn: AtomicUsize,
}

/// Who has which slots.
pub(super) struct Slots {
    ranges: Vec<(u16, u16, Arc<Server>)>,
    /// Each server once.
    pub(super) primaries: Vec<Arc<Server>>,
    /// The same for the same ranges on the same servers.
    pub(super) shape: u64,
}

impl Slots {
    pub(super) fn server(&self, slot: u16) -> Option<&Arc<Server>> {
        let range = self.ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot))?;
        Some(&range.2)
    }
}

impl Cluster {
    pub(super) fn new(template: Template, seeds: Vec<Address>) -> Self {
        let (servers, slots, turn) = (Mutex::default(), Renewed::default(), AtomicUsize::new(0));
        Self { template, seeds, servers, slots, turn }
    }

    pub(super) async fn slots(&self) -> RedisResult<Held<Arc<Slots>>> {
        self.slots.current(|| async { self.read_slots().await.map(Arc::new) }).await
    }

    /// The same, where nobody has to be asked.
    pub(super) fn known(&self) -> Option<Held<Arc<Slots>>> {
        self.slots.known()
    }

    /// The same, asked for anew.
    pub(super) async fn slots_now(&self) -> RedisResult<Held<Arc<Slots>>> {
        self.slots.anew(|| async { self.read_slots().await.map(Arc::new) }).await
    }

    /// Asks who has which slot before the next call.
    pub(super) fn give_up(&self, slots: &Held<Arc<Slots>>) {
        self.slots.give_up(slots);
    }

    pub(super) fn server(&self, address: &Address) -> RedisResult<Arc<Server>> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = servers.get(address) {
            return Ok(Arc::clone(server));
        }
        let server = Arc::new(self.template.at(address).server()?);
        servers.insert(address.clone(), Arc::clone(&server));
        Ok(server)
    }

    /// Asks one server after the other, beginning with another one each time.
    async fn read_slots(&self) -> RedisResult<Slots> {
        let mut addresses: Vec<Address> =
            self.servers.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        addresses.extend(self.seeds.iter().cloned());
        addresses.sort();
        addresses.dedup();
        let count = addresses.len().max(1);
        addresses.rotate_left(self.turn.fetch_add(1, Ordering::Relaxed) % count);
        let mut problem = None;
        for address in addresses {
            match self.ask_for_slots(&address).await {
                Ok(slots) => return Ok(slots),
                Err(error) if problem.as_ref().is_none_or(|known| is_worse(known, &error)) => problem = Some(error),
                Err(_) => {}
            }
        }
        Err(problem
            .unwrap_or_else(|| (ErrorKind::ClusterConnectionNotFound, "no server of the cluster was named").into()))
    }

    async fn ask_for_slots(&self, address: &Address) -> RedisResult<Slots> {
        let mut question = ::redis::Pipeline::with_capacity(1);
        question.cmd("CLUSTER").arg("SLOTS");
        let (server, deadline) = (self.server(address)?, Instant::now() + self.template.patience);
        let mut replies = match server.ask(&question, deadline, Wait::ToTheEnd).await {
            Ok(replies) => replies,
            Err(Failure::Unreached(error) | Failure::Lost(error)) => return Err(error),
        };
        let reply = replies.pop().unwrap_or(Value::Nil).extract_error()?;
        let ranges = ranges(&reply, address).filter(|ranges| !ranges.is_empty());
        let ranges = ranges.ok_or((ErrorKind::UnexpectedReturnType, "the server does not say who has which slot"))?;
        self.with_ranges(ranges)
    }

    fn with_ranges(&self, mut ranges: Vec<(u16, u16, Address)>) -> RedisResult<Slots> {
        ranges.sort();
        let mut hasher = DefaultHasher::new();
        ranges.hash(&mut hasher);
        let mut addresses: Vec<&Address> = ranges.iter().map(|(_, _, address)| address).collect();
        addresses.sort();
        addresses.dedup();
        let primaries = addresses.iter().map(|address| self.server(address)).collect::<RedisResult<_>>()?;
        // Connections to servers that have left the cluster, or have become replicas, end here.
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.retain(|address, _| addresses.contains(&address));
        drop(servers);
        let with_servers = ranges.iter().map(|(first, last, address)| Ok((*first, *last, self.server(address)?)));
        Ok(Slots { ranges: with_servers.collect::<RedisResult<_>>()?, primaries, shape: hasher.finish() })
    }
}

/// Reads the answer to `CLUSTER SLOTS`: of each range the first server is its primary.
fn ranges(reply: &Value, asked: &Address) -> Option<Vec<(u16, u16, Address)>> {
    let Value::Array(ranges) = reply else { return None };
    let mut all = Vec::with_capacity(ranges.len());
    for range in ranges {
        let Value::Array(range) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = range.as_slice() else { return None };
        let [host, Value::Int(port), ..] = primary.as_slice() else { return None };
        let host = text(host).filter(|host| !matches!(*host, "" | "?")).unwrap_or(&asked.host).to_owned();
        let address = Address { host, port: u16::try_from(*port).ok()? };
        all.push((u16::try_from(*first).ok()?, u16::try_from(*last).ok()?, address));
    }
    Some(all)
}

/// The slot of a key: of its hash tag, the first text in braces, if it has one.
pub(super) fn slot(key: &[u8]) -> u16 {
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
    checksum % 16_384
}

#[cfg(test)]
mod tests {
    use super::*;

    // As `CLUSTER KEYSLOT` says.
    #[test]
    fn a_key_has_the_slot_that_servers_say() {
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

    #[test]
    fn an_address_without_host_is_on_the_host_that_names_it() {
        let asked = Address { host: "10.0.0.1".to_owned(), port: 7000 };
        let named = Address::named(":7001", Some(&asked)).unwrap();
        assert_eq!(named, Address { host: "10.0.0.1".to_owned(), port: 7001 });
        assert_eq!(Address::named("[::1]:7001", None).unwrap().host, "::1");
        assert!(Address::named("7001", Some(&asked)).is_none());
    }
}
