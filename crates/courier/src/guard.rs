//! Where HTTP may go: the address guard.
//!
//! Pure: an address in, a verdict out. The ranges are those of the IANA special-purpose registries (RFC 6890 and its
//! successors), the IPv6 forms that carry an IPv4 address are unwrapped and judged by what they carry.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Decides which addresses may be dialled. Everything that is not public is refused, unless an allowed network holds it.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    allow: Vec<IpNet>,
}

/// Why an address may not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is in the {network}")]
pub struct Refused {
    /// the address as it was given
    pub address: IpAddr,
    /// name and range of the network it lies in, such as `private network 10.0.0.0/8`
    pub network: &'static str,
}

impl Guard {
    /// A guard that also lets through what lies in `allow`. An allowed IPv4 network holds for the IPv6 forms of its
    /// addresses (mapped, NAT64, 6to4...) too.
    pub fn new(allow: Vec<IpNet>) -> Guard {
        Guard { allow: allow.into_iter().map(unmapped).collect() }
    }

    /// `Ok` when `ip` may be dialled.
    pub fn check(&self, ip: IpAddr) -> Result<(), Refused> {
        let verdict = match ip {
            IpAddr::V4(v4) => self.check_v4(v4),
            IpAddr::V6(v6) => self.check_v6(v6),
        };
        verdict.map_err(|network| Refused { address: ip, network })
    }

    fn check_v4(&self, ip: Ipv4Addr) -> Result<(), &'static str> {
        if self.allows(IpAddr::V4(ip)) {
            return Ok(());
        }
        match V4_REFUSED.iter().find(|range| range.contains(ip)) {
            Some(range) => Err(range.name),
            None => Ok(()),
        }
    }

    fn check_v6(&self, ip: Ipv6Addr) -> Result<(), &'static str> {
        if let Some(mapped) = ip.to_ipv4_mapped() {
            return self.check_v4(mapped);
        }
        if self.allows(IpAddr::V6(ip)) {
            return Ok(());
        }
        if let Some(carried) = carried_v4(ip) {
            return carried.into_iter().flatten().try_for_each(|v4| self.check_v4(v4));
        }
        match V6_REFUSED.iter().find(|range| range.contains(ip)) {
            Some(range) => Err(range.name),
            None => Ok(()),
        }
    }

    fn allows(&self, ip: IpAddr) -> bool {
        self.allow.iter().any(|net| net.contains(&ip))
    }
}

/// `::ffff:a.b.c.d/96+n` is the IPv4 network `a.b.c.d/n`.
fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let (Some(v4), Some(prefix)) = (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) else { return net };
    IpNet::new(IpAddr::V4(v4), prefix).unwrap_or(net)
}

/// The IPv4 addresses inside an IPv6 one that a router or translator on the way would turn it into.
fn carried_v4(ip: Ipv6Addr) -> Option<[Option<Ipv4Addr>; 2]> {
    let s = ip.segments();
    let last = v4(s[6], s[7]);
    match s {
        // NAT64, RFC 6052
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some([Some(last), None]),
        // IPv4-translated (SIIT), RFC 2765
        [0, 0, 0, 0, 0xffff, 0, ..] => Some([Some(last), None]),
        // 6to4, RFC 3056
        [0x2002, hi, lo, ..] => Some([Some(v4(hi, lo)), None]),
        // Teredo, RFC 4380: the server, and the client with its bits flipped
        [0x2001, 0, hi, lo, ..] => Some([Some(v4(hi, lo)), Some(v4(!s[6], !s[7]))]),
        // ISATAP, RFC 5214; only global prefixes come here, the others are refused for themselves
        [first, _, _, _, 0 | 0x200, 0x5efe, ..] if first & 0xe000 == 0x2000 => Some([Some(last), None]),
        _ => None,
    }
}

fn v4(hi: u16, lo: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (hi.to_be_bytes(), lo.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

struct V4Range {
    base: Ipv4Addr,
    bits: u32,
    name: &'static str,
}

impl V4Range {
    fn contains(&self, ip: Ipv4Addr) -> bool {
        let shift = 32 - self.bits;
        u32::from(ip) >> shift == u32::from(self.base) >> shift
    }
}

const fn range4(base: [u8; 4], bits: u32, name: &'static str) -> V4Range {
    V4Range { base: Ipv4Addr::new(base[0], base[1], base[2], base[3]), bits, name }
}

/// IANA IPv4 special-purpose registry, what is not globally reachable, plus multicast and class E.
const V4_REFUSED: &[V4Range] = &[
    range4([0, 0, 0, 0], 8, "\"this\" network 0.0.0.0/8"),
    range4([10, 0, 0, 0], 8, "private network 10.0.0.0/8"),
    range4([100, 64, 0, 0], 10, "carrier-grade NAT network 100.64.0.0/10"),
    range4([127, 0, 0, 0], 8, "loopback network 127.0.0.0/8"),
    range4([169, 254, 0, 0], 16, "link-local (and cloud metadata) network 169.254.0.0/16"),
    range4([172, 16, 0, 0], 12, "private network 172.16.0.0/12"),
    range4([192, 0, 0, 0], 24, "IETF protocol network 192.0.0.0/24"),
    range4([192, 0, 2, 0], 24, "documentation network 192.0.2.0/24"),
    range4([192, 88, 99, 0], 24, "6to4 relay network 192.88.99.0/24"),
    range4([192, 168, 0, 0], 16, "private network 192.168.0.0/16"),
    range4([198, 18, 0, 0], 15, "benchmark network 198.18.0.0/15"),
    range4([198, 51, 100, 0], 24, "documentation network 198.51.100.0/24"),
    range4([203, 0, 113, 0], 24, "documentation network 203.0.113.0/24"),
    range4([224, 0, 0, 0], 4, "multicast network 224.0.0.0/4"),
    range4([255, 255, 255, 255], 32, "broadcast address 255.255.255.255"),
    range4([240, 0, 0, 0], 4, "reserved network 240.0.0.0/4"),
];

struct V6Range {
    base: Ipv6Addr,
    bits: u32,
    name: &'static str,
}

impl V6Range {
    fn contains(&self, ip: Ipv6Addr) -> bool {
        let shift = 128 - self.bits;
        u128::from(ip) >> shift == u128::from(self.base) >> shift
    }
}

const fn range6(base: [u16; 4], bits: u32, name: &'static str) -> V6Range {
    V6Range { base: Ipv6Addr::new(base[0], base[1], base[2], base[3], 0, 0, 0, 0), bits, name }
}

const LOOPBACK6: V6Range = V6Range { base: Ipv6Addr::LOCALHOST, bits: 128, name: "loopback address ::1" };

/// IANA IPv6 special-purpose registry, what is not globally reachable. The last three lines refuse all that is not
/// assigned for global unicast (2000::/3, RFC 4291), so that a range invented tomorrow starts out refused.
const V6_REFUSED: &[V6Range] = &[
    LOOPBACK6,
    V6Range { base: Ipv6Addr::UNSPECIFIED, bits: 128, name: "unspecified address ::" },
    range6([0, 0, 0, 0], 96, "IPv4-compatible network ::/96"),
    // the length of its prefix, and so the place of the IPv4 address, is the operator's choice (RFC 8215): refused whole
    range6([0x64, 0xff9b, 1, 0], 48, "local NAT64 network 64:ff9b:1::/48"),
    range6([0x100, 0, 0, 0], 64, "discard network 100::/64"),
    range6([0x2001, 0, 0, 0], 23, "IETF protocol network 2001::/23"),
    range6([0x2001, 0xdb8, 0, 0], 32, "documentation network 2001:db8::/32"),
    range6([0x3fff, 0, 0, 0], 20, "documentation network 3fff::/20"),
    range6([0x5f00, 0, 0, 0], 16, "segment routing network 5f00::/16"),
    range6([0xfc00, 0, 0, 0], 7, "unique local network fc00::/7"),
    range6([0xfe80, 0, 0, 0], 10, "link-local network fe80::/10"),
    range6([0xfec0, 0, 0, 0], 10, "site-local network fec0::/10"),
    range6([0xff00, 0, 0, 0], 8, "multicast network ff00::/8"),
    range6([0, 0, 0, 0], 3, "reserved network ::/3"),
    range6([0x4000, 0, 0, 0], 2, "reserved network 4000::/2"),
    range6([0x8000, 0, 0, 0], 1, "reserved network 8000::/1"),
];
