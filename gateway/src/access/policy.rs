//! Policies: JSON documents, parsed once into statements.
//!
//! Source: "IAM JSON policy elements reference" in the IAM User Guide, "Bucket policies for Amazon S3" in the S3 User Guide.

use serde_json::{Map, Value};

use super::condition::{self, Condition, Context, texts};
use super::{keys, pattern};
use crate::names::UserId;

/// "Bucket policies for Amazon S3": at most 20 KB.
pub(crate) const POLICY_BYTES_MAX: usize = 20 * 1024;

const RESOURCE_PREFIX: &str = "arn:aws:s3:::";

/// Why a document is no policy, in words for its writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadPolicy(pub(super) &'static str);

/// A policy of a bucket, or of an access key (which names no principals).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(super) statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) allow: bool,
    pub(super) principals: Principals,
    actions: Listed,
    resources: Listed,
    pub(super) conditions: Vec<Condition>,
    /// `${KEY}` in resources is a variable: since the language's version of 2012.
    variables: bool,
}

/// Patterns that must match, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    patterns: Vec<String>,
    negated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Principals {
    /// An access key's own policy: whoever holds the key.
    Holder,
    Everybody,
    These(Vec<String>),
    AllBut(Vec<String>),
}

/// Who asks, as policies name people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
}

/// The service that puts access logs into buckets.
pub(super) const LOG_DELIVERY: Person<'static> = Person { id: "service:logging.s3.amazonaws.com", name: "" };

/// What statements are held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// Nobody if the request isn't signed.
    pub(super) person: Option<Person<'a>>,
    pub(super) action: &'a str,
    /// `arn:aws:s3:::bucket` or `arn:aws:s3:::bucket/key`.
    pub(super) resource: &'a str,
    pub(super) context: &'a Context,
}

/// What a policy says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Deny,
    Allow,
    Nothing,
}

impl Policy {
    /// A bucket's policy: every statement names principals, and resources within the bucket.
    ///
    /// # Errors
    /// [`BadPolicy`], S3's `MalformedPolicy`.
    pub(crate) fn of_bucket(text: &str, bucket: &str) -> Result<Self, BadPolicy> {
        let policy = Self::parse(text)?;
        for statement in &policy.statements {
            if statement.principals == Principals::Holder {
                return Err(BadPolicy("Missing required field Principal"));
            }
            if !statement.resources.patterns.iter().all(|pattern| is_within(pattern, bucket)) {
                return Err(BadPolicy("Policy has invalid resource"));
            }
        }
        Ok(policy)
    }

    /// An access key's own policy.
    ///
    /// # Errors
    /// [`BadPolicy`].
    pub(crate) fn of_key(text: &str) -> Result<Self, BadPolicy> {
        let policy = Self::parse(text)?;
        let named = policy.statements.iter().any(|statement| statement.principals != Principals::Holder);
        if named { Err(BadPolicy("A key's policy has no Principal")) } else { Ok(policy) }
    }

    fn parse(text: &str) -> Result<Self, BadPolicy> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(BadPolicy("Policies are limited to 20 KB"));
        }
        let document: Value =
            serde_json::from_str(text).map_err(|_| BadPolicy("Policies must be valid JSON and the first byte must be '{'"))?;
        let document = document.as_object().ok_or(BadPolicy("Policies must be valid JSON and the first byte must be '{'"))?;
        only(document, &["Version", "Id", "Statement"])?;
        let variables = match document.get("Version").map(Value::as_str) {
            Some(Some("2012-10-17")) => true,
            None | Some(Some("2008-10-17")) => false,
            _ => return Err(BadPolicy("The policy must contain a valid version string")),
        };
        let statement = |value: &Value| statement(value, variables);
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) if !statements.is_empty() => statements.iter().map(statement).collect(),
            Some(one @ Value::Object(_)) => Ok(vec![statement(one)?]),
            _ => Err(BadPolicy("Missing required field Statement")),
        };
        Ok(Self { statements: statements? })
    }

    /// Whether all its conditions are about what requests have. For a policy that is being written: one that was stored by a version that
    /// knew more goes on as it is.
    ///
    /// # Errors
    /// [`BadPolicy`].
    pub(crate) fn check_keys(&self) -> Result<(), BadPolicy> {
        let mut conditions = self.statements.iter().flat_map(|statement| &statement.conditions);
        let known = conditions.all(|condition| keys::is_known(&condition.key));
        if known { Ok(()) } else { Err(BadPolicy("Policy has an invalid condition key")) }
    }

    /// True if a condition's key begins so.
    pub(super) fn mentions(&self, start: &str) -> bool {
        let conditions = self.statements.iter().flat_map(|statement| &statement.conditions);
        conditions.into_iter().any(|condition| condition.key.starts_with(start))
    }

    /// What can't be read allows nothing.
    pub(crate) fn nothing() -> Self {
        let nobody = Listed { patterns: Vec::new(), negated: true };
        let all = || nobody.clone();
        let conditions = Vec::new();
        let deny = Statement {
            allow: false,
            principals: Principals::Holder,
            actions: all(),
            resources: all(),
            conditions,
            variables: false,
        };
        Self { statements: vec![deny] }
    }

    /// Deny, from whichever statement, wins.
    pub(super) fn says(&self, question: &Question<'_>) -> Says {
        let mut says = Says::Nothing;
        for statement in self.statements.iter().filter(|statement| statement.is_of(question)) {
            if !statement.allow {
                return Says::Deny;
            }
            says = Says::Allow;
        }
        says
    }
}

fn is_within(pattern: &str, bucket: &str) -> bool {
    let Some(resource) = pattern.strip_prefix(RESOURCE_PREFIX) else { return false };
    let named = resource.split_once('/').map_or(resource, |(named, _)| named);
    pattern::matches(named, bucket)
}

fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), BadPolicy> {
    let strange = object.keys().any(|key| !known.contains(&key.as_str()));
    if strange { Err(BadPolicy("Policy has an unknown field")) } else { Ok(()) }
}

const STATEMENT_FIELDS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

fn statement(value: &Value, variables: bool) -> Result<Statement, BadPolicy> {
    let fields = value.as_object().ok_or(BadPolicy("A statement must be an object"))?;
    only(fields, &STATEMENT_FIELDS)?;
    let allow = match fields.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        Some(_) => return Err(BadPolicy("Invalid effect")),
        None => return Err(BadPolicy("Missing required field Effect")),
    };
    let actions = listed(fields, "Action", "NotAction", BadPolicy("Missing required field Action"))?;
    if !actions.patterns.iter().all(|action| action == "*" || action.split_once(':').is_some_and(|(service, _)| service == "s3"))
    {
        return Err(BadPolicy("Policy has invalid action"));
    }
    Ok(Statement {
        allow,
        principals: principals(fields, allow)?,
        actions,
        resources: listed(fields, "Resource", "NotResource", BadPolicy("Missing required field Resource"))?,
        conditions: fields.get("Condition").map_or(Ok(Vec::new()), |block| condition::parse(block, variables))?,
        variables,
    })
}

/// One of a pair of fields that exclude each other.
fn listed(fields: &Map<String, Value>, name: &str, not_name: &str, missing: BadPolicy) -> Result<Listed, BadPolicy> {
    let (value, negated) = match (fields.get(name), fields.get(not_name)) {
        (Some(value), None) => (value, false),
        (None, Some(value)) => (value, true),
        (None, None) => return Err(missing),
        (Some(_), Some(_)) => return Err(BadPolicy("A statement has a field and its opposite")),
    };
    let patterns = texts(value).filter(|patterns| !patterns.is_empty()).ok_or(missing)?;
    Ok(Listed { patterns, negated })
}

fn principals(fields: &Map<String, Value>, allow: bool) -> Result<Principals, BadPolicy> {
    match (fields.get("Principal"), fields.get("NotPrincipal")) {
        (None, None) => Ok(Principals::Holder),
        (Some(value), None) => people(value)
            .map(|people| if people.iter().any(|one| one == "*") { Principals::Everybody } else { Principals::These(people) }),
        (None, Some(_)) if allow => Err(BadPolicy("Allow with NotPrincipal is not allowed")),
        (None, Some(value)) => people(value).map(Principals::AllBut),
        (Some(_), Some(_)) => Err(BadPolicy("A statement has a field and its opposite")),
    }
}

fn people(value: &Value) -> Result<Vec<String>, BadPolicy> {
    let invalid = BadPolicy("Invalid principal in policy");
    match value {
        Value::String(all) if all == "*" => Ok(vec!["*".to_owned()]),
        Value::Object(kinds) if !kinds.is_empty() => {
            let mut people = Vec::new();
            for (kind, named) in kinds {
                let named = texts(named).filter(|named| !named.is_empty()).ok_or(invalid)?;
                match kind.as_str() {
                    "AWS" if named.iter().all(|one| one == "*" || is_person(one)) => people.extend(named),
                    "CanonicalUser" => people.extend(named),
                    // Apart from the ids of users by the colon, which these can't have.
                    "Service" if named.iter().all(|one| is_service(one)) => {
                        people.extend(named.iter().map(|one| format!("service:{one}")));
                    }
                    _ => return Err(invalid),
                }
            }
            Ok(people)
        }
        _ => Err(invalid),
    }
}

/// A name such as `logging.s3.amazonaws.com`.
fn is_service(text: &str) -> bool {
    let label = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    text.contains('.') && text.split('.').all(label)
}

/// An ARN of a user or of an account's root, or an account's id by itself.
fn is_person(text: &str) -> bool {
    match text.strip_prefix("arn:aws:iam::") {
        Some(rest) => rest
            .split_once(':')
            .is_some_and(|(_, who)| who == "root" || who.strip_prefix("user/").is_some_and(|name| !name.is_empty())),
        None => UserId::parse(text).is_ok(),
    }
}

impl Statement {
    fn is_of(&self, question: &Question<'_>) -> bool {
        self.principals.include(question.person)
            && self.actions.hold(|pattern| pattern::matches_any_case(pattern, question.action))
            && self.resources.hold(|pattern| self.names(pattern, question))
            && self.conditions.iter().all(|condition| condition.holds(question.context))
    }

    fn names(&self, pattern: &str, question: &Question<'_>) -> bool {
        if self.variables {
            pattern::matches_filled(pattern, question.resource, question.context)
        } else {
            pattern::matches(pattern, question.resource)
        }
    }
}

impl Listed {
    fn hold(&self, matches: impl Fn(&String) -> bool) -> bool {
        self.patterns.iter().any(matches) != self.negated
    }
}

impl Principals {
    fn include(&self, person: Option<Person<'_>>) -> bool {
        let named = |people: &[String]| person.is_some_and(|person| people.iter().any(|one| person.is(one)));
        match self {
            Self::Holder | Self::Everybody => true,
            Self::These(people) => named(people),
            Self::AllBut(people) => !named(people),
        }
    }
}

impl Person<'_> {
    /// Each user is an account of his own: its id, its root, and `user/NAME` in any account name the user.
    fn is(&self, named: &str) -> bool {
        match named.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':')) {
            Some((account, "root")) => account == self.id || account == self.name,
            Some((_, user)) => user.strip_prefix("user/").is_some_and(|user| user == self.name || user == self.id),
            None => named == self.id || named == "*",
        }
    }
}
