//! S3 as clients know it, on top of tables and pipeline.
//!
//! ```text
//!   guard/ ─► s3s (signature, parsing) ─► access ─► ops/ (one file per family) ─► tables, pipeline
//!                 └─ auth: secrets            └─ headers, digest, range, conditional: parsed once
//! ```
//! Promises: an object is named only after its bytes are durable, and what was written for a refused request is let go; what isn't
//! built answers NotImplemented; past these files there are no raw strings. Errors have one table: `error`.

mod access;
pub(crate) mod access_log;
mod auth;
mod conditional;
mod cors;
mod digest;
pub(crate) mod encryption;
mod error;
pub(crate) mod fuzz;
mod guard;
mod headers;
pub(crate) mod hosts;
mod lenient;
mod lifecycle;
pub(crate) mod limits;
mod lock;
mod notifications;
mod ops;
mod range;
mod seen;
mod tags;
mod website;

use std::sync::{Arc, OnceLock};

use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};

use crate::classes::Codes;
use crate::pipeline::Pipeline;
use crate::tables::Tables;
use access_log::AccessLog;
use encryption::NamedKeys;
pub(crate) use guard::Guard;
use hosts::Domains;

/// What the operations work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) tables: Tables,
    pub(crate) pipeline: Pipeline,
    pub(crate) region: Arc<str>,
    pub(crate) named_keys: NamedKeys,
    pub(crate) codes: Arc<Codes>,
}

/// The endpoint: guarded, signed, with buckets as paths and under `domains`, and with `signature_v2` for old clients if so wished.
pub(crate) fn endpoint(api: Api, domains: &Domains, signature_v2: bool, log: AccessLog) -> Guard {
    let (region, tables) = (api.region.clone(), api.tables.clone());
    let unsigned = Arc::new(OnceLock::new());
    let access = access::Access(api.tables.clone());
    let mut builder = builder(api.clone(), domains);
    builder.set_auth(auth::Keys(api.tables.clone()));
    builder.set_access(access.clone());
    builder.set_route(lenient::Lenient { access, unsigned: unsigned.clone() });
    let service = builder.build();
    // The cell is new: this is the one time it is set.
    let _ = unsigned.set(second_turn(api, domains));
    Guard::new(service, tables, &region, (domains.clone(), signature_v2), log)
}

/// For requests whose signature was checked and whose caller is known; see [`lenient`].
fn second_turn(api: Api, domains: &Domains) -> S3Service {
    let mut builder = builder(api.clone(), domains);
    // s3s asks `access` only where there is `auth`; there is no signature left to check.
    builder.set_auth(auth::Keys(api.tables.clone()));
    builder.set_access(access::Access(api.tables));
    builder.build()
}

fn builder(api: Api, domains: &Domains) -> S3ServiceBuilder {
    let mut config = S3Config::default();
    config.xml_max_body_size = limits::XML_BYTES_MAX;
    let mut builder = S3ServiceBuilder::new(api);
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.set_host(domains.clone());
    builder.set_validation(AnyName);
    builder
}

/// Bucket names are judged by the operations: s3s would answer for one it doesn't like before it looks at the signature.
struct AnyName;

impl s3s::validation::NameValidation for AnyName {
    fn validate_bucket_name(&self, name: &str) -> bool {
        !name.is_empty()
    }
}
