//! PutBucketWebsite, GetBucketWebsite, DeleteBucketWebsite. What a website answers is decided in [`crate::s3::website`].
//!
//! Source: the operations' pages and "Configuring a webpage redirect" in the Amazon S3 documentation.

use http::StatusCode;
use nodio_meta::row::encode;
use s3s::dto::{
    self, Condition, DeleteBucketWebsiteInput, DeleteBucketWebsiteOutput, ErrorDocument, GetBucketWebsiteInput,
    GetBucketWebsiteOutput, IndexDocument, Protocol, PutBucketWebsiteInput, PutBucketWebsiteOutput, Redirect,
    RedirectAllRequestsTo, WebsiteConfiguration,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use crate::rows::{KeyChange, Pages, RoutingCondition, RoutingRule, WebProtocol, Website};
use crate::s3::Api;
use crate::s3::error::{fail, invalid_argument, malformed_xml, no_such_website};
use crate::s3::limits::{ROUTING_RULES_MAX, WEBSITE_BYTES_MAX};
use crate::tables::TableError;

pub(super) async fn put_bucket_website(
    api: &Api,
    request: S3Request<PutBucketWebsiteInput>,
) -> S3Result<S3Response<PutBucketWebsiteOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let website = read(&input.website_configuration)?;
    if encode(&website).len() > WEBSITE_BYTES_MAX {
        return Err(fail(S3ErrorCode::MaxMessageLengthExceeded, "Your request was too big."));
    }
    api.tables.set_setting(&bucket.name, Some(&website)).await?;
    Ok(S3Response::new(PutBucketWebsiteOutput::default()))
}

pub(super) async fn get_bucket_website(
    api: &Api,
    request: S3Request<GetBucketWebsiteInput>,
) -> S3Result<S3Response<GetBucketWebsiteOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let website: Option<Website> = bucket.setting().map_err(TableError::from)?;
    let WebsiteConfiguration { error_document, index_document, redirect_all_requests_to, routing_rules } =
        show(website.ok_or_else(no_such_website)?);
    Ok(S3Response::new(GetBucketWebsiteOutput { error_document, index_document, redirect_all_requests_to, routing_rules }))
}

pub(super) async fn delete_bucket_website(
    api: &Api,
    request: S3Request<DeleteBucketWebsiteInput>,
) -> S3Result<S3Response<DeleteBucketWebsiteOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    api.tables.set_setting::<Website>(&bucket.name, None).await?;
    Ok(S3Response::with_status(DeleteBucketWebsiteOutput::default(), StatusCode::NO_CONTENT))
}

/// What a document says.
///
/// # Errors
/// `InvalidArgument`, `InvalidRequest`, `MalformedXML`, as S3 has them for a document that can't be.
pub(in crate::s3) fn read(given: &WebsiteConfiguration) -> S3Result<Website> {
    match (&given.redirect_all_requests_to, &given.index_document) {
        (Some(to), None) if given.error_document.is_none() && given.routing_rules.is_none() => {
            Ok(Website::Elsewhere { host: host(&to.host_name)?, protocol: protocol(to.protocol.as_ref())? })
        }
        (Some(_), _) => Err(refused("RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.")),
        (None, None) => {
            Err(invalid_argument("A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty"))
        }
        (None, Some(index)) => {
            let error = given.error_document.as_ref().map(error_key).transpose()?;
            let rules = given.routing_rules.as_deref().unwrap_or_default();
            Ok(Website::Pages(Pages { index: suffix(index)?, error, rules: read_rules(rules)? }))
        }
    }
}

fn suffix(index: &IndexDocument) -> S3Result<String> {
    match index.suffix.as_str() {
        suffix if suffix.is_empty() || suffix.contains('/') => {
            Err(invalid_argument("The IndexDocument Suffix is not well formed"))
        }
        suffix => Ok(suffix.to_owned()),
    }
}

fn error_key(document: &ErrorDocument) -> S3Result<String> {
    if document.key.is_empty() {
        return Err(invalid_argument("The ErrorDocument Key is not well formed"));
    }
    Ok(document.key.clone())
}

fn read_rules(given: &[dto::RoutingRule]) -> S3Result<Vec<RoutingRule>> {
    if given.len() > ROUTING_RULES_MAX {
        return Err(refused(format!(
            "{} routing rules provided, the number of routing rules in a website configuration is limited to \
             {ROUTING_RULES_MAX}.",
            given.len()
        )));
    }
    given.iter().map(read_rule).collect()
}

fn read_rule(given: &dto::RoutingRule) -> S3Result<RoutingRule> {
    let redirect = &given.redirect;
    if *redirect == Redirect::default() {
        return Err(malformed_xml());
    }
    Ok(RoutingRule {
        condition: given.condition.as_ref().map(read_condition).transpose()?,
        host: redirect.host_name.as_deref().map(host).transpose()?,
        protocol: protocol(redirect.protocol.as_ref())?,
        status: redirect.http_redirect_code.as_deref().map(redirect_status).transpose()?,
        key: key_change(redirect)?,
    })
}

fn read_condition(given: &Condition) -> S3Result<RoutingCondition> {
    if *given == Condition::default() {
        return Err(malformed_xml());
    }
    let error = given.http_error_code_returned_equals.as_deref().map(error_status).transpose()?;
    Ok(RoutingCondition { prefix: given.key_prefix_equals.clone(), error })
}

fn error_status(text: &str) -> S3Result<u16> {
    match number(text)? {
        status @ 400..=599 => Ok(status),
        other => Err(refused(format!("The provided HTTP error code ({other}) is not valid. Valid codes are 4XX or 5XX."))),
    }
}

/// Only those that send a client somewhere: 304 has no place to go to, and 306 no meaning.
fn redirect_status(text: &str) -> S3Result<u16> {
    match number(text)? {
        status @ (301..=303 | 305 | 307 | 308) => Ok(status),
        other => Err(refused(format!("The provided HTTP redirect code ({other}) is not valid. Valid codes are 3XX except 300."))),
    }
}

fn number(text: &str) -> S3Result<u16> {
    text.parse().map_err(|_| malformed_xml())
}

/// It will stand in a header.
fn host(text: &str) -> S3Result<String> {
    if text.is_empty() {
        let message = "The HostName cannot be blank. To redirect within the same domain, the element should not be present.";
        return Err(refused(message));
    }
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    if printable { Ok(text.to_owned()) } else { Err(invalid_argument("The HostName is not valid")) }
}

fn protocol(given: Option<&Protocol>) -> S3Result<Option<WebProtocol>> {
    match given.map(Protocol::as_str) {
        None => Ok(None),
        Some(Protocol::HTTP) => Ok(Some(WebProtocol::Http)),
        Some(Protocol::HTTPS) => Ok(Some(WebProtocol::Https)),
        Some(_) => Err(refused(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.",
        )),
    }
}

fn key_change(redirect: &Redirect) -> S3Result<KeyChange> {
    match (&redirect.replace_key_prefix_with, &redirect.replace_key_with) {
        (None, None) => Ok(KeyChange::Kept),
        (Some(prefix), None) => Ok(KeyChange::Prefix(prefix.clone())),
        (None, Some(key)) => Ok(KeyChange::Whole(key.clone())),
        (Some(_), Some(_)) => Err(refused("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")),
    }
}

fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    fail(S3ErrorCode::InvalidRequest, message)
}

/// The document that says this.
pub(in crate::s3) fn show(website: Website) -> WebsiteConfiguration {
    match website {
        Website::Elsewhere { host, protocol } => WebsiteConfiguration {
            redirect_all_requests_to: Some(RedirectAllRequestsTo { host_name: host, protocol: shown_protocol(protocol) }),
            ..WebsiteConfiguration::default()
        },
        Website::Pages(Pages { index, error, rules }) => WebsiteConfiguration {
            error_document: error.map(|key| ErrorDocument { key }),
            index_document: Some(IndexDocument { suffix: index }),
            redirect_all_requests_to: None,
            routing_rules: Some(rules.into_iter().map(shown_rule).collect::<Vec<_>>()).filter(|rules| !rules.is_empty()),
        },
    }
}

fn shown_rule(rule: RoutingRule) -> dto::RoutingRule {
    let (replace_key_prefix_with, replace_key_with) = match rule.key {
        KeyChange::Kept => (None, None),
        KeyChange::Prefix(prefix) => (Some(prefix), None),
        KeyChange::Whole(key) => (None, Some(key)),
    };
    dto::RoutingRule {
        condition: rule.condition.map(|RoutingCondition { prefix, error }| Condition {
            http_error_code_returned_equals: error.map(|status| status.to_string()),
            key_prefix_equals: prefix,
        }),
        redirect: Redirect {
            host_name: rule.host,
            http_redirect_code: rule.status.map(|status| status.to_string()),
            protocol: shown_protocol(rule.protocol),
            replace_key_prefix_with,
            replace_key_with,
        },
    }
}

fn shown_protocol(protocol: Option<WebProtocol>) -> Option<Protocol> {
    protocol.map(|protocol| match protocol {
        WebProtocol::Http => Protocol::from_static(Protocol::HTTP),
        WebProtocol::Https => Protocol::from_static(Protocol::HTTPS),
    })
}
