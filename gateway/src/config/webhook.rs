//! Webhooks: where buckets may send their notifications.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::BadSetting;

const NAME_CHARS_MAX: usize = 64;

/// Who is told of changes in buckets: named in a bucket's configuration as `arn:nodio:sqs:REGION:NAME:webhook`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    pub name: String,
    /// `http://HOST[:PORT][/PATH]`, where events are posted to.
    pub url: String,
    /// Sent as `Authorization: Bearer TOKEN`. A secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

/// Names the first setting of a webhook that can't work.
pub(super) fn check(webhooks: &[Webhook]) -> Result<(), BadSetting> {
    let must = |key, want, holds: bool| if holds { Ok(()) } else { Err(BadSetting { key, want }) };
    let named = |webhook: &Webhook| is_plain_name(&webhook.name) && webhook.name.len() <= NAME_CHARS_MAX;
    must("webhook.name", "up to 64 letters, digits, hyphens and underscores", webhooks.iter().all(named))?;
    let mut names: Vec<_> = webhooks.iter().map(|webhook| &webhook.name).collect();
    names.sort();
    must("webhook.name", "another one for each webhook", names.windows(2).all(|pair| pair[0] != pair[1]))?;
    must("webhook.url", "an http:// URL", webhooks.iter().all(|webhook| is_http_url(&webhook.url)))?;
    let graphic = |token: &String| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let tokens = webhooks.iter().filter_map(|webhook| webhook.token.as_ref());
    must("webhook.token", "printable ASCII characters without spaces", tokens.into_iter().all(graphic))
}

fn is_plain_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn is_http_url(text: &str) -> bool {
    let url: Result<http::Uri, _> = text.parse();
    url.is_ok_and(|url| url.scheme_str() == Some("http") && url.host().is_some_and(|host| !host.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GatewayConfig;

    #[test]
    fn webhooks_that_cannot_work_are_named() {
        let webhook = |name: &str, url: &str| Webhook { name: name.into(), url: url.into(), token: None };
        for (webhooks, key) in [
            (vec![webhook("a/b", "http://x")], "webhook.name"),
            (vec![webhook("a", "http://x"), webhook("a", "http://y")], "webhook.name"),
            (vec![webhook("a", "https://x")], "webhook.url"),
            (vec![webhook("a", "x:80")], "webhook.url"),
            (vec![Webhook { token: Some("a b".into()), ..webhook("a", "http://x") }], "webhook.token"),
        ] {
            let config = GatewayConfig { webhook: webhooks, ..GatewayConfig::default() };
            assert!(config.check().unwrap_err().to_string().starts_with(&format!("{key} must be")), "{key}");
        }
    }

    #[test]
    fn the_webhook_shown_parses_and_its_token_is_not_printed() {
        let (_, shown) = include_str!("../../../config/gateway.toml").split_once("# [[webhook]]").unwrap();
        let config: GatewayConfig = toml::from_str(&format!("[[webhook]]{}", shown.replace("\n# ", "\n"))).unwrap();
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.webhook[0].token.as_deref(), Some("a-secret"));
        assert!(!format!("{config:?}").contains("a-secret"));
    }
}
