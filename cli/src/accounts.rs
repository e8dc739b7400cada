//! What `nodio users` and `nodio buckets` have in common: quotas, and tables of what is held.

use nodio_gateway::admin::{Amounts, Limits, QuotaChange, UsageView, UserView};
use nodio_node::ByteSize;

use crate::table::{size, table};
use crate::words::grouped;

/// A quota as it is to be; without any of these it is only shown.
#[derive(Debug, clap::Args)]
pub(crate) struct QuotaArgs {
    /// Most bytes, such as "50 GiB": of all versions, and of the parts of uploads under way.
    #[arg(long)]
    bytes: Option<ByteSize>,
    /// Most objects; each version is one, delete markers are none.
    #[arg(long)]
    objects: Option<u64>,
    /// No limits any more.
    #[arg(long, conflicts_with_all = ["bytes", "objects"])]
    none: bool,
}

impl QuotaArgs {
    pub(crate) fn change(&self) -> QuotaChange {
        QuotaChange { lift: self.none, bytes: self.bytes.map(|size| size.0), objects: self.objects }
    }
}

pub(crate) fn users(users: &[UserView]) -> String {
    let mut users: Vec<&UserView> = users.iter().collect();
    users.sort_by(|one, other| one.user.cmp(&other.user));
    let row = |user: &&UserView| {
        let [bytes, objects] = held(user.usage, user.quota);
        vec![user.user.clone(), user.display_name.clone(), bytes, objects, user.user_id.clone()]
    };
    let rows: Vec<_> = users.iter().map(row).collect();
    if rows.is_empty() {
        "there are no users\n".to_owned()
    } else {
        table(&["USER", "DISPLAY NAME", "USED", "OBJECTS", "ID"], &rows)
    }
}

pub(crate) fn buckets(buckets: &[UsageView]) -> String {
    let row = |bucket: &UsageView| {
        let [bytes, objects] = held(bucket.usage, bucket.quota);
        vec![bucket.bucket.clone(), bucket.owner.clone(), bytes, objects]
    };
    let rows: Vec<_> = buckets.iter().map(row).collect();
    if rows.is_empty() { "there are no buckets\n".to_owned() } else { table(&["BUCKET", "OWNER", "USED", "OBJECTS"], &rows) }
}

/// Bytes and objects, each with its limit if it has one.
fn held(usage: Amounts, quota: Limits) -> [String; 2] {
    let of = |used: String, limit: Option<String>| limit.map_or(used.clone(), |limit| format!("{used} of {limit}"));
    [of(size(usage.bytes), quota.bytes.map(size)), of(grouped(usage.objects), quota.objects.map(grouped))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_buckets_are_told_with_their_limits() {
        let usage = Amounts { bytes: 1536, objects: 1200 };
        let user = |name: &str, quota| UserView {
            user: name.into(),
            display_name: name.to_uppercase(),
            user_id: format!("id-{name}"),
            email: None,
            created: 0,
            usage,
            quota,
        };
        let limited = Limits { bytes: Some(50 << 30), objects: Some(100_000) };
        assert_eq!(
            users(&[user("bob", Limits::default()), user("ann", limited)]),
            "USER  DISPLAY NAME  USED                 OBJECTS           ID\n\
             ann   ANN           1.5 KiB of 50.0 GiB  1,200 of 100,000  id-ann\n\
             bob   BOB           1.5 KiB              1,200             id-bob\n"
        );
        let bucket = UsageView {
            bucket: "photos".into(),
            owner: "ann".into(),
            created: 0,
            usage,
            quota: Limits { bytes: None, objects: Some(0) },
        };
        assert_eq!(buckets(&[bucket]), "BUCKET  OWNER  USED     OBJECTS\nphotos  ann    1.5 KiB  1,200 of 0\n");
        assert_eq!((users(&[]), buckets(&[])), ("there are no users\n".into(), "there are no buckets\n".into()));
    }
}
