//! PutBucketCors, GetBucketCors, DeleteBucketCors. How the rules are applied is in [`crate::s3::cors`].

use http::StatusCode;
use s3s::dto::{
    self, DeleteBucketCorsInput, DeleteBucketCorsOutput, GetBucketCorsInput, GetBucketCorsOutput, PutBucketCorsInput,
    PutBucketCorsOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use crate::rows::{Cors, CorsRule};
use crate::s3::Api;
use crate::s3::cors::METHODS;
use crate::s3::error::{fail, fail_as, invalid_argument, malformed_xml};
use crate::s3::limits::{CORS_RULES_MAX, RULE_ID_CHARS_MAX};
use crate::tables::TableError;

pub(super) async fn put_bucket_cors(
    api: &Api,
    request: S3Request<PutBucketCorsInput>,
) -> S3Result<S3Response<PutBucketCorsOutput>> {
    let input = &request.input;
    let bucket = api.bucket(&request, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let rules = &input.cors_configuration.cors_rules;
    if rules.is_empty() || rules.len() > CORS_RULES_MAX {
        return Err(malformed_xml());
    }
    let rules = rules.iter().map(read).collect::<S3Result<Vec<_>>>()?;
    api.tables.set_setting(&bucket.name, Some(&Cors { rules })).await?;
    Ok(S3Response::new(PutBucketCorsOutput::default()))
}

fn read(rule: &dto::CORSRule) -> S3Result<CorsRule> {
    if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() {
        return Err(malformed_xml());
    }
    if rule.id.as_ref().is_some_and(|id| id.chars().count() > RULE_ID_CHARS_MAX) {
        return Err(invalid_argument("ID length should not exceed allowed limit of 255"));
    }
    if let Some(method) = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(refused(format!("Found unsupported HTTP method in CORS config. Unsupported method is {method}")));
    }
    let headers = rule.allowed_headers.clone().unwrap_or_default();
    for (what, patterns) in [("AllowedOrigin", &rule.allowed_origins), ("AllowedHeader", &headers)] {
        if let Some(pattern) = patterns.iter().find(|pattern| pattern.matches('*').count() > 1) {
            return Err(refused(format!("{what} \"{pattern}\" can not have more than one wildcard.")));
        }
    }
    let exposed = rule.expose_headers.clone().unwrap_or_default();
    if let Some(header) = exposed.iter().find(|header| header.contains('*')) {
        return Err(refused(format!(
            "ExposeHeader \"{header}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        )));
    }
    let max_age_s = rule.max_age_seconds.map(u32::try_from).transpose().map_err(|_| malformed_xml())?;
    Ok(CorsRule {
        id: rule.id.clone(),
        methods: rule.allowed_methods.clone(),
        origins: rule.allowed_origins.clone(),
        headers,
        exposed,
        max_age_s,
    })
}

fn refused(message: String) -> S3Error {
    fail(S3ErrorCode::InvalidRequest, message)
}

pub(super) async fn get_bucket_cors(
    api: &Api,
    request: S3Request<GetBucketCorsInput>,
) -> S3Result<S3Response<GetBucketCorsOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    let cors: Option<Cors> = bucket.setting().map_err(TableError::from)?;
    let cors =
        cors.ok_or_else(|| fail_as(StatusCode::NOT_FOUND, "NoSuchCORSConfiguration", "The CORS configuration does not exist"))?;
    Ok(S3Response::new(GetBucketCorsOutput { cors_rules: Some(cors.rules.into_iter().map(show).collect()) }))
}

fn show(rule: CorsRule) -> dto::CORSRule {
    let given = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
    dto::CORSRule {
        allowed_headers: given(rule.headers),
        allowed_methods: rule.methods,
        allowed_origins: rule.origins,
        expose_headers: given(rule.exposed),
        id: rule.id,
        max_age_seconds: rule.max_age_s.map(|age| i32::try_from(age).unwrap_or(i32::MAX)),
    }
}

pub(super) async fn delete_bucket_cors(
    api: &Api,
    request: S3Request<DeleteBucketCorsInput>,
) -> S3Result<S3Response<DeleteBucketCorsOutput>> {
    let bucket = api.bucket(&request, &request.input.bucket, request.input.expected_bucket_owner.as_deref()).await?;
    api.tables.set_setting::<Cors>(&bucket.name, None).await?;
    Ok(S3Response::with_status(DeleteBucketCorsOutput::default(), StatusCode::NO_CONTENT))
}
