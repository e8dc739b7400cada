//! What becomes known of a request on its way, for those who tell of it afterwards.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use http::Extensions;
use nodio_host::clock::now_ms;
use nodio_host::serve::ConnectInfo;
use s3s::S3Request;

use super::Api;
use super::access::caller;
use super::guard::RequestIds;
use crate::names::UserId;
use crate::rows::{BucketRow, Cause, EventKind};
use crate::tables::{Tables, Telling};

/// Lies in the extensions of every request.
#[derive(Clone)]
pub(crate) struct Seen(pub(crate) Arc<Sight>);

pub(crate) struct Sight {
    pub(crate) ids: RequestIds,
    /// Set by who decides on access, or finds the website: what the request is for, if its bucket logs.
    pub(crate) aim: OnceLock<Option<Aim>>,
    /// Set by who decides on access: a requester pays for a bucket that the request needed.
    pub(crate) charged: AtomicBool,
}

/// What a website's visitor does, as [`Aim::operation`]; all others have the names of S3's operations.
pub(crate) const WEBSITE: &str = "Website";

/// What a request to a bucket that logs is for.
pub(crate) struct Aim {
    pub(crate) bucket: Arc<BucketRow>,
    pub(crate) key: String,
    pub(crate) operation: String,
    /// Nobody who signed.
    pub(crate) requester: Option<UserId>,
}

impl Seen {
    pub(crate) fn new(ids: RequestIds) -> Self {
        Self(Arc::new(Sight { ids, aim: OnceLock::new(), charged: AtomicBool::new(false) }))
    }

    pub(crate) fn of(extensions: &Extensions) -> Option<&Sight> {
        extensions.get::<Self>().map(|seen| &*seen.0)
    }
}

/// The address a request came from; empty where it isn't known.
pub(crate) fn source(extensions: &Extensions) -> String {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map(|info| info.0.ip().to_canonical().to_string()).unwrap_or_default()
}

impl Api {
    /// The tables through which the request changes an object. They tell of the change where the bucket wants that; otherwise this costs
    /// nothing.
    pub(in crate::s3) fn telling<T>(&self, request: &S3Request<T>, bucket: &BucketRow, kind: EventKind) -> Cow<'_, Tables> {
        if !bucket.tells() {
            return Cow::Borrowed(&self.tables);
        }
        let ids = Seen::of(&request.extensions).map(|sight| sight.ids.clone());
        let ids = ids.unwrap_or_else(RequestIds::random);
        let principal = caller(request).map(|caller| caller.id.as_str().to_owned()).unwrap_or_default();
        let cause = Cause { principal, source: source(&request.extensions), request: ids.request, host: ids.host };
        Cow::Owned(self.tables.telling(Telling { kind, at: now_ms(), cause }))
    }
}
