//! Failure domains: what is likely to fail together holds at most one shard of a segment.

use std::net::IpAddr;

use nodio_wire::NodeId;

use crate::config::DomainRule;

/// The failure domain of a donor: its operator, else its zone, else its network, else the name of its host.
pub(crate) fn domain_of(rule: DomainRule, node: NodeId, operator: Option<&str>, zone: Option<&str>, addr: &str) -> String {
    match (rule, operator, zone) {
        (DomainRule::Node, _, _) => format!("node:{node}"),
        (DomainRule::Auto, Some(operator), _) => format!("operator:{operator}"),
        (DomainRule::Auto, None, Some(zone)) => format!("zone:{zone}"),
        (DomainRule::Auto, None, None) => network_of(addr),
    }
}

fn network_of(addr: &str) -> String {
    let host = host_of(addr);
    match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, c, _] = ip.octets();
            format!("net:{a}.{b}.{c}.0/24")
        }
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, ..] = ip.segments();
            format!("net:{a:x}:{b:x}:{c:x}::/48")
        }
        Err(_) => format!("host:{}", host.to_ascii_lowercase()),
    }
}

/// The host in a base URL, without port or brackets.
fn host_of(addr: &str) -> &str {
    let authority = addr.split_once("://").map_or(addr, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or(authority);
    if let Some(bracketed) = authority.strip_prefix('[') {
        return bracketed.split(']').next().unwrap_or(bracketed);
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(operator: Option<&str>, zone: Option<&str>, addr: &str) -> String {
        domain_of(DomainRule::Auto, NodeId(1), operator, zone, addr)
    }

    #[test]
    fn labels_come_before_networks() {
        assert_eq!(auto(Some("ann"), Some("fi"), "http://10.1.2.3:7400"), "operator:ann");
        assert_eq!(auto(None, Some("fi"), "http://10.1.2.3:7400"), "zone:fi");
        assert_eq!(domain_of(DomainRule::Node, NodeId(9), Some("ann"), None, "x"), "node:9");
    }

    #[test]
    fn addresses_of_one_network_are_one_domain() {
        assert_eq!(auto(None, None, "http://10.1.2.3:7400"), "net:10.1.2.0/24");
        assert_eq!(auto(None, None, "http://10.1.2.200:80"), auto(None, None, "http://10.1.2.3:7400"));
        assert_ne!(auto(None, None, "http://10.1.3.3:7400"), auto(None, None, "http://10.1.2.3:7400"));
        assert_eq!(auto(None, None, "http://[2001:db8:7:9::1]:7400"), "net:2001:db8:7::/48");
        assert_eq!(auto(None, None, "http://[::ffff:10.1.2.9]:7400"), "net:10.1.2.0/24");
        assert_eq!(auto(None, None, "https://Home.example:7400"), "host:home.example");
    }
}
