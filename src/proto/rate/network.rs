//! The networks that clients connect from.

use core::fmt;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

/// An IPv4 address, or a network of IPv6, of which one subscriber has all 2^64
/// addresses: what a limit for an address counts.
///
/// ```
/// use dormouse_proto::rate::Network;
///
/// let network = Network::parse("2001:db8:1:2::3").unwrap();
/// assert_eq!(network.to_string(), "2001:db8:1:2::/64");
/// assert_eq!(Network::parse("2001:db8:1:2:3::4"), Some(network));
/// assert_eq!(Network::parse("192.0.2.1").unwrap().to_string(), "192.0.2.1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Network {
    /// An address of IPv4.
    V4(u32),
    /// The first half of the addresses of IPv6.
    V6(u64),
}

impl Network {
    /// Parses an address. One of IPv4 that is written as one of IPv6 is the same.
    pub fn parse(address: &str) -> Option<Self> {
        let address: IpAddr = address.trim().parse().ok()?;
        Some(match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => {
                let [a, b, c, d] = address.to_be_bytes();
                write!(f, "{a}.{b}.{c}.{d}")
            }
            Self::V6(network) => {
                // Groups of zeros at the end are in the `::`.
                let (mut rest, mut separator) = (*network, "");
                while rest != 0 {
                    write!(f, "{separator}{:x}", rest >> 48)?;
                    (rest, separator) = (rest << 16, ":");
                }
                f.write_str("::/64")
            }
        }
    }
}
