//! Virtual-host style beside path style: `BUCKET.DOMAIN` names a bucket, and under a domain of websites the bucket's website; any other
//! host names none.

use std::sync::Arc;

use http::request::Parts;
use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

use super::guard::query::decode;

/// The domains under which buckets are host names, lower case, without ports, and whether as websites.
#[derive(Clone)]
pub(crate) struct Domains(Arc<[(String, bool)]>);

impl Domains {
    pub(crate) fn new(domains: &[String], websites: &[String]) -> Self {
        let plain = |domain: &String| without_port(domain).trim_matches('.').to_ascii_lowercase();
        let all = domains.iter().map(|domain| (plain(domain), false)).chain(websites.iter().map(|domain| (plain(domain), true)));
        Self(all.filter(|(domain, _)| !domain.is_empty()).collect())
    }

    /// Whether the request is for an object rather than for a bucket or all of them.
    pub(crate) fn names_object(&self, parts: &Parts) -> bool {
        !self.names(parts).1.is_empty()
    }

    /// The bucket that a request is for, if it is for one, and the key, percent-encoded; empty where it is for none.
    pub(crate) fn names<'a>(&self, parts: &'a Parts) -> (Option<String>, &'a str) {
        let path = parts.uri.path().trim_start_matches('/');
        if let Some(bucket) = self.bucket(host(parts)) {
            return (Some(bucket.to_ascii_lowercase()), path);
        }
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        (decode(bucket).filter(|bucket| !bucket.is_empty()), key)
    }

    /// Whether the host names a bucket, so that the path doesn't.
    pub(crate) fn has_bucket(&self, host: &str) -> bool {
        self.bucket(host).is_some()
    }

    /// The bucket that the request is for, if for one.
    pub(crate) fn bucket_of(&self, parts: &Parts) -> Option<String> {
        let in_path = || parts.uri.path().trim_start_matches('/').split('/').next().map(str::to_owned);
        self.bucket(host(parts)).map(str::to_ascii_lowercase).or_else(in_path).filter(|name| !name.is_empty())
    }

    /// The bucket whose website the request is for, if it is for one.
    pub(crate) fn website(&self, parts: &Parts) -> Option<String> {
        self.split(host(parts)).filter(|(_, website)| *website).map(|(bucket, _)| bucket.to_ascii_lowercase())
    }

    fn bucket<'a>(&self, host: &'a str) -> Option<&'a str> {
        self.split(host).map(|(bucket, _)| bucket)
    }

    /// The bucket in a host name, and whether its website is meant. Of domains within domains the innermost counts.
    fn split<'a>(&self, host: &'a str) -> Option<(&'a str, bool)> {
        let host = without_port(host).trim_end_matches('.');
        let fits = self.0.iter().filter_map(|(domain, website)| {
            let (front, back) = host.split_at_checked(host.len().checked_sub(domain.len())?)?;
            let within = back.eq_ignore_ascii_case(domain) && (front.is_empty() || front.ends_with('.'));
            within.then_some((front.strip_suffix('.').unwrap_or_default(), *website))
        });
        fits.min_by_key(|(bucket, _)| bucket.len()).filter(|(bucket, _)| !bucket.is_empty())
    }
}

fn host(parts: &Parts) -> &str {
    parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

impl S3Host for Domains {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        Ok(match self.bucket(host) {
            Some(bucket) => VirtualHost::new(host).with_bucket(bucket.to_ascii_lowercase()),
            None => VirtualHost::new(host),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stands_before_a_domain_of_ours() {
        let domains = Domains::new(&["s3.localhost".into(), "S3.example.com:9000".into()], &[]);
        for (host, bucket) in [
            ("my.bucket.s3.localhost:9000", Some("my.bucket")),
            ("b.S3.Example.com", Some("b")),
            ("s3.localhost", None),
            (".s3.localhost", None),
            ("other.example.com", None),
            ("xs3.localhost", None),
            ("localhost:9000", None),
            ("[::1]:9000", None),
            ("", None),
        ] {
            assert_eq!(domains.bucket(host), bucket, "{host}");
        }
        assert_eq!(Domains::new(&[], &[]).bucket("b.s3.localhost"), None);
    }

    #[test]
    fn the_innermost_domain_says_whether_a_website_is_meant() {
        let domains = Domains::new(&["example.org".into(), "s3.web.net".into()], &["web.example.org".into(), "web.net".into()]);
        for (host, split) in [
            ("b.example.org", Some(("b", false))),
            ("b.web.example.org:80", Some(("b", true))),
            ("a.b.WEB.example.org.", Some(("a.b", true))),
            ("web.example.org", None),
            ("b.web.net", Some(("b", true))),
            ("s3.web.net", None),
            ("b.s3.web.net", Some(("b", false))),
            ("xweb.net", None),
        ] {
            assert_eq!(domains.split(host), split, "{host}");
        }
    }

    #[test]
    fn objects_are_told_from_buckets() {
        let domains = Domains::new(&["s3.localhost".into()], &[]);
        for (host, path, object) in [
            ("localhost", "/", false),
            ("localhost", "/b", false),
            ("localhost", "/b/", false),
            ("localhost", "/b/k", true),
            ("b.s3.localhost", "/", false),
            ("b.s3.localhost", "/k", true),
        ] {
            let parts = http::Request::builder().uri(path).header("host", host).body(()).unwrap().into_parts().0;
            assert_eq!(domains.names_object(&parts), object, "{host}{path}");
        }
    }
}
