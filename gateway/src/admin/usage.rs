//! Users and buckets with what they hold and may hold, and how a user comes to a login name.

use super::desk::Refusal;
use super::words::{Amounts, Limits, QuotaChange, Reply, UsageView, UserView};
use crate::limits::{PAGE_BUCKETS_MAX, PAGE_USERS_MAX};
use crate::names::{BucketName, UserId};
use crate::rows::{BucketRow, Quota, UserRow};
use crate::tables::{self, TableError, Tables, Usage};

/// Characters of a login name.
const NAME_CHARS_MAX: usize = 64;

pub(super) async fn users(tables: &Tables, after: Option<&str>) -> Result<Reply, Refusal> {
    let after = after.map(UserId::parse).transpose()?;
    let rows = tables.all_users(after.as_ref(), PAGE_USERS_MAX).await?;
    let next = rows.last().filter(|_| rows.len() == PAGE_USERS_MAX).map(|last| last.id.as_str().to_owned());
    let mut users = Vec::with_capacity(rows.len());
    for row in rows {
        users.push(user_view(tables, row).await?);
    }
    Ok(Reply::Users { users, next })
}

pub(super) async fn buckets(tables: &Tables, after: Option<&str>) -> Result<Reply, Refusal> {
    let after = after.map(BucketName::parse).transpose()?;
    let rows = tables.all_buckets(after.as_ref(), PAGE_BUCKETS_MAX).await?;
    let next = rows.last().filter(|_| rows.len() == PAGE_BUCKETS_MAX).map(|last| last.name.as_str().to_owned());
    let mut buckets = Vec::with_capacity(rows.len());
    for row in &rows {
        buckets.push(bucket_view(tables, row).await?);
    }
    Ok(Reply::Usage { buckets, next })
}

pub(super) async fn change_user(tables: &Tables, user: &str, change: QuotaChange) -> Result<Reply, Refusal> {
    let row = tables.user_called(user).await?;
    let change = said(change);
    if !change.is_nothing() {
        tables.change_user_quota(&row.id, change).await?;
    }
    Ok(Reply::Users { users: vec![user_view(tables, row).await?], next: None })
}

pub(super) async fn change_bucket(tables: &Tables, bucket: &str, change: QuotaChange) -> Result<Reply, Refusal> {
    let name = BucketName::parse(bucket)?;
    let change = said(change);
    if !change.is_nothing() {
        tables.change_bucket_quota(&name, change).await?;
    }
    let row = tables.bucket(&name).await?;
    Ok(Reply::Usage { buckets: vec![bucket_view(tables, &row).await?], next: None })
}

fn said(QuotaChange { lift, bytes, objects }: QuotaChange) -> tables::QuotaChange {
    tables::QuotaChange { lift, bytes, objects }
}

async fn user_view(tables: &Tables, row: UserRow) -> Result<UserView, TableError> {
    Ok(UserView {
        usage: amounts(tables.user_usage(&row.id).await?),
        quota: limits(tables.user_quota(&row.id).await?),
        user: row.name,
        display_name: row.display_name,
        user_id: row.id.as_str().to_owned(),
        email: row.email,
        created: row.created,
    })
}

async fn bucket_view(tables: &Tables, row: &BucketRow) -> Result<UsageView, TableError> {
    let owner = tables.user(&row.owner).await?.map_or_else(|| row.owner.as_str().to_owned(), |owner| owner.name);
    Ok(UsageView {
        bucket: row.name.as_str().to_owned(),
        owner,
        created: row.created,
        usage: amounts(tables.bucket_usage(row.id).await?),
        quota: limits(row.setting()?),
    })
}

fn amounts(Usage { bytes, objects }: Usage) -> Amounts {
    Amounts { bytes, objects }
}

fn limits(quota: Option<Quota>) -> Limits {
    let Quota { bytes, objects } = quota.unwrap_or_default();
    Limits { bytes, objects }
}

/// A login name and an id, if it must be a certain one. A name that isn't given is the e-mail address, else the display name, in a login
/// name's characters, else the id. One that was made of a display name must be new: two people may be displayed alike.
pub(super) fn called(
    user: Option<String>,
    email: Option<&str>,
    display_name: Option<&str>,
    user_id: Option<String>,
) -> (String, Option<String>) {
    if let Some(user) = user {
        return (user, user_id);
    }
    if let Some(name) = email.and_then(slug) {
        return (name, user_id);
    }
    let id = user_id.unwrap_or_else(|| UserId::random().as_str().to_owned());
    (display_name.and_then(slug).unwrap_or_else(|| id.clone()), Some(id))
}

/// Lower-case; what a login name can't have is one hyphen. `None` if nothing is left.
fn slug(text: &str) -> Option<String> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "+=,.@_-".contains(letter);
    let words = text.split(|letter| !allowed(letter)).map(|word| word.trim_matches('-')).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    name.truncate(NAME_CHARS_MAX);
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_name_that_is_not_given_is_made_of_what_is() {
        let named = |email, display_name, id: Option<&str>| called(None, email, display_name, id.map(str::to_owned));
        assert_eq!(named(Some("Ann.B@example.org"), Some("Ann"), None), ("ann.b@example.org".into(), None));
        assert_eq!(named(None, Some("Ann  O'Neil (ops)"), Some("id1")), ("ann-o-neil-ops".into(), Some("id1".into())));
        assert_eq!(named(None, None, Some("id1")), ("id1".into(), Some("id1".into())));
        let (name, id) = named(None, Some("安"), None);
        assert!(name.len() == 64 && id == Some(name));
        assert!(named(None, Some("Ann"), None).1.is_some(), "another Ann gets no key of hers");
        assert_eq!(called(Some("x".into()), Some("a@b"), None, None), ("x".into(), None));
    }
}
