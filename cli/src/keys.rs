//! `nodio keys`: access keys and their users, through the running gateway or, where none runs, in its metadata.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use nodio_gateway::admin::{Key, NamedKeyView, Reply, Request};
use nodio_gateway::config::GatewayConfig;
use nodio_gateway::keys::KeySource;

use crate::accounts;
use crate::gateway::key_notice;
use crate::reach::{ask_all, gateway_config};
use crate::say::say;
use crate::table::{duration, table};

/// Whose keys are made when no user is named.
pub(crate) const USER_DEFAULT: &str = "admin";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    /// The data folder of `nodio up` or of the gateway.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// The gateway's settings file.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key, and its user if there is none of that name
    Create {
        /// Login name of the user.
        #[arg(long, default_value = USER_DEFAULT)]
        user: String,
        /// The user's name as others see it.
        #[arg(long)]
        display_name: Option<String>,
        /// Access key to take instead of a made-up one.
        #[arg(long, requires = "secret_key")]
        access_key: Option<String>,
        /// Its secret.
        #[arg(long, requires = "access_key")]
        secret_key: Option<String>,
        /// Let the key do nothing outside this bucket.
        #[arg(long)]
        bucket: Option<String>,
        /// Let the key read and list only.
        #[arg(long)]
        read_only: bool,
    },
    /// List all keys; secrets are not shown
    List,
    /// Refuse a key from now on
    Revoke {
        /// The access key.
        access_key: String,
    },
    /// Keys that objects can be encrypted under by name: aws:kms
    #[command(subcommand)]
    Kms(Kms),
}

#[derive(Debug, Subcommand)]
enum Kms {
    /// Make a key; one of that name stays as it is
    Create {
        /// 1 to 64 letters, digits, hyphens and underscores.
        name: String,
    },
    /// List all keys, disabled ones too
    List,
    /// Open and encrypt nothing under a key until it is enabled again
    Disable {
        /// Name of the key.
        name: String,
    },
    /// Use a disabled key again
    Enable {
        /// Name of the key.
        name: String,
    },
}

impl Kms {
    fn request(self) -> Request {
        match self {
            Self::Create { name } => Request::CreateNamedKey { name },
            Self::List => Request::ListNamedKeys,
            Self::Disable { name } => Request::EnableNamedKey { name, enabled: false },
            Self::Enable { name } => Request::EnableNamedKey { name, enabled: true },
        }
    }
}

impl What {
    fn request(self) -> Request {
        match self {
            Self::Create { user, display_name, access_key, secret_key, bucket, read_only } => {
                let policy = narrowed(bucket.as_deref(), read_only);
                let user = Some(user);
                Request::CreateKey { user, display_name, access_key, secret_key, user_id: None, email: None, policy }
            }
            Self::List => Request::ListKeys,
            Self::Revoke { access_key } => Request::RevokeKey { access_key },
            Self::Kms(what) => what.request(),
        }
    }
}

/// The policy of a key that is narrowed; `None` where it isn't.
fn narrowed(bucket: Option<&str>, read_only: bool) -> Option<String> {
    let reading = ["s3:GetObject*", "s3:ListBucket*", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListAllMyBuckets"];
    let actions = if read_only { &reading[..] } else { &["s3:*"] };
    let resources = match bucket {
        Some(bucket) => vec![format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
        None => vec!["*".to_owned()],
    };
    let statement = serde_json::json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [statement] });
    (bucket.is_some() || read_only).then(|| policy.to_string())
}

pub(crate) async fn run(args: Args) -> Result<()> {
    ask(args.data, args.config.as_deref(), args.json, &args.what.request()).await
}

/// Asks the gateway, and tells what it answers.
pub(crate) async fn ask(data: Option<PathBuf>, config: Option<&Path>, json: bool, request: &Request) -> Result<()> {
    let config = gateway_config(data, config)?;
    let made = KeyMade::watch(&config);
    let reply = ask_all(&config, request).await?;
    if json {
        say(&format!("{}\n", serde_json::to_string_pretty(&reply)?));
    } else {
        say(&render(&reply, nodio_host::now_ms()));
        made.tell();
    }
    Ok(())
}

/// The master key may be made by the first key of a gateway that never ran.
struct KeyMade(Option<PathBuf>);

impl KeyMade {
    fn watch(config: &GatewayConfig) -> Self {
        match config.key_source() {
            KeySource::File(path) if !path.exists() => Self(Some(path)),
            _ => Self(None),
        }
    }

    fn tell(self) {
        if let Some(path) = self.0.filter(|path| path.exists()) {
            say(&format!("\n{}", key_notice(&path)));
        }
    }
}

fn render(reply: &Reply, now: u64) -> String {
    match reply {
        Reply::Created { key, secret_key } => {
            format!("access key  {}\nsecret key  {secret_key}\nuser        {}\n", key.access_key, key.user)
        }
        Reply::Keys { keys } if keys.is_empty() => "there are no keys\n".to_owned(),
        Reply::Keys { keys } => {
            let rows: Vec<_> = keys.iter().map(|key| row(key, now)).collect();
            table(&["ACCESS KEY", "USER", "DISPLAY NAME", "AGE", "STATE"], &rows)
        }
        Reply::Revoked { key } => format!("{} of {} is revoked\n", key.access_key, key.user),
        Reply::NamedKeys { named_keys } if named_keys.is_empty() => "there are no named keys\n".to_owned(),
        Reply::NamedKeys { named_keys } => {
            let rows: Vec<_> = named_keys.iter().map(|key| named_row(key, now)).collect();
            table(&["NAME", "AGE", "STATE"], &rows)
        }
        Reply::Users { users, .. } => accounts::users(users),
        Reply::Usage { buckets, .. } => accounts::buckets(buckets),
        Reply::Refused { error } => format!("{error}\n"),
        Reply::Objects { .. } | Reply::Buckets { .. } | Reply::Waiting { .. } => String::new(),
    }
}

fn row(key: &Key, now: u64) -> Vec<String> {
    let state = if key.revoked.is_some() { "revoked" } else { "valid" };
    let age = duration(now.saturating_sub(key.created));
    vec![key.access_key.clone(), key.user.clone(), key.display_name.clone(), age, state.to_owned()]
}

fn named_row(key: &NamedKeyView, now: u64) -> Vec<String> {
    let state = if key.disabled.is_some() { "disabled" } else { "enabled" };
    vec![key.name.clone(), duration(now.saturating_sub(key.created)), state.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(access_key: &str, revoked: Option<u64>) -> Key {
        let (user, display_name, user_id) = ("alice".into(), "Alice A.".into(), "0".repeat(64));
        Key { access_key: access_key.into(), user, display_name, user_id, created: 0, revoked }
    }

    #[test]
    fn keys_are_listed_without_secrets() {
        let reply = Reply::Keys { keys: vec![key("K1", None), key("LONGER", Some(7))] };
        let text = render(&reply, 60_000);
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("K1          alice  Alice A.      60 s  valid") && text.contains("revoked"), "{text}");
        assert_eq!(render(&Reply::Keys { keys: Vec::new() }, 0), "there are no keys\n");
    }

    #[test]
    fn a_narrowed_key_has_a_policy_for_what_it_may() {
        assert_eq!(narrowed(None, false), None);
        let policy = narrowed(Some("photos"), true).unwrap_or_default();
        for part in ["arn:aws:s3:::photos/*", "arn:aws:s3:::photos\"", "s3:GetObject*"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("s3:*") && narrowed(Some("photos"), false).is_some_and(|policy| policy.contains("s3:*")));
    }

    #[test]
    fn a_new_key_is_shown_with_its_secret() {
        let text = render(&Reply::Created { key: key("K1", None), secret_key: "S1".into() }, 0);
        assert!(text.contains("K1") && text.contains("S1") && text.contains("alice"));
    }
}
