//! How many donors and which code: from the flags, from the last start, or by default.

use std::path::Path;

use anyhow::{Context, Result};
use nodio_wire::{Code, CodePolicy};
use serde::{Deserialize, Serialize};

use crate::failure::Usage;

const DONORS_DEFAULT: u32 = 6;
/// All of them run in this one process.
const DONORS_MAX: u32 = 64;

const CAPACITY_BYTES_DEFAULT: u64 = 20 << 30;
const REGION_DEFAULT: &str = "us-east-1";
const BUCKET_DEFAULT: &str = "my-bucket";

/// What DATA/up.toml remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) donors: u32,
    /// The code of new objects; those stored keep theirs.
    pub(super) code: Code,
    pub(super) region: String,
    /// The one that the printed lines name.
    pub(super) bucket: String,
    /// Most disk space of each donor, bytes.
    #[serde(default = "capacity_default")]
    pub(super) capacity_bytes: u64,
    /// Host under which other machines reach coordinator and donors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) public_addr: Option<String>,
}

fn capacity_default() -> u64 {
    CAPACITY_BYTES_DEFAULT
}

/// What the flags say.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) donors: Option<u32>,
    pub(super) code: Option<CodePolicy>,
    pub(super) region: Option<String>,
    pub(super) bucket: Option<String>,
    pub(super) capacity_bytes: Option<u64>,
    pub(super) public_addr: Option<String>,
}

impl Settings {
    /// What the last start left, if there was one.
    pub(super) fn load(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
        toml::from_str(&text).map(Some).with_context(|| format!("{} is damaged", path.display()))
    }

    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let text = format!("# Written by `nodio up`; its flags change it.\n{}", toml::to_string(self)?);
        nodio_host::files::write_private(path, text.as_bytes()).with_context(|| format!("can't write {}", path.display()))
    }

    /// The flags over what is remembered over the defaults. Donors are only ever added: one that stays away takes its shards with it.
    pub(super) fn settle(remembered: Option<&Self>, asked: Asked) -> Result<Self, Usage> {
        let donors = donors(remembered.map(|settings| settings.donors), asked.donors)?;
        let policy = asked.code.or(remembered.map(|settings| CodePolicy::Fixed(settings.code))).unwrap_or(CodePolicy::Auto);
        let code = policy.resolve(donors as usize);
        let needed = code.n();
        if needed > donors as usize {
            let text =
                format!("the code {code} needs {needed} donors and there are {donors}: say --donors {needed} or another --code");
            return Err(Usage(text));
        }
        let text = |asked: Option<String>, kept: Option<&String>, default: &str| {
            asked.or_else(|| kept.cloned()).unwrap_or_else(|| default.to_owned())
        };
        let region = text(asked.region, remembered.map(|settings| &settings.region), REGION_DEFAULT);
        let bucket = text(asked.bucket, remembered.map(|settings| &settings.bucket), BUCKET_DEFAULT);
        let capacity_bytes =
            asked.capacity_bytes.or(remembered.map(|settings| settings.capacity_bytes)).unwrap_or(CAPACITY_BYTES_DEFAULT);
        let public_addr = asked.public_addr.or_else(|| remembered.and_then(|settings| settings.public_addr.clone()));
        if public_addr.as_deref().is_some_and(|host| !is_host(host)) {
            return Err(Usage("--public-addr must be a host name or address alone, without scheme and port".into()));
        }
        Ok(Self { donors, code, region, bucket, capacity_bytes, public_addr })
    }

    /// Where this machine is with so few donors that whole copies are all there can be: what more of them would change.
    pub(super) fn hint(&self) -> Option<String> {
        let wide = CodePolicy::Auto.resolve(DONORS_DEFAULT as usize);
        let (copies, donors) = (self.code.n(), self.donors);
        (self.code.k() == 1 && donors < DONORS_DEFAULT).then(|| {
            format!(
                "hint: with {donors} donors every byte is stored {copies} times; from --donors {DONORS_DEFAULT} on, --code {wide} takes {:.1} times the space\n",
                wide.n() as f64 / wide.k() as f64
            )
        })
    }
}

/// A name or an address; one of version 6 in brackets.
fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-'),
    }
}

fn donors(had: Option<u32>, asked: Option<u32>) -> Result<u32, Usage> {
    let donors = asked.or(had).unwrap_or(DONORS_DEFAULT);
    if let Some(had) = had
        && donors < had
    {
        return Err(Usage(format!(
            "there are {had} donors already and fewer would lose what they hold: say --donors {had} or more"
        )));
    }
    if !(1..=DONORS_MAX).contains(&donors) {
        return Err(Usage(format!("--donors must be 1 to {DONORS_MAX}; more donors join from outside with `nodio node`")));
    }
    Ok(donors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(donors: u32, code: &str) -> Settings {
        Settings {
            donors,
            code: code.parse().unwrap(),
            region: "eu-1".into(),
            bucket: "b".into(),
            capacity_bytes: 1 << 30,
            public_addr: None,
        }
    }

    fn settled(had: Option<(u32, &str)>, donors: Option<u32>, code: Option<&str>) -> Result<String, String> {
        let had = had.map(|(donors, code)| remembered(donors, code));
        let asked = Asked { donors, code: code.map(|code| code.parse().unwrap()), ..Asked::default() };
        let settings = Settings::settle(had.as_ref(), asked).map_err(|usage| usage.to_string())?;
        Ok(format!("{} {}", settings.donors, settings.code))
    }

    #[test]
    fn region_and_bucket_are_remembered_too() {
        let fresh = Settings::settle(None, Asked::default()).unwrap();
        assert_eq!((fresh.region.as_str(), fresh.bucket.as_str()), ("us-east-1", "my-bucket"));
        let asked = Asked { bucket: Some("other".into()), ..Asked::default() };
        let later = Settings::settle(Some(&remembered(6, "4/6")), asked).unwrap();
        assert_eq!((later.region.as_str(), later.bucket.as_str()), ("eu-1", "other"));
    }

    #[test]
    fn the_first_start_takes_six_donors_and_a_code_that_fits() {
        assert_eq!(settled(None, None, None), Ok("6 4/6".into()));
        assert_eq!(settled(None, Some(3), None), Ok("3 1/3".into()));
        assert_eq!(settled(None, Some(10), None), Ok("10 5/8".into()));
        assert_eq!(settled(None, Some(5), Some("replicas:5")), Ok("5 1/5".into()));
        assert!(settled(None, Some(5), Some("4/6")).unwrap_err().contains("needs 6 donors"));
        assert!(settled(None, Some(0), None).is_err());
    }

    #[test]
    fn later_starts_remember_and_only_add() {
        assert_eq!(settled(Some((6, "4/6")), None, None), Ok("6 4/6".into()));
        assert_eq!(settled(Some((6, "4/6")), Some(9), None), Ok("9 4/6".into()));
        assert_eq!(settled(Some((6, "4/6")), Some(9), Some("auto")), Ok("9 5/8".into()));
        assert!(settled(Some((6, "4/6")), Some(5), None).unwrap_err().contains("--donors 6 or more"));
    }

    #[test]
    fn a_public_host_is_remembered_and_has_no_port() {
        let asked = |host: &str| Asked { public_addr: Some(host.into()), ..Asked::default() };
        for host in ["home.example", "192.168.1.5", "[2001:db8::1]"] {
            let settings = Settings::settle(None, asked(host)).unwrap();
            assert_eq!(Settings::settle(Some(&settings), Asked::default()).unwrap().public_addr.as_deref(), Some(host));
        }
        for bad in ["", "home.example:9100", "http://home.example", "2001:db8::1", "a/b"] {
            assert!(Settings::settle(None, asked(bad)).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn few_donors_are_told_what_more_would_change() {
        let hint = |donors, code| remembered(donors, code).hint();
        let told = "hint: with 3 donors every byte is stored 3 times; from --donors 6 on, --code 4/6 takes 1.5 times the space\n";
        assert_eq!(hint(3, "1/3").as_deref(), Some(told));
        assert_eq!((hint(6, "1/5"), hint(4, "2/4")), (None, None));
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("up.toml");
        assert_eq!(Settings::load(&path).unwrap(), None);
        let settings = remembered(8, "5/8");
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path).unwrap(), Some(settings));
        std::fs::write(&path, "donors = 'many'").unwrap();
        assert!(Settings::load(&path).unwrap_err().to_string().contains("is damaged"));
    }
}
