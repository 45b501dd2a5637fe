//! Where a task listens: an address of its own on the loopback network.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use crate::process::emulator::free_port;

/// Hands out addresses. Sandboxes side by side draw different networks.
#[derive(Debug)]
pub(super) struct Addresses {
    network: (u8, u8),
    next: u8,
    /// Whether the machine has one loopback address only.
    shared: bool,
}

impl Addresses {
    pub(super) fn draw() -> Addresses {
        let network = (rand::random_range(64..128), rand::random());
        let first = Ipv4Addr::new(127, network.0, network.1, 1);
        Addresses { network, next: 0, shared: TcpListener::bind((first, 0)).is_err() }
    }

    pub(super) fn next(&mut self) -> Address {
        if self.shared {
            return Address { ip: Ipv4Addr::LOCALHOST, ports: Some(HashMap::new()) };
        }
        self.next = self.next % 254 + 1;
        Address { ip: Ipv4Addr::new(127, self.network.0, self.network.1, self.next), ports: None }
    }
}

/// Of one task.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) ip: Ipv4Addr,
    /// Where tasks share an address: the actual port by the declared one.
    pub(super) ports: Option<HashMap<u16, u16>>,
}

impl Address {
    /// A variable's value as the task gets it.
    pub(super) fn own(&mut self, value: &str) -> anyhow::Result<String> {
        let Some(listen) = listen(value) else { return Ok(value.to_owned()) };
        let port = self.port(listen.port())?;
        Ok(format!("{}:{port}", self.ip))
    }

    fn port(&mut self, declared: u16) -> anyhow::Result<u16> {
        let Some(ports) = self.ports.as_mut() else { return Ok(declared) };
        if let Some(port) = ports.get(&declared) {
            return Ok(*port);
        }
        let port = free_port()?;
        ports.insert(declared, port);
        Ok(port)
    }

    /// An argument of the health check, which may name a port.
    pub(super) fn argument(&self, argument: &str) -> String {
        let actual = self.ports.as_ref().and_then(|ports| ports.get(&argument.parse().ok()?));
        actual.map_or_else(|| argument.to_owned(), u16::to_string)
    }
}

/// Whether a variable says where to listen: at every address, or at loopback.
pub(super) fn listen(value: &str) -> Option<SocketAddr> {
    let address: SocketAddr = value.parse().ok()?;
    let listens =
        [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::LOCALHOST)].contains(&address.ip());
    (listens && address.port() != 0).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_where_to_listen_gets_the_tasks_own_address() {
        let mut address = Address { ip: Ipv4Addr::new(127, 70, 3, 9), ports: None };
        for (value, own) in [
            ("0.0.0.0:8080", "127.70.3.9:8080"),
            ("127.0.0.1:8081", "127.70.3.9:8081"),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("10.0.0.1:8080", "10.0.0.1:8080"),
            ("600", "600"),
        ] {
            assert_eq!(address.own(value).expect("an address"), own);
        }
        assert_eq!(address.argument("8080"), "8080");
    }

    #[test]
    fn where_the_address_is_shared_the_port_differs_and_the_check_asks_at_it() {
        let mut address = Address { ip: Ipv4Addr::LOCALHOST, ports: Some(HashMap::new()) };
        let own = address.own("0.0.0.0:8080").expect("an address");
        assert_eq!(address.own("0.0.0.0:8080").expect("an address"), own);
        assert!(own.ends_with(&format!(":{}", address.argument("8080"))) && !own.ends_with(":8080"), "{own}");
        assert_eq!(address.argument("gateway"), "gateway");
    }
}
