//! Rules and pauses; deliveries are tested over HTTP.

use std::time::Duration;

use super::courier::pause;
use super::{decoded, overlap};
use crate::limits::EVENT_RETRY_MS_MAX;
use crate::rows::{EventKind, NotificationRule, Notifications, Watched};

fn rule(watched: &[Watched], prefix: &str, suffix: &str) -> NotificationRule {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (prefix, suffix) = (given(prefix), given(suffix));
    NotificationRule { id: "r".into(), webhook: "w".into(), watched: watched.to_vec(), prefix, suffix }
}

#[test]
fn an_event_falls_under_the_rule_about_its_kind_and_key() {
    let rules = [
        NotificationRule { id: "made".into(), ..rule(&[Watched::AllCreated], "a/", ".jpg") },
        NotificationRule { id: "copied".into(), ..rule(&[Watched::One(EventKind::CreatedCopy)], "b%2B+/", "") },
        NotificationRule { id: "gone".into(), ..rule(&[Watched::AllRemoved, Watched::AllExpiration], "", "") },
    ];
    let rules = Notifications { rules: rules.to_vec() };
    for (kind, key, id) in [
        (EventKind::CreatedPut, "a/x.jpg", Some("made")),
        (EventKind::CreatedPost, "a/.jpg", Some("made")),
        (EventKind::CreatedPut, "a/x.png", None),
        (EventKind::CreatedPut, "x.jpg", None),
        (EventKind::CreatedCopy, "b+ /x", Some("copied")),
        (EventKind::CreatedCopy, "b%2B+/x", None),
        (EventKind::CreatedPut, "b+ /x", None),
        (EventKind::RemovedMarker, "a/x.jpg", Some("gone")),
        (EventKind::ExpirationDelete, "q", Some("gone")),
        (EventKind::TaggingPut, "a/x.jpg", None),
    ] {
        assert_eq!(rules.about(kind, key).map(|rule| rule.id.as_str()), id, "{kind:?} {key}");
    }
}

#[test]
fn rules_overlap_where_an_event_could_fall_under_both() {
    let put = Watched::One(EventKind::CreatedPut);
    for (one, other, wanted) in [
        (rule(&[put], "", ""), rule(&[put], "", ""), true),
        (rule(&[put], "", ""), rule(&[Watched::AllCreated], "a", ""), true),
        (rule(&[put], "a", ""), rule(&[put], "b", ""), false),
        (rule(&[put], "a", ""), rule(&[put], "ab", ""), true),
        (rule(&[put], "a", ".jpg"), rule(&[put], "ab", ".png"), false),
        (rule(&[put], "a", "jpg"), rule(&[put], "ab", ".jpg"), true),
        (rule(&[put], "a+b", ""), rule(&[put], "a%20", ""), true),
        (rule(&[put], "", ""), rule(&[Watched::One(EventKind::CreatedCopy)], "", ""), false),
        (rule(&[Watched::AllRemoved], "", ""), rule(&[Watched::AllCreated], "", ""), false),
        (rule(&[Watched::AllRemoved], "", ""), rule(&[Watched::AllRemoved], "x", ""), true),
    ] {
        assert_eq!(overlap(&one, &other), wanted, "{one:?} {other:?}");
        assert_eq!(overlap(&other, &one), wanted, "{other:?} {one:?}");
    }
}

#[test]
fn values_of_filters_are_url_encoded() {
    for (written, key) in
        [("a+b", "a b"), ("a%20b%2Bc", "a b+c"), ("%C3%A4", "ä"), ("100%", "100%"), ("%zz+", "%zz+"), ("ä b", "ä b")]
    {
        assert_eq!(&*decoded(written), key.as_bytes(), "{written}");
    }
}

#[test]
fn pauses_double_up_to_a_bound_and_differ() {
    let ms = |failures, random| pause(1000, failures, random).as_millis();
    assert_eq!([ms(1, 1.0), ms(2, 1.0), ms(3, 1.0), ms(1, 0.0), ms(3, 0.0)], [1000, 2000, 4000, 500, 2000]);
    assert_eq!(pause(1000, u32::MAX, 1.0), Duration::from_millis(EVENT_RETRY_MS_MAX));
    assert_eq!(pause(EVENT_RETRY_MS_MAX * 2, 9, 1.0), Duration::from_millis(EVENT_RETRY_MS_MAX * 2));
}
