//! Objects under a URL, page by page, with the parts that the coordinator is asked about.

use anyhow::{Result, bail};
use nodio_gateway::admin::{ObjectView, Reply, Request};
use nodio_gateway::config::GatewayConfig;
use nodio_wire::PartId;

use crate::object_url::ObjectUrl;
use crate::reach::ask_gateway;

/// Versions asked for at once.
const PAGE: usize = 1000;

/// A walk over what the gateway has.
pub(crate) struct Objects<'a> {
    config: &'a GatewayConfig,
    url: &'a ObjectUrl,
    /// The URL's key itself, and not what begins with it.
    exact: bool,
    after: Option<String>,
    ended: bool,
}

impl<'a> Objects<'a> {
    /// All versions of all keys that begin with the URL's.
    pub(crate) fn under(config: &'a GatewayConfig, url: &'a ObjectUrl) -> Self {
        Self { config, url, exact: false, after: None, ended: false }
    }

    /// All versions of the URL's key, newest first.
    pub(crate) fn at(config: &'a GatewayConfig, url: &'a ObjectUrl) -> Self {
        Self { exact: true, ..Self::under(config, url) }
    }

    /// The next page, perhaps an empty one; `None` behind the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<ObjectView>>> {
        if self.ended {
            return Ok(None);
        }
        let (prefix, key) = if self.exact { (String::new(), Some(self.url.key.clone())) } else { (self.url.key.clone(), None) };
        let bucket = self.url.bucket.clone();
        let request = Request::Objects { bucket, prefix, key, after: self.after.take(), limit: PAGE };
        let Reply::Objects { objects, next } = ask_gateway(self.config, &request).await? else {
            bail!("the gateway's answer is another's; is it of this version?")
        };
        self.ended = next.is_none();
        self.after = next;
        Ok(Some(objects))
    }
}

/// A part with segments, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) part: PartId,
    pub(crate) segments: u32,
    /// All of them at full strength.
    pub(crate) shards: u64,
    pub(crate) key: String,
    pub(crate) version: Option<String>,
}

/// The parts of these objects that have segments, each once.
pub(crate) fn targets(objects: &[ObjectView]) -> Vec<Target> {
    let mut seen = std::collections::HashSet::new();
    let parts = objects.iter().flat_map(|object| object.parts.iter().map(move |part| (object, part)));
    let segmented = parts.filter_map(|(object, part)| Some((object, part, part.code?)));
    let targets = segmented.filter(|(_, part, _)| seen.insert(part.part)).map(|(object, part, code)| Target {
        part: part.part,
        segments: part.segments,
        shards: u64::from(part.segments) * code.n() as u64,
        key: object.key.clone(),
        version: object.version.clone(),
    });
    targets.collect()
}

/// A URL with the version behind it, for people.
pub(crate) fn named(url: &ObjectUrl, key: &str, version: Option<&str>) -> String {
    let url = url.with_key(key);
    version.map_or_else(|| url.to_string(), |version| format!("{url} (version {version})"))
}
