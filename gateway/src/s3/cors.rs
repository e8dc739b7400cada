//! Requests of pages from other origins: preflight, and the headers that let a page see its answer.
//!
//! ```text
//!   OPTIONS ──► a rule fits? ─ yes ─► 200 with its headers      others, with Origin ──► operation ──► the rule's headers added,
//!                            └ no ──► 403                                                            to errors too
//! ```
//! Promises: a preflight needs no signature and does nothing; no rule lets anybody do what access doesn't. A bucket that isn't there looks
//! like one without rules.
//!
//! Source: "How does Amazon S3 evaluate the CORS configuration on a bucket?" in the S3 User Guide.

use std::borrow::Cow;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::guard::Refusal;
use super::headers::text;
use crate::names::BucketName;
use crate::rows::{Cors, CorsRule};
use crate::tables::{TableError, Tables};

/// Methods that a rule can allow.
pub(super) const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// What a page of another origin wants to do.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    origin: String,
    method: String,
    /// Lower case.
    headers: Vec<String>,
}

impl Wish {
    /// `None` without an origin. An actual request may say what the preflight said; else it is its own method.
    pub(super) fn of(parts: &Parts) -> Option<Self> {
        let origin = text(&parts.headers, ORIGIN.as_str())?.to_owned();
        let said = text(&parts.headers, ACCESS_CONTROL_REQUEST_METHOD.as_str());
        let headers = text(&parts.headers, ACCESS_CONTROL_REQUEST_HEADERS.as_str()).unwrap_or_default();
        let headers = headers.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
        Some(Self { origin, method: said.unwrap_or(parts.method.as_str()).to_owned(), headers: headers.collect() })
    }
}

/// The answer's headers by the first rule that fits.
fn allowed(cors: &Cors, wish: &Wish) -> Option<HeaderMap> {
    cors.rules.iter().find_map(|rule| Some(headers(rule, fitting_origin(rule, wish)?, wish)))
}

/// The rule's origin that fits, if all else of the rule does.
fn fitting_origin<'r>(rule: &'r CorsRule, wish: &Wish) -> Option<&'r str> {
    let header = |name: &String| rule.headers.iter().any(|pattern| fits(&pattern.to_ascii_lowercase(), name));
    let rest = rule.methods.contains(&wish.method) && wish.headers.iter().all(header);
    rule.origins.iter().find(|origin| rest && fits(origin, &wish.origin)).map(String::as_str)
}

/// One `*` stands for any run of characters.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((begin, end)) => text.len() >= begin.len() + end.len() && text.starts_with(begin) && text.ends_with(end),
    }
}

fn headers(rule: &CorsRule, origin: &str, wish: &Wish) -> HeaderMap {
    let mut map = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            map.append(name, value);
        }
    };
    if origin == "*" {
        set(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    } else {
        set(ACCESS_CONTROL_ALLOW_ORIGIN, &wish.origin);
        set(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    set(ACCESS_CONTROL_ALLOW_METHODS, &rule.methods.join(", "));
    set(ACCESS_CONTROL_ALLOW_HEADERS, &wish.headers.join(", "));
    set(ACCESS_CONTROL_EXPOSE_HEADERS, &rule.exposed.join(", "));
    if let Some(age) = rule.max_age_s {
        set(ACCESS_CONTROL_MAX_AGE, &age.to_string());
    }
    set(VARY, "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
    map
}

/// Knows the buckets' rules.
#[derive(Clone)]
pub(crate) struct CrossOrigin(pub(crate) Tables);

impl CrossOrigin {
    async fn rules(&self, bucket: Option<&str>) -> Result<Option<Cors>, TableError> {
        let Some(name) = bucket.and_then(|name| BucketName::parse(name).ok()) else { return Ok(None) };
        match self.0.bucket(&name).await {
            Ok(row) => Ok(row.setting()?),
            Err(TableError::NoSuchBucket) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What an actual request's answer gets; nothing where no rule fits.
    pub(super) async fn headers(&self, bucket: Option<&str>, wish: &Wish) -> HeaderMap {
        let rules = self.rules(bucket).await;
        // The operation meets the same fault, and answers it.
        rules.ok().flatten().and_then(|cors| allowed(&cors, wish)).unwrap_or_default()
    }

    /// The answer to a preflight request, whoever sends it.
    pub(super) async fn preflight(&self, parts: &Parts, bucket: Option<&str>) -> Result<HeaderMap, Refusal> {
        let wish = Wish::of(parts).ok_or_else(|| bad("Insufficient information. Origin request header needed."))?;
        let method = text(&parts.headers, ACCESS_CONTROL_REQUEST_METHOD.as_str());
        if method.is_none_or(|method| !METHODS.contains(&method)) {
            return Err(bad(format!("Invalid Access-Control-Request-Method: {}", method.unwrap_or("null"))));
        }
        let cors = self.rules(bucket).await.map_err(|error| Refusal::of(&error.into()))?;
        let resource = if parts.uri.path().trim_matches('/').contains('/') { "OBJECT" } else { "BUCKET" };
        let Some(cors) = cors else {
            return Err(forbidden("CORSResponse: CORS is not enabled for this bucket.", &wish, resource));
        };
        let message = "CORSResponse: This CORS request is not allowed. No rule of the bucket allows this Origin, \
                       Access-Control-Request-Method and these Access-Control-Request-Headers together.";
        allowed(&cors, &wish).ok_or_else(|| forbidden(message, &wish, resource))
    }
}

fn bad(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::bad("BadRequest", message)
}

fn forbidden(message: &'static str, wish: &Wish, resource: &str) -> Refusal {
    let refusal = Refusal::new(StatusCode::FORBIDDEN, "AccessForbidden", message);
    refusal.with("Method", wish.method.as_str()).with("ResourceType", resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(methods: &[&str], origins: &[&str], headers: &[&str]) -> CorsRule {
        let list = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        CorsRule { methods: list(methods), origins: list(origins), headers: list(headers), ..CorsRule::default() }
    }

    fn origin_shown(rules: &[CorsRule], origin: &str, method: &str, headers: &[&str]) -> Option<String> {
        let headers = headers.iter().map(|name| (*name).to_owned()).collect();
        let wish = Wish { origin: origin.to_owned(), method: method.to_owned(), headers };
        let map = allowed(&Cors { rules: rules.to_vec() }, &wish)?;
        map.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_star_is_any_run_of_characters() {
        for (pattern, text, is) in [
            ("*", "https://a.example", true),
            ("*suffix", "suffix", true),
            ("*suffix", "suffix.x", false),
            ("start*end", "startend", true),
            ("start*end", "start12end", true),
            ("start*end", "0startend", false),
            ("aba*aba", "aba", false),
            ("exact", "exact", true),
            ("exact", "Exact", false),
        ] {
            assert_eq!(fits(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_origin_method_and_headers_counts() {
        let rules = [
            rule(&["PUT"], &["https://a.example"], &["x-amz-*"]),
            rule(&["GET", "HEAD"], &["*"], &[]),
            rule(&["DELETE"], &["http://*.example"], &["*"]),
        ];
        for (origin, method, headers, shown) in [
            ("https://a.example", "PUT", &["x-amz-meta-a"][..], Some("https://a.example")),
            ("https://a.example", "PUT", &["x-amz-meta-a", "range"], None),
            ("https://b.example", "PUT", &[], None),
            ("https://b.example", "GET", &[], Some("*")),
            ("https://b.example", "GET", &["range"], None),
            ("http://b.example", "DELETE", &["anything"], Some("http://b.example")),
            ("http://b.example", "POST", &[], None),
        ] {
            assert_eq!(origin_shown(&rules, origin, method, headers).as_deref(), shown, "{origin} {method} {headers:?}");
        }
    }
}
