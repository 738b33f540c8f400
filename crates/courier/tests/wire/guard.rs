//! The address guard, range by range: first and last address of each range, and what lies just outside.

use std::net::{IpAddr, Ipv4Addr};

use courier::Guard;

/// Refused ranges: first, last, what the refusal names; `-` where nothing public lies next to it.
const REFUSED: &[(&str, &str, &str)] = &[
    ("0.0.0.0", "0.255.255.255", "0.0.0.0/8"),
    ("10.0.0.0", "10.255.255.255", "10.0.0.0/8"),
    ("100.64.0.0", "100.127.255.255", "100.64.0.0/10"),
    ("127.0.0.0", "127.255.255.255", "127.0.0.0/8"),
    ("169.254.0.0", "169.254.255.255", "169.254.0.0/16"),
    ("169.254.169.254", "169.254.169.254", "metadata"),
    ("172.16.0.0", "172.31.255.255", "172.16.0.0/12"),
    ("192.0.0.0", "192.0.0.255", "192.0.0.0/24"),
    ("192.0.2.0", "192.0.2.255", "192.0.2.0/24"),
    ("192.88.99.0", "192.88.99.255", "192.88.99.0/24"),
    ("192.168.0.0", "192.168.255.255", "192.168.0.0/16"),
    ("198.18.0.0", "198.19.255.255", "198.18.0.0/15"),
    ("198.51.100.0", "198.51.100.255", "198.51.100.0/24"),
    ("203.0.113.0", "203.0.113.255", "203.0.113.0/24"),
    ("224.0.0.0", "239.255.255.255", "224.0.0.0/4"),
    ("240.0.0.0", "255.255.255.254", "240.0.0.0/4"),
    ("255.255.255.255", "255.255.255.255", "broadcast"),
    ("::", "::", "unspecified"),
    ("::1", "::1", "loopback"),
    // IPv4-compatible, whatever it carries
    ("::2", "::8.8.8.8", "::/96"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:1::/48"),
    ("64:ff9b:1::8.8.8.8", "64:ff9b:1::8.8.8.8", "64:ff9b:1::/48"),
    ("100::", "100::ffff:ffff:ffff:ffff", "100::/64"),
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", "::/3"),
    ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::/23"),
    ("2001:2::", "2001:2::ffff:ffff:ffff:ffff", "2001::/23"),
    ("2001:10::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", "2001::/23"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::/32"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::/20"),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f00::/16"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fc00::/7"),
    ("fd00:ec2::254", "fd00:ec2::254", "fc00::/7"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::/10"),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::/10"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::/8"),
    // never assigned for global unicast
    ("200::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/3"),
    ("4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::/2"),
    ("5f01::", "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::/2"),
    ("8000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "8000::/1"),
];

/// IPv6 forms with an IPv4 address in them; the refusal is that of the IPv4 address.
const CARRIED: &[(&str, &str)] = &[
    // mapped
    ("::ffff:127.0.0.1", "127.0.0.0/8"),
    ("::ffff:10.1.2.3", "10.0.0.0/8"),
    ("::ffff:169.254.169.254", "metadata"),
    // NAT64
    ("64:ff9b::127.0.0.1", "127.0.0.0/8"),
    ("64:ff9b::169.254.169.254", "metadata"),
    ("64:ff9b::192.168.1.1", "192.168.0.0/16"),
    // IPv4-translated
    ("::ffff:0:10.0.0.1", "10.0.0.0/8"),
    // 6to4
    ("2002:7f00:1::", "127.0.0.0/8"),
    ("2002:a9fe:a9fe::1", "metadata"),
    ("2002:c0a8:101:1::1", "192.168.0.0/16"),
    // Teredo: private server; public server 65.54.227.120 and private client 10.0.0.1, bits flipped
    ("2001:0:a00:1::", "10.0.0.0/8"),
    ("2001:0:4136:e378:8000:63bf:f5ff:fffe", "10.0.0.0/8"),
    // ISATAP
    ("2a00:1450::5efe:10.0.0.1", "10.0.0.0/8"),
    ("2a00:1450::200:5efe:127.0.0.1", "127.0.0.0/8"),
];

const PUBLIC: &[&str] = &[
    "1.0.0.0",
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.1.255",
    "192.0.3.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "::ffff:0:8.8.8.8",
    "2002:808:808::1",
    // public server and client
    "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
    "2001:200::",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9::",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00:1450::5efe:8.8.8.8",
    "2a00:1450:4001::1",
    "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "3fff:1000::",
];

#[test]
fn every_special_range_is_refused_from_first_to_last() {
    let guard = Guard::default();
    for (first, last, network) in REFUSED {
        for text in [first, last] {
            let refused = guard.check(ip(text)).expect_err(text);
            assert!(refused.network.contains(network), "{text}: {refused}");
            assert_eq!(refused.address, ip(text));
        }
    }
}

#[test]
fn an_ipv6_address_is_judged_by_the_ipv4_address_it_carries() {
    let guard = Guard::default();
    for (text, network) in CARRIED {
        let refused = guard.check(ip(text)).expect_err(text);
        assert!(refused.network.contains(network), "{text}: {refused}");
    }
}

#[test]
fn public_addresses_pass() {
    let guard = Guard::default();
    for text in PUBLIC {
        assert_eq!(guard.check(ip(text)), Ok(()), "{text}");
    }
}

#[test]
fn every_ipv4_network_agrees_with_the_standard_library() {
    let guard = Guard::default();
    let third = [0, 1, 2, 3, 98, 99, 100, 101, 113, 254, 255];
    let addresses = (0..=u16::MAX).flat_map(|high| third.map(|c| (high.to_be_bytes(), c)));
    for ([a, b], c) in addresses {
        let ip = Ipv4Addr::new(a, b, c, 7);
        let special = ip.is_private()
            || ip.is_loopback()
            || ip.is_link_local()
            || ip.is_documentation()
            || ip.is_multicast()
            || a == 0
            || a >= 240
            || (a == 100 && b & 0xc0 == 64)
            || (a == 198 && b & 0xfe == 18)
            || (a, b, c) == (192, 0, 0)
            || (a, b, c) == (192, 88, 99);
        assert_eq!(guard.check(ip.into()).is_err(), special, "{ip}");
    }
}

#[test]
fn an_allowed_network_wins() {
    let allow = |net: &str| Guard::new(vec![net.parse().unwrap()]);
    assert!(allow("10.1.0.0/16").check(ip("10.1.2.3")).is_ok());
    assert!(allow("10.1.0.0/16").check(ip("10.2.0.0")).is_err());
    assert!(allow("fd00::/8").check(ip("fd12::1")).is_ok());
    assert!(allow("fd00::/8").check(ip("fc00::1")).is_err());
    assert!(allow("::1/128").check(ip("::1")).is_ok());
    assert!(allow("::1/128").check(ip("127.0.0.1")).is_err());
    assert!(allow("64:ff9b:1::/48").check(ip("64:ff9b:1::10.0.0.1")).is_ok());
}

#[test]
fn an_allowed_ipv4_network_holds_for_its_ipv6_forms() {
    let guard = Guard::new(vec!["10.0.0.0/8".parse().unwrap()]);
    for text in ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1"] {
        assert_eq!(guard.check(ip(text)), Ok(()), "{text}");
    }
    // and one written in mapped form is an IPv4 network
    let mapped = Guard::new(vec!["::ffff:10.0.0.0/104".parse().unwrap()]);
    assert!(mapped.check(ip("10.255.0.1")).is_ok());
    assert!(mapped.check(ip("11.0.0.1")).is_ok());
    assert!(mapped.check(ip("127.0.0.1")).is_err());
    // ::/0 is not an IPv4 network
    assert!(Guard::new(vec!["::/0".parse().unwrap()]).check(ip("::ffff:127.0.0.1")).is_err());
}

#[test]
fn a_refusal_reads_as_a_sentence() {
    let refused = Guard::default().check(ip("10.0.0.5")).unwrap_err();
    assert_eq!(refused.to_string(), "10.0.0.5 is in the private network 10.0.0.0/8");
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
