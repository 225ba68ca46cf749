//! The address of a server.

use ::redis::{ConnectionAddr, ConnectionInfo};

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// Reads the address of a `MOVED` or `ASK`. An address without a host is on the host of its sender.
    pub(super) fn parse(text: &str, sender: Option<&Self>) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = if host.is_empty() { &sender?.host } else { host };
        Some(Self { host: host.trim_matches(['[', ']']).to_owned(), port: port.parse().ok()? })
    }

    /// The address that these options connect to. A Unix socket has no address.
    pub(crate) fn of(info: &ConnectionInfo) -> Option<Self> {
        match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some(Self { host: host.clone(), port: *port })
            }
            _ => None,
        }
    }

    /// The same options for this address.
    pub(super) fn with_options_of(&self, info: &ConnectionInfo) -> ConnectionInfo {
        let (host, port) = (self.host.clone(), self.port);
        let address = match info.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        info.clone().set_addr(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_host_is_on_the_host_of_its_sender() {
        let sender = Address { host: "10.0.0.1".to_owned(), port: 7000 };
        let named = Address::parse(":7001", Some(&sender)).unwrap();
        assert_eq!(named, Address { host: "10.0.0.1".to_owned(), port: 7001 });
        assert_eq!(Address::parse("[::1]:7001", None).unwrap().host, "::1");
        assert!(Address::parse("7001", Some(&sender)).is_none());
    }
}
