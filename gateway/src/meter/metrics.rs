//! The figures as gauges, in Prometheus' text format ("Exposition formats" in the Prometheus documentation), at `GET /metrics`.
//!
//! The listener is off unless configured: it names every bucket to whoever can reach it.

use std::convert::Infallible;
use std::fmt::{Display, Write};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use nodio_host::serve::{ServeOptions, serve};
use nodio_host::shutdown::Shutdown;
use tokio::net::TcpListener;

use super::{Figures, Measured, Meter};
use crate::events::{Couriers, EventFigures};
use crate::s3::access_log::{AccessLog, LogFigures};
use crate::tables::TableError;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Scrapers are few.
const CONNECTIONS_MAX: usize = 16;

/// Serves until `shutdown`.
pub(crate) async fn serve_metrics(listener: TcpListener, meter: Meter, others: (Couriers, AccessLog), shutdown: Shutdown) {
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let (meter, others) = (meter.clone(), others.clone());
        async move { Ok::<_, Infallible>(answer(&meter, &others, request.method(), request.uri().path()).await) }
    });
    let options = ServeOptions { connections_max: CONNECTIONS_MAX, ..ServeOptions::default() };
    serve(listener, service, options, shutdown).await;
}

async fn answer(meter: &Meter, (couriers, log): &(Couriers, AccessLog), method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET || path != "/metrics" {
        return response(StatusCode::NOT_FOUND, "only GET /metrics is answered here\n".to_owned());
    }
    match meter.all().await {
        Ok(measured) => {
            response(StatusCode::OK, render(&measured) + &render_events(couriers.figures()) + &render_log(log.figures()))
        }
        Err(error) => response(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn response(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(TEXT));
    response
}

impl Meter {
    /// Every bucket. As long as the list of buckets; the text of a scrape can't be paged.
    async fn all(&self) -> Result<Vec<Measured>, TableError> {
        self.ask();
        let mut all: Vec<Measured> = Vec::new();
        loop {
            let (page, more) = self.page(all.last().map(|last| &last.bucket)).await?;
            all.extend(page);
            if !more {
                return Ok(all);
            }
        }
    }
}

/// How safe a bucket is, is left out until it was counted. A bucket's name needs no escaping.
pub(super) fn render(measured: &[Measured]) -> String {
    let mut out = String::new();
    let counted: Vec<_> = measured.iter().filter_map(|one| Some((one.bucket.as_str(), one.figures.as_ref()?))).collect();
    family(&mut out, "segments", "Segments by live shards beyond those needed; -1 is unreadable now.");
    for (bucket, figures) in &counted {
        for (spare, segments) in &figures.durability.by_spare {
            let _ = writeln!(out, "nodio_bucket_segments{{bucket=\"{bucket}\",spare=\"{spare}\"}} {segments}");
        }
    }
    gauge(&mut out, &counted, "bytes", "Plaintext bytes in segments, about.", |figures| figures.durability.bytes);
    gauge(&mut out, &counted, "objects", "Object versions.", |figures| figures.objects);
    gauge(&mut out, &counted, "inline_objects", "Those without segments, in the metadata.", |figures| figures.inline_objects);
    let expected = "Segments expected to be unreadable at this moment.";
    gauge(&mut out, &counted, "unreadable_now", expected, |figures| figures.durability.unreadable_now);
    let lost = "Segments expected to be lost for good within a year.";
    gauge(&mut out, &counted, "lost_per_year", lost, |figures| figures.durability.lost_per_year);
    let donor = "The same, were there one donor more.";
    gauge(&mut out, &counted, "lost_per_year_next_donor", donor, |figures| figures.durability.lost_per_year_next_donor);
    let parity = "The same, had every segment one parity shard more.";
    gauge(&mut out, &counted, "lost_per_year_next_parity", parity, |figures| figures.durability.lost_per_year_next_parity);
    let time = "When the figures were counted, seconds since 1970.";
    gauge(&mut out, &counted, "measured_timestamp_seconds", time, |figures| figures.measured / 1000);
    amounts(&mut out, measured);
    out
}

/// What lies in every bucket at this moment, and its quota where it has one.
fn amounts(out: &mut String, measured: &[Measured]) {
    let quota = |one: &Measured| one.quota.unwrap_or_default();
    let mut gauge = |name: &str, help: &str, value: &dyn Fn(&Measured) -> Option<u64>| {
        family(out, name, help);
        for (one, value) in measured.iter().filter_map(|one| Some((one, value(one)?))) {
            let _ = writeln!(out, "nodio_bucket_{name}{{bucket=\"{}\"}} {value}", one.bucket.as_str());
        }
    };
    let bytes = "Plaintext bytes of all versions and of the parts of uploads, as quotas count them.";
    gauge("usage_bytes", bytes, &|one| Some(one.usage.bytes));
    gauge("usage_objects", "Object versions, as quotas count them.", &|one| Some(one.usage.objects));
    gauge("quota_bytes", "The quota of bytes, where there is one.", &|one| quota(one).bytes);
    gauge("quota_objects", "The quota of object versions, where there is one.", &|one| quota(one).objects);
}

/// Of each webhook, by its name, which needs no escaping.
pub(super) fn render_events<'a>(webhooks: impl Iterator<Item = (&'a str, EventFigures)>) -> String {
    let webhooks: Vec<_> = webhooks.collect();
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, value: fn(&EventFigures) -> u64| {
        let _ = writeln!(out, "# HELP nodio_webhook_{name} {help}\n# TYPE nodio_webhook_{name} {kind}");
        for (webhook, figures) in &webhooks {
            let _ = writeln!(out, "nodio_webhook_{name}{{webhook=\"{webhook}\"}} {}", value(figures));
        }
    };
    family("events_waiting", "gauge", "Events that wait to be delivered.", |figures| figures.waiting);
    family("events_delivered_total", "counter", "Events delivered.", |figures| figures.delivered);
    family("attempts_failed_total", "counter", "Attempts to deliver that failed.", |figures| figures.failed);
    family("events_dropped_total", "counter", "Events dropped from a full queue.", |figures| figures.dropped);
    out
}

/// Records of access logs, of all buckets together.
pub(super) fn render_log(figures: LogFigures) -> String {
    let mut out = String::new();
    for (name, kind, help, value) in [
        ("waiting", "gauge", "Records of access logs that wait to be written.", figures.waiting),
        ("written_total", "counter", "Records written.", figures.written),
        ("dropped_total", "counter", "Records dropped for want of room or of a target.", figures.dropped),
    ] {
        let name = format!("nodio_access_log_records_{name}");
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }
    out
}

fn gauge<V: Display>(out: &mut String, counted: &[(&str, &Figures)], name: &str, help: &str, value: impl Fn(&Figures) -> V) {
    family(out, name, help);
    for (bucket, figures) in counted {
        let _ = writeln!(out, "nodio_bucket_{name}{{bucket=\"{bucket}\"}} {}", value(figures));
    }
}

fn family(out: &mut String, name: &str, help: &str) {
    let _ = writeln!(out, "# HELP nodio_bucket_{name} {help}\n# TYPE nodio_bucket_{name} gauge");
}
