//! Notification configurations as documents: read with S3's rules, and shown.
//!
//! Source: "PutBucketNotificationConfiguration" and "NotificationConfiguration" in the Amazon S3 API Reference, "Amazon S3 Event
//! Notifications" in the S3 User Guide.

use s3s::dto::{
    Event, FilterRule, FilterRuleName, GetBucketNotificationConfigurationOutput, NotificationConfiguration,
    NotificationConfigurationFilter, QueueConfiguration, S3KeyFilter,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::error::{fail, invalid_argument, malformed_xml};
use super::limits::{FILTER_VALUE_BYTES_MAX, NOTIFICATION_RULES_MAX, RULE_ID_CHARS_MAX};
use crate::events::overlap;
use crate::rows::{EventKind, NotificationRule, Notifications, Watched};

/// Names of events, and what a rule with them is about.
const WATCHED: [(&str, Watched); 15] = [
    ("s3:ObjectCreated:*", Watched::AllCreated),
    ("s3:ObjectCreated:Put", Watched::One(EventKind::CreatedPut)),
    ("s3:ObjectCreated:Post", Watched::One(EventKind::CreatedPost)),
    ("s3:ObjectCreated:Copy", Watched::One(EventKind::CreatedCopy)),
    ("s3:ObjectCreated:CompleteMultipartUpload", Watched::One(EventKind::CreatedComplete)),
    ("s3:ObjectRemoved:*", Watched::AllRemoved),
    ("s3:ObjectRemoved:Delete", Watched::One(EventKind::RemovedDelete)),
    ("s3:ObjectRemoved:DeleteMarkerCreated", Watched::One(EventKind::RemovedMarker)),
    ("s3:ObjectTagging:*", Watched::AllTagging),
    ("s3:ObjectTagging:Put", Watched::One(EventKind::TaggingPut)),
    ("s3:ObjectTagging:Delete", Watched::One(EventKind::TaggingDelete)),
    ("s3:ObjectAcl:Put", Watched::One(EventKind::AclPut)),
    ("s3:LifecycleExpiration:*", Watched::AllExpiration),
    ("s3:LifecycleExpiration:Delete", Watched::One(EventKind::ExpirationDelete)),
    ("s3:LifecycleExpiration:DeleteMarkerCreated", Watched::One(EventKind::ExpirationMarker)),
];
/// What S3 tells of and what never happens here.
const NEVER: [&str; 5] =
    ["s3:ReducedRedundancyLostObject", "s3:ObjectRestore:", "s3:Replication:", "s3:LifecycleTransition", "s3:IntelligentTiering"];

const UNKNOWN_DESTINATION: &str = "Unable to validate the following destination configurations";
const OVERLAP: &str = "Configurations overlap. Configurations on the same bucket cannot share a common event type.";
const OVERLAP_FILTERED: &str = "An object key name filtering rule defined with overlapping prefixes, overlapping suffixes, or overlapping \
                                combinations of prefixes and suffixes for the same event types.";

/// Reads a document; `None` turns notifications off. `known` says which webhooks there are.
pub(super) fn read(
    document: &NotificationConfiguration,
    region: &str,
    known: impl Fn(&str) -> bool,
) -> S3Result<Option<Notifications>> {
    refuse_others(document)?;
    let queues = document.queue_configurations.as_deref().unwrap_or_default();
    if queues.len() > NOTIFICATION_RULES_MAX {
        return Err(invalid_argument("A bucket can have at most 100 notification configurations."));
    }
    let mut rules: Vec<NotificationRule> = Vec::with_capacity(queues.len());
    for queue in queues {
        let rule = read_rule(queue, region, &known)?;
        if rules.iter().any(|other| other.id == rule.id) {
            return Err(invalid_argument("Same ID used for multiple configurations. IDs must be unique"));
        }
        if let Some(other) = rules.iter().find(|other| overlap(other, &rule)) {
            let filtered = |rule: &NotificationRule| rule.prefix.is_some() || rule.suffix.is_some();
            return Err(invalid_argument(if filtered(&rule) || filtered(other) { OVERLAP_FILTERED } else { OVERLAP }));
        }
        rules.push(rule);
    }
    Ok(Some(Notifications { rules }).filter(|notifications| !notifications.rules.is_empty()))
}

/// There are webhooks and nothing else to tell.
fn refuse_others(document: &NotificationConfiguration) -> S3Result<()> {
    let not_implemented = |what: &'static str| Err(fail(S3ErrorCode::NotImplemented, what));
    if document.topic_configurations.as_ref().is_some_and(|topics| !topics.is_empty()) {
        return not_implemented("Topics are not implemented: name a webhook in a QueueConfiguration");
    }
    if document.lambda_function_configurations.as_ref().is_some_and(|functions| !functions.is_empty()) {
        return not_implemented("Functions are not implemented: name a webhook in a QueueConfiguration");
    }
    if document.event_bridge_configuration.is_some() {
        return not_implemented("EventBridge is not implemented: name a webhook in a QueueConfiguration");
    }
    Ok(())
}

fn read_rule(queue: &QueueConfiguration, region: &str, known: &impl Fn(&str) -> bool) -> S3Result<NotificationRule> {
    let id = queue.id.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| hex::encode(rand::random::<[u8; 16]>()));
    if id.chars().count() > RULE_ID_CHARS_MAX {
        return Err(invalid_argument("ID length should not exceed allowed limit of 255"));
    }
    let webhook = webhook_of(&queue.queue_arn, region)?;
    if !known(webhook) {
        return Err(invalid_argument(UNKNOWN_DESTINATION));
    }
    let watched = queue.events.iter().map(read_event).collect::<S3Result<Vec<_>>>()?;
    if watched.is_empty() {
        return Err(malformed_xml());
    }
    let twice = watched.iter().enumerate().any(|(at, one)| watched[..at].iter().any(|other| crate::events::share(*one, *other)));
    if twice {
        return Err(invalid_argument(OVERLAP));
    }
    let (prefix, suffix) = read_filter(queue.filter.as_ref())?;
    Ok(NotificationRule { id, webhook: webhook.to_owned(), watched, prefix, suffix })
}

/// The webhook in `arn:nodio:sqs:REGION:NAME:webhook`.
fn webhook_of<'a>(arn: &'a str, region: &str) -> S3Result<&'a str> {
    let fields: Vec<&str> = arn.split(':').collect();
    match fields[..] {
        ["arn", "nodio", "sqs", there, name, "webhook"] if there == region => Ok(name),
        ["arn", "nodio", "sqs", _, _, "webhook"] => {
            Err(invalid_argument("The notification destination service region is not valid for the bucket location constraint"))
        }
        ["arn", _, _, _, _, ..] => Err(invalid_argument(UNKNOWN_DESTINATION)),
        _ => Err(invalid_argument("The ARN could not be parsed")),
    }
}

fn arn(webhook: &str, region: &str) -> String {
    format!("arn:nodio:sqs:{region}:{webhook}:webhook")
}

fn read_event(event: &Event) -> S3Result<Watched> {
    let name = event.as_ref();
    if let Some((_, watched)) = WATCHED.iter().find(|(known, _)| *known == name) {
        return Ok(*watched);
    }
    if NEVER.iter().any(|never| name.starts_with(never)) {
        return Err(fail(S3ErrorCode::NotImplemented, format!("The event {name} never happens here")));
    }
    Err(invalid_argument("The event is not supported for notifications"))
}

fn read_filter(filter: Option<&NotificationConfigurationFilter>) -> S3Result<(Option<String>, Option<String>)> {
    let rules = filter.and_then(|filter| filter.key.as_ref()).and_then(|key| key.filter_rules.as_deref()).unwrap_or_default();
    let (mut prefix, mut suffix) = (None, None);
    for rule in rules {
        let value = rule.value.clone().unwrap_or_default();
        if value.len() > FILTER_VALUE_BYTES_MAX {
            return Err(invalid_argument("Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation"));
        }
        let name = rule.name.as_ref().map(|name| name.as_str().to_ascii_lowercase()).unwrap_or_default();
        let taken = match name.as_str() {
            FilterRuleName::PREFIX => prefix.replace(value),
            FilterRuleName::SUFFIX => suffix.replace(value),
            _ => return Err(invalid_argument("filter rule name must be either prefix or suffix")),
        };
        if taken.is_some() {
            return Err(twice(&name));
        }
    }
    Ok((prefix, suffix))
}

fn twice(name: &str) -> S3Error {
    invalid_argument(format!("Cannot specify more than one {name} rule in a filter."))
}

/// As GetBucketNotificationConfiguration answers.
pub(super) fn show(notifications: Notifications, region: &str) -> GetBucketNotificationConfigurationOutput {
    let queues = notifications.rules.into_iter().map(|rule| show_rule(rule, region)).collect();
    GetBucketNotificationConfigurationOutput {
        queue_configurations: Some(queues),
        ..GetBucketNotificationConfigurationOutput::default()
    }
}

fn show_rule(rule: NotificationRule, region: &str) -> QueueConfiguration {
    let one = |name: &'static str, value: Option<String>| {
        value.map(|value| FilterRule { name: Some(FilterRuleName::from_static(name)), value: Some(value) })
    };
    let filter_rules: Vec<FilterRule> = one("Prefix", rule.prefix).into_iter().chain(one("Suffix", rule.suffix)).collect();
    let filter = (!filter_rules.is_empty())
        .then_some(NotificationConfigurationFilter { key: Some(S3KeyFilter { filter_rules: Some(filter_rules) }) });
    let name =
        |watched: &Watched| WATCHED.iter().find(|(_, known)| known == watched).map(|(name, _)| Event::from((*name).to_owned()));
    QueueConfiguration {
        events: rule.watched.iter().filter_map(name).collect(),
        filter,
        id: Some(rule.id),
        queue_arn: arn(&rule.webhook, region),
    }
}
