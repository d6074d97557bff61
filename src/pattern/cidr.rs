//! `cidr`: strings that are an IP address in one of some networks.

use super::{Example, Operator, Takes, Test, texts};
use crate::diagnostic::Problem;
use crate::yaml::Node;
use ipnet::IpNet;
use std::net::IpAddr;

pub(super) const OPERATOR: Operator = Operator::new("cidr", "Strings that are an IP address in a network, or in one of a list.", Takes::Texts, build).with_notes("The string has to be a bare address, without port, zone or brackets. A network of IPv4 has no addresses of IPv6, mapped ones included.").with_examples(&[Example { pattern: "payload: {address: [{cidr: 10.0.0.0/8}]}", matches: &["{payload: {address: 10.1.2.3}}"], differs: &["{payload: {address: 11.1.2.3}}", "{payload: {address: \"10.1.2.3:80\"}}"] },Example { pattern: "payload: {address: [{cidr: [\"192.0.2.7/32\", \"2001:db8::/32\"]}]}", matches: &["{payload: {address: \"2001:db8::1\"}}", "{payload: {address: 192.0.2.7}}"], differs: &["{payload: {address: 192.0.2.8}}"] },]);

/// A network; bits of the host are allowed and mean nothing.
pub type Cidr = IpNet;

fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    let networks = texts::each(node, "cidr", problems, |text, span, problems| {
        let problem = || {
            Problem::error(span, format!("`{text}` is no network"))
                .with_help("write it as `10.0.0.0/8` or `2001:db8::/32`")
        };
        network(text).or_else(|| {
            problems.push(problem());
            None
        })
    });
    networks.map(Test::Cidr)
}

/// The standard library's reading of addresses, as for those in events: a zero before a digit, which
/// some take for octal, is none.
fn network(text: &str) -> Option<Cidr> {
    let (address, length) = text.split_once('/')?;
    let digits =
        length.bytes().all(|byte| byte.is_ascii_digit()) && (length == "0" || !length.starts_with('0'));
    let length = digits.then(|| length.parse().ok())??;
    Cidr::new(address.parse().ok()?, length).ok()
}

/// A bare address, without port or zone; an IPv4 network has no IPv6 addresses.
pub(super) fn any(networks: &[Cidr], text: &str) -> bool {
    text.parse::<IpAddr>().is_ok_and(|address| networks.iter().any(|network| network.contains(&address)))
}
