//! How clients get in: the endpoint, the first access key and bucket, as a file for shells and as lines to copy.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";

/// All that a client needs.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) endpoint: String,
    pub(super) region: String,
    /// The first one, while it is there.
    pub(super) bucket: Option<String>,
    pub(super) access_key: String,
    pub(super) secret_key: String,
}

impl Access {
    /// For a shell to source. Tools of different age read different names for the region.
    pub(super) fn environment(&self) -> String {
        let lines = [
            (KEY_ID, &self.access_key),
            (SECRET, &self.secret_key),
            ("AWS_REGION", &self.region),
            ("AWS_DEFAULT_REGION", &self.region),
            ("AWS_ENDPOINT_URL", &self.endpoint),
        ];
        lines.map(|(name, value)| format!("export {name}={}\n", quoted(value))).concat()
    }

    /// Lines to copy into a terminal. `env_file` is where [`Self::environment`] was written.
    pub(super) fn lines(&self, env_file: &Path) -> String {
        let Self { endpoint, region, bucket, access_key, secret_key } = self;
        let env_file = quoted(&env_file.display().to_string());
        let environment = indented(&self.environment());
        let secret_key = quoted(secret_key);
        let make = if bucket.is_some() { "" } else { "  aws s3 mb s3://BUCKET\n" };
        let bucket = bucket.as_deref().unwrap_or("BUCKET");
        format!(
            "\
environment, also kept in {env_file}
{environment}
aws-cli
  . {env_file}
{make}  aws s3 cp FILE s3://{bucket}/
  aws s3 ls s3://{bucket}/

rclone
  rclone config create nodio s3 provider=Other access_key_id={access_key} secret_access_key={secret_key} endpoint={endpoint} region={region}
  rclone copy FILE nodio:{bucket}
  rclone ls nodio:{bucket}
"
        )
    }
}

/// The access key that an earlier start wrote.
pub(super) fn remembered_key(env_file: &Path) -> Result<Option<(String, String)>> {
    let written = environment_in(env_file)?.unwrap_or_default();
    Ok(written.get(KEY_ID).cloned().zip(written.get(SECRET).cloned()))
}

/// The variables that an `aws.env` sets; `None` where there is no such file.
pub(crate) fn environment_in(env_file: &Path) -> Result<Option<BTreeMap<String, String>>> {
    if !env_file.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(env_file).with_context(|| format!("can't read {}", env_file.display()))?;
    let variable = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        Some((name.to_owned(), unquoted(value)))
    };
    Ok(Some(text.lines().filter_map(variable).collect()))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// As a POSIX shell reads it back.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:+=@%".contains(c);
    if !value.is_empty() && value.chars().all(plain) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
        Some(inner) => inner.replace(r"'\''", "'"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn access(secret: &str) -> Access {
        Access {
            endpoint: "http://127.0.0.1:9000".into(),
            region: "us-east-1".into(),
            bucket: Some("my-bucket".into()),
            access_key: "AKIA1".into(),
            secret_key: secret.into(),
        }
    }

    #[test]
    fn a_shell_and_the_next_start_read_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aws.env");
        for secret in ["plain/secret+1=", "it's $odd `and` \"spaced\"", "'"] {
            std::fs::write(&path, access(secret).environment()).unwrap();
            assert_eq!(remembered_key(&path).unwrap(), Some(("AKIA1".into(), secret.into())));
            let script = format!(". {} && printf %s \"$AWS_SECRET_ACCESS_KEY\"", path.display());
            let shell = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), secret);
        }
        assert_eq!(remembered_key(&folder.path().join("none")).unwrap(), None);
    }

    #[test]
    fn every_client_has_its_lines() {
        let lines = access("s").lines(Path::new("nodio-data/aws.env"));
        for wanted in
            ["export AWS_REGION=us-east-1", ". nodio-data/aws.env", "aws s3 cp", "rclone config create nodio s3 provider=Other"]
        {
            assert!(lines.contains(wanted), "{wanted} is missing in:\n{lines}");
        }
        assert!(lines.contains("s3://my-bucket/") && !lines.contains("aws s3 mb"));
    }

    #[test]
    fn a_bucket_that_is_gone_is_not_named() {
        let lines = Access { bucket: None, ..access("s") }.lines(Path::new("nodio-data/aws.env"));
        assert!(lines.contains("  aws s3 mb s3://BUCKET\n  aws s3 cp FILE s3://BUCKET/\n") && !lines.contains("my-bucket"));
    }
}
