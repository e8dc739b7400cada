//! `/fleet`: postcard for gateways. A [`FleetError`] travels as postcard with status 409.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use nodio_wire::auth::Who;
use nodio_wire::fleet::{Fleet, FleetError, GrantRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Failure;
use super::gate::Signed;
use crate::service::Coordinator;

type This = State<Arc<Coordinator>>;

fn parse<T: DeserializeOwned>(signed: &Signed) -> Result<T, Failure> {
    decode(signed.body(|who| who == Who::Gateway)?)
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    postcard::from_bytes(body).map_err(|error| Failure::new(StatusCode::BAD_REQUEST, format!("unreadable request: {error}")))
}

/// A gateway of an earlier version doesn't say who holds shards already. The zero behind its request reads as nobody; behind a whole request
/// nothing is read.
fn decode_grant(body: &[u8]) -> Result<GrantRequest, Failure> {
    decode(&[body, &[0]].concat())
}

fn answer<T: Serialize>(outcome: Result<T, FleetError>) -> Response {
    match outcome {
        Ok(value) => encoded(StatusCode::OK, &value),
        Err(error) => encoded(StatusCode::CONFLICT, &error),
    }
}

fn encoded<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match postcard::to_stdvec(value) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
        Err(error) => Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

pub(super) async fn grant(State(this): This, Extension(signed): Extension<Signed>) -> Result<Response, Failure> {
    let request = decode_grant(signed.body(|who| who == Who::Gateway)?)?;
    Ok(answer(this.grant(request).await))
}

pub(super) async fn commit(State(this): This, Extension(signed): Extension<Signed>) -> Result<Response, Failure> {
    Ok(answer(this.commit(parse(&signed)?).await))
}

pub(super) async fn locate(State(this): This, Extension(signed): Extension<Signed>) -> Result<Response, Failure> {
    let (part, first, count) = parse(&signed)?;
    Ok(answer(this.locate(part, first, count).await))
}

pub(super) async fn release(State(this): This, Extension(signed): Extension<Signed>) -> Result<Response, Failure> {
    Ok(answer(this.release(parse(&signed)?).await))
}

pub(super) async fn report(State(this): This, Extension(signed): Extension<Signed>) -> Result<Response, Failure> {
    Ok(answer(this.report(parse(&signed)?).await))
}

pub(super) async fn parts(State(this): This, Extension(signed): Extension<Signed>) -> Result<Response, Failure> {
    let (after, limit) = parse(&signed)?;
    Ok(answer(this.parts(after, limit).await))
}

pub(super) async fn summary(State(this): This, Extension(signed): Extension<Signed>) -> Result<Response, Failure> {
    parse::<()>(&signed)?;
    Ok(answer(this.summary().await))
}

pub(super) async fn durability(State(this): This, Extension(signed): Extension<Signed>) -> Result<Response, Failure> {
    Ok(answer(this.durability(parse(&signed)?).await))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodio_wire::{Code, NodeId};

    #[test]
    fn grants_are_asked_for_by_gateways_of_yesterday_and_today() {
        let yesterdays = postcard::to_stdvec(&(Code::DEFAULT, 1000u32, 3u16, 2u8)).expect("encodes");
        let ask = GrantRequest { code: Code::DEFAULT, shard_bytes: 1000, segments: 3, spares: 2, holding: Vec::new() };
        assert_eq!(decode_grant(&yesterdays).ok(), Some(ask.clone()));
        let ask = GrantRequest { holding: vec![NodeId(7), NodeId(400)], ..ask };
        let todays = postcard::to_stdvec(&ask).expect("encodes");
        assert_eq!(decode_grant(&todays).ok(), Some(ask));
        assert!(decode_grant(&todays[..2]).is_err() && decode_grant(&[]).is_err());
    }
}
