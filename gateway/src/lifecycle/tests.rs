//! Rules against versions, in days of a second: times are milliseconds.

use super::*;
use crate::names::{ObjectUid, UserId, VersionId};
use crate::rows::{ContentHeaders, ETag, FilterForm, LiveObject, Lock, ObjectBody, ObjectState, Sse};

fn clock() -> Clock {
    Clock::with_days_of(1)
}

fn filter(prefix: &str) -> RuleFilter {
    let prefix = Some(prefix.to_owned());
    RuleFilter { form: FilterForm::Filter, prefix, tags: Vec::new(), larger_than: None, smaller_than: None }
}

fn rule(prefix: &str) -> LifecycleRule {
    let (expiration, noncurrent, abort_after_days) = (None, None, None);
    LifecycleRule { id: prefix.to_owned(), enabled: true, filter: filter(prefix), expiration, noncurrent, abort_after_days }
}

fn expiring(prefix: &str, expiration: Expiration) -> LifecycleRule {
    LifecycleRule { expiration: Some(expiration), ..rule(prefix) }
}

fn noncurrent(days: u32, kept: Option<u32>) -> LifecycleRule {
    LifecycleRule { noncurrent: Some(NoncurrentExpiration { days, kept }), ..rule("") }
}

fn marker() -> ObjectRow {
    let owner = UserId::parse(&"a1".repeat(32)).unwrap();
    ObjectRow { uid: ObjectUid([1; 16]), version: VersionId::Null, modified: 10_000, owner, state: ObjectState::DeleteMarker }
}

fn object(size: u64, tags: &[(&str, &str)]) -> ObjectRow {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let live = LiveObject { tags, ..LiveObject::plain(size, ETag::single([0; 16]), ObjectBody::Empty) };
    ObjectRow { state: ObjectState::Live(Box::new(live)), ..marker() }
}

fn judged(rules: &[LifecycleRule], key: &str, row: &ObjectRow, place: Place, now: UnixMs) -> Verdict {
    verdict(&Lifecycle { rules: rules.to_vec() }, key, row, place, clock(), now)
}

const CURRENT: Place = Place::Current { alone: true };

#[test]
fn days_end_at_the_next_midnight() {
    const DAY: UnixMs = 86_400_000;
    for (from, days, end) in [(10 * DAY, 1, 11 * DAY), (10 * DAY + 1, 1, 12 * DAY), (11 * DAY - 1, 2, 13 * DAY), (0, 1, DAY)] {
        assert_eq!(Clock::REAL.after(from, days), end, "{from} {days}");
    }
    assert_eq!(Clock::REAL.after(UnixMs::MAX, u32::MAX) % DAY, UnixMs::MAX % DAY);
    assert_eq!(clock().after(10_001, 1), 11_001, "short days have no midnights");
}

#[test]
fn a_current_object_expires_by_age_or_date() {
    let days = [expiring("a/", Expiration::Days(2))];
    let date = [expiring("", Expiration::Date(5_000))];
    let off = [LifecycleRule { enabled: false, ..expiring("", Expiration::Days(1)) }];
    for (rules, key, now, wanted) in [
        (&days, "a/x", 11_999, Verdict::Keep),
        (&days, "a/x", 12_000, Verdict::Expire),
        (&days, "b/x", 99_000, Verdict::Keep),
        (&date, "x", 4_999, Verdict::Keep),
        (&date, "x", 5_000, Verdict::Expire),
        (&off, "x", 99_000, Verdict::Keep),
    ] {
        assert_eq!(judged(rules, key, &object(1, &[]), CURRENT, now), wanted, "{key} {now}");
    }
}

#[test]
fn a_filter_holds_in_all_it_says() {
    let tags = vec![("k".to_owned(), "v".to_owned()), ("l".to_owned(), "w".to_owned())];
    let tagged = RuleFilter { tags, ..filter("p") };
    let sized = RuleFilter { larger_than: Some(10), smaller_than: Some(20), ..filter("") };
    for (filter, key, size, tags, covered) in [
        (&tagged, "p", 1, &[("l", "w"), ("k", "v"), ("m", "x")][..], true),
        (&tagged, "p", 1, &[("k", "v")], false),
        (&tagged, "p", 1, &[("k", "v"), ("l", "v")], false),
        (&tagged, "q", 1, &[("l", "w"), ("k", "v")], false),
        (&sized, "x", 10, &[], false),
        (&sized, "x", 11, &[], true),
        (&sized, "x", 19, &[], true),
        (&sized, "x", 20, &[], false),
    ] {
        assert_eq!(filter.covers(key, &object(size, tags)), covered, "{filter:?} {key} {size} {tags:?}");
    }
    assert!(!sized.covers("x", &marker()) && !tagged.covers("p", &marker()) && filter("").covers("x", &marker()));
}

#[test]
fn noncurrent_versions_go_by_the_time_they_became_so_and_by_number() {
    let at = |since, newer| Place::Noncurrent { since, newer };
    for (rule, place, now, wanted) in [
        (noncurrent(2, None), at(20_000, 0), 21_999, Verdict::Keep),
        (noncurrent(2, None), at(20_000, 0), 22_000, Verdict::Remove),
        (noncurrent(2, Some(2)), at(20_000, 1), 99_000, Verdict::Keep),
        (noncurrent(2, Some(2)), at(20_000, 2), 99_000, Verdict::Remove),
        (noncurrent(2, Some(2)), at(20_000, 2), 21_000, Verdict::Keep),
        (expiring("", Expiration::Days(1)), at(20_000, 0), 99_000, Verdict::Keep),
    ] {
        for row in [object(1, &[]), marker()] {
            assert_eq!(judged(std::slice::from_ref(&rule), "x", &row, place, now), wanted, "{rule:?} {place:?} {now}");
        }
    }
    assert_eq!(judged(&[noncurrent(1, None)], "x", &object(1, &[]), CURRENT, 99_000), Verdict::Keep);
}

#[test]
fn a_delete_marker_goes_once_it_is_alone() {
    let crowded = Place::Current { alone: false };
    for (expiration, place, now, wanted) in [
        (Expiration::LoneMarker(true), CURRENT, 10_000, Verdict::Remove),
        (Expiration::LoneMarker(true), crowded, 99_000, Verdict::Keep),
        (Expiration::LoneMarker(false), CURRENT, 99_000, Verdict::Keep),
        (Expiration::Days(2), CURRENT, 11_999, Verdict::Keep),
        (Expiration::Days(2), CURRENT, 12_000, Verdict::Remove),
        (Expiration::Days(2), crowded, 99_000, Verdict::Keep),
        (Expiration::Date(1_000), CURRENT, 99_000, Verdict::Keep),
    ] {
        assert_eq!(judged(&[expiring("", expiration)], "x", &marker(), place, now), wanted, "{expiration:?} {place:?} {now}");
    }
    assert_eq!(judged(&[expiring("", Expiration::LoneMarker(true))], "x", &object(1, &[]), CURRENT, 99_000), Verdict::Keep);
}

#[test]
fn the_expiry_shown_is_the_first_to_come() {
    let rules = [
        expiring("", Expiration::Days(5)),
        expiring("a", Expiration::Days(3)),
        expiring("b", Expiration::Days(1)),
        LifecycleRule { enabled: false, ..expiring("a/", Expiration::Days(1)) },
        expiring("", Expiration::LoneMarker(true)),
    ];
    let rules = Lifecycle { rules: rules.to_vec() };
    assert_eq!(expiry(&rules, "a/x", &object(1, &[]), clock()), Some((13_000, "a")));
    assert_eq!(expiry(&rules, "c", &object(1, &[]), clock()), Some((15_000, "")));
    assert_eq!(expiry(&rules, "c", &marker(), clock()), None);
    assert_eq!(expiry(&Lifecycle::default(), "c", &object(1, &[]), clock()), None);
}

#[test]
fn uploads_end_by_their_beginning() {
    let upload = UploadRow {
        uid: ObjectUid([1; 16]),
        initiated: 10_000,
        owner: UserId::parse(&"a1".repeat(32)).unwrap(),
        headers: ContentHeaders::default(),
        user_meta: Vec::new(),
        tags: Vec::new(),
        acl: None,
        lock: Lock::default(),
        sse: Sse::Implicit,
        storage_class: None,
        checksum: None,
    };
    let rules = Lifecycle { rules: vec![LifecycleRule { abort_after_days: Some(2), ..rule("a/") }] };
    assert_eq!(abortion(&rules, "a/x", &upload, clock()), Some((12_000, "a/")));
    assert_eq!(abortion(&rules, "b/x", &upload, clock()), None);
}
