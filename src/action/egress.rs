//! Which addresses a request may go to.
//!
//! Sources: IANA's special-purpose address registries (RFC 6890 and its updates), RFC 6052
//! (NAT64), RFC 3056 (6to4), RFC 4291 (mapped and compatible addresses).

use super::Consent;
use crate::template::{authority, endpoint};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::Url;

/// `egress:` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Egress {
    /// Private destinations that scripts may reach too: networks (`10.0.0.0/8`) and host names.
    pub allow: Vec<Allowed>,
}

/// One destination of `egress.allow`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Allowed {
    Net(IpNet),
    /// Lower case.
    Host(String),
}

impl TryFrom<String> for Allowed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if let Ok(net) = text.parse() {
            return Ok(Self::Net(net));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Net(address.into()));
        }
        match url::Host::parse(&text) {
            Ok(url::Host::Domain(host)) => Ok(Self::Host(host.strip_suffix('.').unwrap_or(&host).to_owned())),
            _ => Err(format!("`{text}` is neither a network like `10.0.0.0/8` nor a host name")),
        }
    }
}

/// How far the author's consent goes for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The author chose the host and port: everything but what is refused always.
    Consented,
    /// A script computed it: public addresses, and what `egress.allow` has.
    Public,
}

impl Egress {
    /// What a request to `url` may reach. The author consents to a host and port,
    /// `egress.allow` to a host.
    pub(super) fn reach(&self, url: &Url, consent: &Consent) -> Reach {
        let consented = match consent {
            Consent::Author => true,
            Consent::Hosts(authorities) => {
                authority(url).is_some_and(|authority| authorities.contains(&authority)) || self.has_host(url)
            }
        };
        if consented { Reach::Consented } else { Reach::Public }
    }

    /// Says why `address` must not be reached.
    pub(super) fn check(&self, address: IpAddr, reach: Reach) -> Result<(), String> {
        let forms = forms(address);
        if forms.iter().any(|form| contains(&ALWAYS_V4, &ALWAYS_V6, *form)) {
            return Err(format!("{address} is a link-local or metadata address, which is never reached"));
        }
        let special = || forms.iter().any(|form| contains(&SPECIAL_V4, &SPECIAL_V6, *form));
        if reach == Reach::Consented || !special() || self.has(&forms) {
            return Ok(());
        }
        Err(format!(
            "{address} is not a public address, and a script chose it: write its URL with host and port into \
             the action's parameters or `vars`, or add the host to `egress.allow`"
        ))
    }

    /// Of the addresses that a name leads to, those that may be reached; why, if there are none.
    pub(super) fn permitted(&self, found: Vec<SocketAddr>, reach: Reach) -> Result<Vec<SocketAddr>, String> {
        let mut why = None;
        let mut fine = found;
        fine.retain(|address| match self.check(address.ip(), reach) {
            Ok(()) => true,
            Err(error) => {
                why = Some(error);
                false
            }
        });
        match why {
            Some(why) if fine.is_empty() => Err(why),
            _ => Ok(fine),
        }
    }

    /// Whether `egress.allow` names the host of `url`.
    fn has_host(&self, url: &Url) -> bool {
        let Some((url::Host::Domain(host), _)) = endpoint(url) else { return false };
        self.allow.iter().any(|allowed| matches!(allowed, Allowed::Host(name) if *name == host))
    }

    fn has(&self, forms: &[IpAddr]) -> bool {
        let net = |allowed: &Allowed| match allowed {
            Allowed::Net(net) => forms.iter().any(|form| net.contains(form)),
            Allowed::Host(_) => false,
        };
        self.allow.iter().any(net)
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, c: u16, h: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, h), length)
}

/// Link-local, and where clouds keep their instance metadata.
const ALWAYS_V4: [Ipv4Net; 4] =
    [v4(169, 254, 0, 0, 16), v4(100, 100, 100, 200, 32), v4(168, 63, 129, 16, 32), v4(192, 0, 0, 192, 32)];
const ALWAYS_V6: [Ipv6Net; 2] = [v6(0xfe80, 0, 0, 0, 10), v6(0xfd00, 0xec2, 0, 0x254, 128)];

const SPECIAL_V4: [Ipv4Net; 14] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];
const SPECIAL_V6: [Ipv6Net; 11] = [
    v6(0, 0, 0, 0, 127),
    v6(0x64, 0xff9b, 1, 0, 48),
    v6(0x100, 0, 0, 0, 64),
    v6(0x2001, 0, 0, 0, 23),
    v6(0x2001, 0xdb8, 0, 0, 32),
    v6(0x3fff, 0, 0, 0, 20),
    v6(0x5f00, 0, 0, 0, 16),
    v6(0xfc00, 0, 0, 0, 7),
    v6(0xfec0, 0, 0, 0, 10),
    v6(0xff00, 0, 0, 0, 8),
    v6(0, 0, 0, 0, 96),
];

fn contains(v4: &[Ipv4Net], v6: &[Ipv6Net], address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => v4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => v6.iter().any(|net| net.contains(&address)),
    }
}

/// The address, and the IPv4 address that an IPv6 one leads to. A mapped address is only the
/// other notation of its IPv4 one.
fn forms(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(v6) = address else { return vec![address] };
    if let Some(mapped) = v6.to_ipv4_mapped() {
        return vec![mapped.into()];
    }
    let [s0, s1, s2, s3, s4, s5, s6, s7] = v6.segments();
    let pair = |high: u16, low: u16| IpAddr::from(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    let embedded = match (s0, s1) {
        (0x64, 0xff9b) => Some(pair(s6, s7)),
        (0x2002, _) => Some(pair(s1, s2)),
        (0x2001, 0) => Some(pair(!s6, !s7)),
        (0, 0) if [s2, s3, s4, s5] == [0; 4] => Some(pair(s6, s7)),
        _ => None,
    };
    std::iter::once(address).chain(embedded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, reach: Reach, allow: &[&str]) -> Result<(), String> {
        let allow = allow.iter().map(|text| Allowed::try_from((*text).to_owned()).unwrap()).collect();
        Egress { allow }.check(address.parse().expect(address), reach)
    }

    #[test]
    fn link_local_and_metadata_are_refused_whoever_asks() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::169.254.169.254",
        ] {
            for reach in [Reach::Consented, Reach::Public] {
                let why = check(address, reach, &["0.0.0.0/0", "::/0"]).expect_err(address);
                assert!(why.contains("metadata"), "{why}");
            }
        }
    }

    #[test]
    fn private_addresses_want_consent_or_egress_allow() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "64:ff9b:1::7f00:1",
            "2001::1",
            "::127.0.0.1",
        ] {
            assert!(check(address, Reach::Public, &[]).expect_err(address).contains("egress.allow"));
            assert_eq!(check(address, Reach::Consented, &[]), Ok(()), "{address}");
        }
        assert_eq!(check("10.1.2.3", Reach::Public, &["10.0.0.0/8"]), Ok(()));
        assert_eq!(check("::ffff:10.1.2.3", Reach::Public, &["10.0.0.0/8"]), Ok(()));
        assert!(check("10.1.2.3", Reach::Public, &["192.168.0.0/16", "host.example"]).is_err());
    }

    #[test]
    fn public_addresses_are_reached() {
        for address in
            ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "172.32.0.1", "100.128.0.1"]
        {
            assert_eq!(check(address, Reach::Public, &[]), Ok(()), "{address}");
        }
    }

    #[test]
    fn the_configuration_takes_networks_and_hosts_only() {
        let read = |text: &str| serde_json::from_str::<Egress>(text);
        let egress = read(r#"{"allow":["10.0.0.0/8","127.0.0.1","Internal.Example"]}"#).unwrap();
        assert_eq!(egress.allow[2], Allowed::Host("internal.example".to_owned()));
        let reach = |url: &str| egress.reach(&url.parse().unwrap(), &Consent::Hosts(Default::default()));
        assert_eq!(reach("http://internal.example.:8080/"), Reach::Consented);
        assert_eq!(reach("http://other.example/"), Reach::Public);
        for text in [r#"{"allow":["10.0.0.0/99"]}"#, r#"{"allow":["a b"]}"#, r#"{"deny":[]}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
