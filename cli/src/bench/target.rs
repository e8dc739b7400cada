//! Whom to measure: endpoint, region and credentials, from flags, else from the environment as aws-cli reads it, else from the
//! `aws.env` of `nodio up`. Endpoint and credentials come from one source, so that a key never goes to somebody else's endpoint:
//! only flags may replace single values.

use std::collections::BTreeMap;

use crate::failure::Usage;

const REGION_DEFAULT: &str = "us-east-1";

/// An S3 endpoint spoken to over HTTP, path style, and the key to sign with.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Host, with the port where it isn't 80: the Host header.
    pub(super) host: String,
    pub(super) region: String,
    pub(super) access_key: String,
    pub(super) secret_key: String,
    /// Of temporary credentials.
    pub(super) token: Option<String>,
}

#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct TargetArgs {
    /// The S3 endpoint, http://HOST[:PORT] [default: AWS_ENDPOINT_URL, else that of `nodio up` in DATA].
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Region to sign for [default: AWS_REGION, else us-east-1].
    #[arg(long)]
    region: Option<String>,
    /// Access key [default: AWS_ACCESS_KEY_ID].
    #[arg(long, requires = "secret_key")]
    access_key: Option<String>,
    /// Its secret [default: AWS_SECRET_ACCESS_KEY].
    #[arg(long, requires = "access_key")]
    secret_key: Option<String>,
    /// Folder of `nodio up`, whose aws.env is used where neither flags nor the environment name an endpoint.
    #[arg(long, default_value = "nodio-data")]
    pub(super) data: std::path::PathBuf,
}

impl TargetArgs {
    /// `env` is the environment, `written` the variables in DATA's aws.env.
    pub(super) fn settle(
        &self,
        env: impl Fn(&str) -> Option<String>,
        written: impl FnOnce() -> anyhow::Result<Option<BTreeMap<String, String>>>,
    ) -> anyhow::Result<Target> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let from_env = |names: &[&str]| names.iter().find_map(|name| env(name));
        let named = self.endpoint.clone().or_else(|| from_env(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]));
        if let Some(endpoint) = named {
            return Ok(self.target(endpoint, from_env)?);
        }
        let Some(written) = written()? else {
            let folder = self.data.display();
            let said = format!(
                "which endpoint? --endpoint or AWS_ENDPOINT_URL names one; there is no aws.env of `nodio up` in {folder}"
            );
            return Err(Usage(said).into());
        };
        let from_file = |names: &[&str]| names.iter().find_map(|name| written.get(*name).cloned());
        let endpoint = from_file(&["AWS_ENDPOINT_URL"]).unwrap_or_default();
        Ok(self.target(endpoint, from_file)?)
    }

    fn target(&self, endpoint: String, source: impl Fn(&[&str]) -> Option<String>) -> Result<Target, Usage> {
        let missing = |name| Usage(format!("no credentials: neither a flag nor {name} gives them"));
        let flagged = self.access_key.clone().zip(self.secret_key.clone());
        let token = if flagged.is_some() { None } else { source(&["AWS_SESSION_TOKEN"]) };
        let (access_key, secret_key) = match flagged {
            Some(pair) => pair,
            None => (
                source(&["AWS_ACCESS_KEY_ID"]).ok_or_else(|| missing("AWS_ACCESS_KEY_ID"))?,
                source(&["AWS_SECRET_ACCESS_KEY"]).ok_or_else(|| missing("AWS_SECRET_ACCESS_KEY"))?,
            ),
        };
        let region = self.region.clone().or_else(|| source(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
        let region = region.unwrap_or_else(|| REGION_DEFAULT.to_owned());
        Ok(Target { host: host_of(&endpoint)?, region, access_key, secret_key, token })
    }
}

impl Target {
    /// Where to connect.
    pub(super) fn socket(&self) -> String {
        let bare = self.host.rsplit_once(':').is_none_or(|(_, port)| port.ends_with(']'));
        if bare { format!("{}:80", self.host) } else { self.host.clone() }
    }
}

fn host_of(endpoint: &str) -> Result<String, Usage> {
    let bad = |why: &str| Usage(format!("the endpoint {endpoint:?} {why}"));
    let url: http::Uri = endpoint.parse().map_err(|_| bad("is no URL"))?;
    match (url.scheme_str(), url.authority(), url.path_and_query().map_or("/", |path| path.as_str())) {
        (Some("https"), ..) => Err(bad("is https: only http is spoken here, so measure inside TLS")),
        (Some("http"), Some(authority), "/") if !authority.as_str().contains('@') => {
            Ok(authority.as_str().trim_end_matches(":80").to_owned())
        }
        _ => Err(bad("is not http://HOST[:PORT]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variables = BTreeMap<String, String>;

    fn variables(endpoint: &str, key: &str) -> Variables {
        let all = [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "here"),
        ];
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    fn settle(args: &TargetArgs, env: &Variables, file: Option<Variables>) -> Result<Target, String> {
        args.settle(|name| env.get(name).cloned(), || Ok(file)).map_err(|error| {
            assert!(error.is::<Usage>());
            error.to_string()
        })
    }

    fn with_endpoint(endpoint: &str) -> TargetArgs {
        TargetArgs { endpoint: Some(endpoint.into()), ..TargetArgs::default() }
    }

    #[test]
    fn flags_come_before_the_environment_and_that_before_the_file() {
        let (env, file) = (variables("http://env:1", "of-env"), variables("http://file:2", "of-file"));
        let named = |args: &TargetArgs, env: &Variables| {
            let target = settle(args, env, Some(file.clone())).unwrap();
            (target.host, target.access_key)
        };
        let plain = TargetArgs::default();
        assert_eq!(named(&plain, &env), ("env:1".into(), "of-env".into()));
        assert_eq!(named(&plain, &Variables::new()), ("file:2".into(), "of-file".into()));
        assert_eq!(named(&with_endpoint("http://flag:3/"), &env), ("flag:3".into(), "of-env".into()));
        let keys = TargetArgs { access_key: Some("of-flag".into()), secret_key: Some("s".into()), ..plain.clone() };
        assert_eq!(named(&keys, &env), ("env:1".into(), "of-flag".into()));
        assert_eq!(settle(&plain, &env, None).unwrap().region, "here");
    }

    #[test]
    fn credentials_stay_with_their_endpoint() {
        let mut env = variables("", "of-env");
        env.insert("AWS_SESSION_TOKEN".into(), "token".into());
        let file = variables("http://file:2", "of-file");
        let target = settle(&TargetArgs::default(), &env, Some(file.clone())).unwrap();
        assert_eq!((target.access_key.as_str(), target.token), ("of-file", None), "the environment named no endpoint");
        assert!(settle(&with_endpoint("http://flag:3"), &Variables::new(), Some(file)).is_err());
        assert_eq!(settle(&with_endpoint("http://flag:3"), &env, None).unwrap().token.as_deref(), Some("token"));
        assert!(settle(&TargetArgs::default(), &Variables::new(), None).is_err_and(|said| said.contains("AWS_ENDPOINT_URL")));
    }

    #[test]
    fn only_plain_http_endpoints_are_taken() {
        for (endpoint, host, socket) in [
            ("http://127.0.0.1:9000", "127.0.0.1:9000", "127.0.0.1:9000"),
            ("http://s3.example/", "s3.example", "s3.example:80"),
            ("http://s3.example:80", "s3.example", "s3.example:80"),
            ("http://[::1]:9000", "[::1]:9000", "[::1]:9000"),
            ("http://[::1]", "[::1]", "[::1]:80"),
        ] {
            let target = settle(&with_endpoint(endpoint), &variables("", "k"), None).unwrap();
            assert_eq!((target.host.as_str(), target.socket().as_str()), (host, socket), "{endpoint}");
        }
        for bad in ["https://h", "h:9000", "http://h/path", "http://h/?x", "ftp://h", "", "http://", "http://a@h", "/x"] {
            assert!(host_of(bad).is_err(), "{bad} was taken");
        }
    }
}
