//! A link carries all that one role needs to reach a coordinator: `nodio://HOST:PORT/ROLE#SECRET`. It is a secret itself.

use std::fmt;
use std::str::FromStr;

use crate::auth::{Secret, Who};

/// A coordinator's address and the secret of one role there.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// `HOST:PORT`.
    pub authority: String,
    pub who: Who,
    pub secret: Secret,
}

/// Text that is no link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a link looks like nodio://HOST:PORT/donor#SECRET (roles: donor, gateway, operator)")]
pub struct BadLink;

impl Link {
    /// The link for `who`, made from the coordinator's own secret; `None` for a registered donor, which needs none.
    pub fn for_role(authority: &str, who: Who, cluster: &Secret) -> Option<Self> {
        Some(Self { authority: authority.to_owned(), who, secret: who.role_secret(cluster)? })
    }

    /// Base URL of the coordinator.
    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }
}

fn role_name(who: Who) -> &'static str {
    match who {
        Who::Joining | Who::Node(_) => "donor",
        Who::Gateway => "gateway",
        Who::Operator => "operator",
    }
}

/// The whole link, secret included: it is made to be handed over.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nodio://{}/{}#{}", self.authority, role_name(self.who), self.secret.to_hex())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nodio://{}/{}#..", self.authority, role_name(self.who))
    }
}

impl FromStr for Link {
    type Err = BadLink;
    fn from_str(text: &str) -> Result<Self, BadLink> {
        let rest = text.trim().strip_prefix("nodio://").ok_or(BadLink)?;
        let (place, secret) = rest.split_once('#').ok_or(BadLink)?;
        let (authority, role) = place.split_once('/').ok_or(BadLink)?;
        let who = match role {
            "donor" => Who::Joining,
            "gateway" => Who::Gateway,
            "operator" => Who::Operator,
            _ => return Err(BadLink),
        };
        let (host, port) = authority.rsplit_once(':').ok_or(BadLink)?;
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(BadLink);
        }
        Ok(Self { authority: authority.to_owned(), who, secret: Secret::from_hex(secret).ok_or(BadLink)? })
    }
}

impl serde::Serialize for Link {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Link {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_survives_being_copied_and_pasted() {
        let cluster = Secret::random();
        for who in [Who::Joining, Who::Gateway, Who::Operator] {
            let link = Link::for_role("home.example:7300", who, &cluster).expect("a role has a link");
            assert_eq!(format!(" {link}\n").parse(), Ok(link.clone()));
            assert!(!format!("{link:?}").contains(&link.secret.to_hex()));
        }
        for bad in ["", "nodio://h:1/donor", "nodio://h/donor#00", "http://h:1/donor#00", "nodio://h:1/king#00"] {
            assert_eq!(bad.parse::<Link>(), Err(BadLink), "{bad} was taken");
        }
    }
}
