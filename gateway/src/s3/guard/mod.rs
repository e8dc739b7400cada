//! The layer before s3s: what s3s lets through and S3 does not is refused here, and every answer leaves with its ids.
//!
//! ```text
//!   request ─► sane? (method, URI, sizes) ─► signature form, region, expiry ─► body watched ─► s3s ─► operations
//!      └─► a website? looked up in it    └─► a form? its fields, signature and policy ─► the PUT it stands for ─┘
//!   answer  ◄─ request ids ◄─ error XML completed ◄─ the body's own fault, if one was seen ◄─────────────┘
//! ```
//! Promises: nothing is held of a body but one frame (one chunk, where chunks are signed); a body that is cut, malformed or too slow
//! never ends as if it were whole; no answer leaves without `x-amz-request-id`, no error without Code, Message and Resource.

mod bare_bucket;
mod bare_tag;
mod body;
mod chunked;
mod form;
mod ids;
mod mac;
mod presigned;
pub(crate) mod query;
mod refusal;
mod request;
mod signature;
mod signature_v2;
mod website;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use s3s::Body;
use s3s::service::S3Service;

use body::Watch;
use form::{Form, Target};
pub(crate) use ids::RequestIds;
pub(super) use refusal::Refusal;
use request::{Kind, Rules};

use super::access_log::{AccessLog, Asked};
use super::cors::{CrossOrigin, Wish};
use super::encryption::hide_keys;
use super::hosts::Domains;
use super::seen::{Seen, Sight};
use crate::names::BucketName;
use crate::rows::BucketRow;
use crate::tables::Tables;
pub(crate) use form::FormFile;
pub(crate) use form::fuzz::{form as fuzz_form, policy as fuzz_policy, tags as fuzz_tags};
pub(crate) use website::WebsiteVisit;

/// The S3 endpoint as a tower service. Cloned for every request.
#[derive(Clone)]
pub(crate) struct Guard(Arc<Gate>);

/// What every request passes.
struct Gate {
    inner: S3Service,
    tables: Tables,
    rules: Rules,
    cors: CrossOrigin,
    log: AccessLog,
}

impl Guard {
    /// The tables are asked for the secrets of those who sign forms, and for what buckets say of other origins.
    pub(crate) fn new(
        inner: S3Service,
        tables: Tables,
        region: &str,
        (domains, signature_v2): (Domains, bool),
        log: AccessLog,
    ) -> Self {
        let cors = CrossOrigin(tables.clone());
        let rules = Rules { region: region.to_owned(), domains, signature_v2 };
        Self(Arc::new(Gate { inner, tables, rules, cors, log }))
    }
}

impl Gate {
    async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let begun = Instant::now();
        let ids = RequestIds::random();
        let method = request.method().clone();
        let resource = request.uri().path().to_owned();
        let waits = waits_for_continue(&request);
        let (asked, seen) = (Asked::of(&request), Seen::new(ids.clone()));
        request.extensions_mut().insert(seen.clone());
        let mut response = self.pass(request, &ids, &resource).await;
        let error = is_error(response.status()).then(|| refusal::code(&response)).flatten();
        ids.stamp(response.headers_mut());
        if seen.0.charged.load(Ordering::Relaxed) && !is_error(response.status()) {
            response.headers_mut().insert("x-amz-request-charged", http::HeaderValue::from_static("requester"));
        }
        if method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED {
            drop_error_body(&mut response);
        }
        if method == Method::HEAD
            && response.headers().contains_key(http::header::CONTENT_RANGE)
            && response.status() == StatusCode::OK
        {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if waits.is_some_and(|empty| empty || is_error(response.status())) {
            response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        }
        let status = response.status().as_u16();
        let micros = begun.elapsed().as_micros() as u64;
        tracing::debug!(request = ids.request, %method, path = resource, status, micros, "answered");
        match self.logging_bucket(&asked, &seen.0, response.status()).await {
            Some((bucket, key)) => self.log.watch(asked, (&bucket, key), &seen.0, error, response),
            None => response,
        }
    }

    /// The request's bucket, if it logs, and the key that the path names. A request that was refused before anybody looked at the bucket,
    /// or is about no more than other origins, is the bucket's all the same.
    async fn logging_bucket(&self, asked: &Asked, sight: &Sight, status: StatusCode) -> Option<(Arc<BucketRow>, String)> {
        match sight.aim.get() {
            Some(aim) => aim.as_ref().map(|aim| (aim.bucket.clone(), query::encode(&aim.key))),
            None if is_error(status) || asked.is_preflight() => {
                let parts = asked.parts();
                let (bucket, key) = self.rules.domains.names(&parts);
                let row = self.tables.bucket(&BucketName::parse(&bucket?).ok()?).await.ok()?;
                row.logs().then(|| (row, key.to_owned()))
            }
            None => None,
        }
    }

    async fn pass(&self, request: Request<Incoming>, ids: &RequestIds, resource: &str) -> Response<Body> {
        let (parts, incoming) = request.into_parts();
        let bucket = self.rules.domains.bucket_of(&parts);
        if parts.method == Method::OPTIONS {
            return match self.cors.preflight(&parts, bucket.as_deref()).await {
                Ok(headers) => empty(headers),
                Err(refusal) => refusal.into_response(ids, resource),
            };
        }
        // By the rules as they are now: the operation may change them, or delete the bucket.
        let allowed = match Wish::of(&parts) {
            Some(wish) => self.cors.headers(bucket.as_deref(), &wish).await,
            None => HeaderMap::new(),
        };
        let mut response = self.operate(parts, incoming, ids, resource).await;
        response.headers_mut().extend(allowed);
        response
    }

    async fn operate(&self, parts: Parts, incoming: Incoming, ids: &RequestIds, resource: &str) -> Response<Body> {
        if let Some(bucket) = self.rules.domains.website(&parts) {
            return Box::pin(self.show_website(&parts, &bucket, ids)).await;
        }
        let bares_tag = bare_tag::is_wanted(&parts);
        let watch = Watch::default();
        let passed = match request::check(&parts, &self.rules) {
            Ok(Kind::Form(target)) => Box::pin(self.pass_form(parts, incoming, target, &watch)).await,
            Ok(Kind::Other(plan)) => self.pass_other(parts, body::watched(incoming, plan, watch.clone())).await,
            Err(refusal) => Err(refusal),
        };
        match (passed, watch.fault()) {
            (Ok(response), _) if !is_error(response.status()) && bares_tag => bare_tag::bared(response),
            (Ok(response), _) if !is_error(response.status()) => response,
            (_, Some(fault)) | (Err(fault), None) => fault.into_response(ids, resource),
            (Ok(response), None) => refusal::complete(response, ids, resource),
        }
    }

    async fn pass_other(&self, mut parts: Parts, body: Body) -> Result<Response<Body>, Refusal> {
        if self.rules.signature_v2 {
            bare_bucket::settle(&mut parts, &self.tables, &self.rules.domains).await;
        }
        presigned::unfold(&mut parts)?;
        self.call_inner(Request::from_parts(parts, body)).await
    }

    async fn pass_form(
        &self,
        parts: Parts,
        incoming: Incoming,
        target: Target,
        watch: &Watch,
    ) -> Result<Response<Body>, Refusal> {
        let keys = (&self.tables, self.rules.region.as_str());
        let (form, put) = Form::read(target, parts, incoming, keys, watch.clone()).await?;
        let response = self.call_inner(put).await?;
        Ok(if is_error(response.status()) { response } else { form.answer(response) })
    }

    async fn call_inner(&self, mut request: Request<Body>) -> Result<Response<Body>, Refusal> {
        hide_keys(request.headers_mut());
        Box::pin(self.inner.call(request)).await.map_err(|_| internal_error())
    }
}

/// Whether the client waits for `100 Continue` before it sends its body, and if so, whether that body is empty. The server says it when the
/// body is first read, so never for an empty one, nor where a request is refused at once. Clients that wait (botocore) take the answer
/// that comes instead for the answer to a later request too, unless the connection is closed, which is what S3 does.
fn waits_for_continue(request: &Request<Incoming>) -> Option<bool> {
    let waits = request.headers().get(http::header::EXPECT)?.as_bytes().eq_ignore_ascii_case(b"100-continue");
    waits.then(|| hyper::body::Body::is_end_stream(request.body()))
}

fn empty(headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = headers;
    response
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn internal_error() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "We encountered an internal error. Please try again.")
}

/// The answer to a HEAD, and a 304, have no body, and so no type of one.
fn drop_error_body(response: &mut Response<Body>) {
    if response.status() == StatusCode::NOT_MODIFIED || is_error(response.status()) {
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(http::header::CONTENT_TYPE);
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
    }
}

impl tower::Service<Request<Incoming>> for Guard {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let guard = self.clone();
        Box::pin(async move { Ok(guard.0.answer(request).await) })
    }
}
