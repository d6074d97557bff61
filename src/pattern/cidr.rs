//! `cidr`: strings that are an IP address in one of some networks.

use super::{Test, texts};
use crate::diagnostic::Problem;
use crate::yaml::Node;
use ipnet::IpNet;
use std::net::IpAddr;

/// A network; bits of the host are allowed and mean nothing.
pub type Cidr = IpNet;

pub(super) fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    let networks = texts::each(node, "cidr", problems, |text, problems| {
        let problem = || {
            Problem::error(node.span, format!("`{text}` is no network"))
                .with_help("write it as `10.0.0.0/8` or `2001:db8::/32`")
        };
        text.parse::<Cidr>().map_err(|_| problems.push(problem())).ok()
    });
    networks.map(Test::Cidr)
}

/// A bare address, without port or zone; an IPv4 network has no IPv6 addresses.
pub(super) fn any(networks: &[Cidr], text: &str) -> bool {
    text.parse::<IpAddr>().is_ok_and(|address| networks.iter().any(|network| network.contains(&address)))
}
