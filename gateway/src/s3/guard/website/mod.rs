//! Requests to the websites of buckets.
//!
//! ```text
//!   head ─► bucket and its configuration ─► s3::website ─► an anonymous GetObject or HeadObject ─► s3s, access, operations
//!   answer ◄─ object, redirect, error document or HTML page ◄─┘        └─ again: is it a folder? the error document
//! ```
//! Promises: a visitor is nobody, whatever signature came along, and sees what an anonymous GetObject sees; a query means nothing.
//!
//! Source: "Website endpoints" in the S3 User Guide.

mod page;

use std::sync::Arc;

use http::header::{ALLOW, CONTENT_RANGE, HOST, LOCATION, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use s3s::Body;

use super::ids::RequestIds;
use super::refusal::{self, Refusal};
use super::{Gate, empty, is_error, query, request};
use crate::names::{BucketName, ObjectKey};
use crate::rows::{BucketRow, Pages, WebProtocol, Website};
use crate::s3::error::no_such_website;
use crate::s3::seen::{Aim, Seen, WEBSITE};
use crate::s3::website::{First, Moved, Then, Visit, after_error, first, index_of_folder};
use crate::tables::TableError;

/// The request is a website's visitor's: an object that says where it went sends there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WebsiteVisit;

/// The inner request's own: the bucket is in the path.
const INNER_HOST: HeaderValue = HeaderValue::from_static("127.0.0.1");
/// What a policy may depend on.
const CONTEXT: [&str; 5] = ["forwarded", "referer", "user-agent", "x-forwarded-for", "x-forwarded-proto"];
/// What is asked of the object.
const CONDITIONS: [&str; 5] = ["if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "range"];

/// A request whose bucket was found.
struct Visitor<'a> {
    parts: &'a Parts,
    ids: &'a RequestIds,
    bucket: Arc<BucketRow>,
    /// Decoded, and without the first slash.
    key: String,
}

impl Gate {
    /// The answer to a request for the website of this bucket.
    pub(super) async fn show_website(&self, parts: &Parts, bucket: &str, ids: &RequestIds) -> Response<Body> {
        let visitor = match self.find_bucket(parts, bucket).await {
            Ok((bucket, key)) => Visitor { parts, ids, bucket, key },
            Err(refusal) => return page::page(&refusal, None, ids),
        };
        let website = visitor.website();
        let begun = website.as_ref().map(|website| first(website, &visitor.visit()));
        visitor.tell(match &begun {
            Ok(First::Look { key, .. }) => key,
            _ => &visitor.key,
        });
        match begun {
            Ok(First::Look { key, pages }) => self.look(&visitor, pages, &key).await,
            Ok(First::Redirect(moved)) => visitor.redirect(&moved),
            Err(refusal) => visitor.refuse(refusal),
        }
    }

    async fn find_bucket(&self, parts: &Parts, bucket: &str) -> Result<(Arc<BucketRow>, String), Refusal> {
        let found = match BucketName::parse(bucket) {
            Ok(name) => self.tables.bucket(&name).await,
            Err(_) => Err(TableError::NoSuchBucket),
        };
        let path = parts.uri.path();
        let key = query::decode(path.strip_prefix('/').unwrap_or(path)).unwrap_or_default();
        match found {
            Ok(row) => Ok((row, key)),
            Err(error) => Err(Refusal::of(&error.into()).with("BucketName", bucket)),
        }
    }

    /// `key` is what the website has there, if it has it.
    async fn look(&self, visitor: &Visitor<'_>, pages: &Pages, key: &str) -> Response<Body> {
        let found = self.read(visitor, &visitor.parts.method, key, &CONDITIONS).await;
        let status = found.status();
        if !is_error(status) {
            return settled(found);
        }
        let is_folder = self.is_folder(visitor, pages, status).await;
        match after_error(pages, &visitor.visit(), status.as_u16(), is_folder) {
            Then::Redirect(moved) => visitor.redirect(&moved),
            Then::Document(document) => self.error_document(visitor, document, &error_of(&found, key)).await,
            Then::Page => {
                let mut response = page::page(&error_of(&found, key), None, visitor.ids);
                for name in [RETRY_AFTER, CONTENT_RANGE] {
                    response.headers_mut().extend(found.headers().get(&name).map(|value| (name, value.clone())));
                }
                response
            }
        }
    }

    /// Whether a visitor may read the index of what was not found under the key.
    async fn is_folder(&self, visitor: &Visitor<'_>, pages: &Pages, status: StatusCode) -> bool {
        let Some(index) = index_of_folder(pages, &visitor.key) else { return false };
        let missing = match status {
            StatusCode::NOT_FOUND => true,
            // Who may not list isn't told that it is missing.
            StatusCode::FORBIDDEN => self.is_missing(&visitor.bucket, &visitor.key).await,
            _ => false,
        };
        missing && !is_error(self.read(visitor, &Method::HEAD, &index, &[]).await.status())
    }

    async fn is_missing(&self, bucket: &BucketRow, key: &str) -> bool {
        let Ok(key) = ObjectKey::parse(key) else { return false };
        match self.tables.object(bucket, &key, None).await {
            Ok(row) => row.live().is_none(),
            Err(error) => matches!(error, TableError::NoSuchKey),
        }
    }

    /// What the owner has to say of an error, under the error's own status.
    async fn error_document(&self, visitor: &Visitor<'_>, key: &str, error: &Refusal) -> Response<Body> {
        let mut document = self.read(visitor, &visitor.parts.method, key, &[]).await;
        match document.status() {
            StatusCode::OK => {
                *document.status_mut() = error.status;
                page::tell(document.headers_mut(), error);
                document
            }
            status if is_error(status) => page::page(error, Some(&error_of(&document, key)), visitor.ids),
            _ => settled(document),
        }
    }

    /// What an anonymous reader is answered, with these of the visitor's headers.
    async fn read(&self, visitor: &Visitor<'_>, method: &Method, key: &str, asked: &[&str]) -> Response<Body> {
        let resource = format!("/{}/{}", visitor.bucket.name, query::encode(key));
        let mut request = Request::new(Body::empty());
        let Ok(uri) = resource.parse() else {
            return Refusal::bad("KeyTooLongError", "Your key is too long.").into_response(visitor.ids, &resource);
        };
        *request.uri_mut() = uri;
        *request.method_mut() = method.clone();
        *request.extensions_mut() = visitor.parts.extensions.clone();
        request.extensions_mut().insert(WebsiteVisit);
        request.headers_mut().insert(HOST, INNER_HOST);
        for (name, value) in &visitor.parts.headers {
            if CONTEXT.contains(&name.as_str()) || asked.contains(&name.as_str()) {
                request.headers_mut().append(name, value.clone());
            }
        }
        let answer = self.call_inner(request).await;
        answer.unwrap_or_else(|refusal| refusal.into_response(visitor.ids, &resource))
    }
}

impl Visitor<'_> {
    fn visit(&self) -> Visit<'_> {
        let header = |name: &str| self.parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let over_tls = header("x-forwarded-proto").eq_ignore_ascii_case("https");
        let protocol = if over_tls { WebProtocol::Https } else { WebProtocol::Http };
        Visit { key: &self.key, host: header("host"), protocol }
    }

    fn website(&self) -> Result<Website, Refusal> {
        let method = &self.parts.method;
        if method != Method::GET && method != Method::HEAD {
            let message = "The specified method is not allowed against this resource.";
            let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
            return Err(refusal.with("Method", method.as_str()).with("ResourceType", "OBJECT"));
        }
        request::check_target(self.parts)?;
        let website = self.bucket.setting::<Website>().map_err(TableError::from);
        let website = website.map_err(Into::into).and_then(|website| website.ok_or_else(no_such_website));
        website.map_err(|error| Refusal::of(&error).with("BucketName", self.bucket.name.as_str()))
    }

    fn redirect(&self, moved: &Moved) -> Response<Body> {
        match (StatusCode::from_u16(moved.status), HeaderValue::from_str(&moved.location)) {
            (Ok(status), Ok(location)) => redirect_to(status, location),
            _ => page::page(&super::internal_error(), None, self.ids),
        }
    }

    fn refuse(&self, refusal: &Refusal) -> Response<Body> {
        let mut response = page::page(refusal, None, self.ids);
        if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    /// Says what the request is for, if the bucket logs.
    fn tell(&self, key: &str) {
        if let Some(sight) = Seen::of(&self.parts.extensions) {
            let aim = || Aim { bucket: self.bucket.clone(), key: key.to_owned(), operation: WEBSITE.to_owned(), requester: None };
            let _ = sight.aim.set(self.bucket.logs().then(aim));
        }
    }
}

/// An answer that is no error, as a visitor gets it.
fn settled(found: Response<Body>) -> Response<Body> {
    match found.headers().get(LOCATION) {
        Some(location) if found.status().is_redirection() => redirect_to(found.status(), location.clone()),
        _ => found,
    }
}

fn redirect_to(status: StatusCode, location: HeaderValue) -> Response<Body> {
    let mut response = empty([(LOCATION, location)].into_iter().collect());
    *response.status_mut() = status;
    response
}

/// The error in the answer to a read of `key`.
fn error_of(found: &Response<Body>, key: &str) -> Refusal {
    let error = refusal::read(found).unwrap_or_else(super::internal_error);
    let error = Refusal { status: found.status(), ..error };
    if error.code == "NoSuchKey" { error.with("Key", key) } else { error }
}
