use std::collections::HashSet;

use zeroize::Zeroizing;

use super::world::master;
use super::*;

fn key_of(user: &str, given: Option<(&str, &str)>) -> NewKey {
    let given = given.map(|(access_key, secret)| (access_key.to_owned(), Zeroizing::new(secret.to_owned())));
    NewKey { user: user.to_owned(), display_name: None, given, ..NewKey::default() }
}

#[tokio::test]
async fn a_new_key_is_found_with_its_secret_and_its_user() {
    let tables = World::new().await.tables;
    let key = tables.create_key(&key_of("ann", None), 5).await.unwrap();
    let id = &key.info.access_key;
    assert!(id.len() == 20 && id.starts_with("NO") && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    assert_eq!(key.secret.len(), 40);
    let found = tables.find_key(id, 6).await.unwrap().unwrap();
    assert_eq!((found.secret.as_str(), found.user.name.as_str()), (key.secret.as_str(), "ann"));
    assert_eq!(found.user.id.as_str(), key.info.user_id);
    assert!(tables.find_key("NOSUCHKEY", 6).await.unwrap().is_none());
    assert!(!format!("{key:?} {found:?}").contains(key.secret.as_str()));
}

#[tokio::test]
async fn keys_of_one_user_name_are_one_users() {
    let tables = World::new().await.tables;
    let mut ids = HashSet::new();
    for _ in 0..3 {
        ids.insert(tables.create_key(&key_of("ann", None), 5).await.unwrap().info.user_id);
    }
    ids.insert(tables.create_key(&key_of("bob", None), 5).await.unwrap().info.user_id);
    assert_eq!(ids.len(), 2);
    assert_eq!(tables.list_keys().await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_given_key_is_taken_again_by_the_same_user_with_the_same_secret_only() {
    let tables = World::new().await.tables;
    let given = key_of("ann", Some(("my-key", "my-secret-1")));
    let first = tables.create_key(&given, 5).await.unwrap();
    let again = tables.create_key(&given, 9).await.unwrap();
    assert_eq!((again.info, again.secret), (first.info, first.secret));
    for (user, secret) in [("ann", "my-secret-2"), ("bob", "my-secret-1")] {
        let taken = tables.create_key(&key_of(user, Some(("my-key", secret))), 9).await;
        assert!(matches!(taken, Err(TableError::AccessKeyTaken)));
    }
    tables.revoke_key("my-key", 10).await.unwrap();
    assert!(matches!(tables.create_key(&given, 11).await, Err(TableError::AccessKeyTaken)));
}

#[tokio::test]
async fn a_revoked_key_ends_at_once_here_and_soon_elsewhere() {
    let world = World::new().await;
    let (tables, elsewhere) = (world.tables, Tables::new(world.store, master(1)));
    let id = tables.create_key(&key_of("ann", None), 5).await.unwrap().info.access_key;
    for gateway in [&tables, &elsewhere] {
        assert!(gateway.find_key(&id, 1_000).await.unwrap().is_some());
    }
    assert_eq!(tables.revoke_key(&id, 1_001).await.unwrap().revoked, Some(1_001));
    assert_eq!(tables.revoke_key(&id, 2_000).await.unwrap().revoked, Some(1_001));
    assert!(tables.find_key(&id, 1_002).await.unwrap().is_none());
    assert!(elsewhere.find_key(&id, 6_001).await.unwrap().is_none());
    assert!(matches!(tables.revoke_key("NOSUCHKEY", 1).await, Err(TableError::NoSuchAccessKey)));
    assert_eq!(tables.list_keys().await.unwrap()[0].revoked, Some(1_001));
}

#[tokio::test]
async fn names_and_keys_that_would_not_work_are_refused() {
    let tables = World::new().await.tables;
    let bad = [
        key_of("", None),
        key_of("a b", None),
        key_of("ann", Some(("a/b", "long-enough"))),
        key_of("ann", Some(("ab", "long-enough"))),
        key_of("ann", Some(("good", "short"))),
        key_of("ann", Some(("good", "with space"))),
    ];
    for new in bad {
        assert!(matches!(tables.create_key(&new, 1).await, Err(TableError::BadAccessKey(_))));
    }
    assert!(tables.list_keys().await.unwrap().is_empty());
}

#[tokio::test]
async fn no_secret_is_stored_in_the_open_and_another_master_key_opens_none() {
    let world = World::new().await;
    world.tables.create_key(&key_of("ann", Some(("my-key", "my-secret-1"))), 5).await.unwrap();
    let open = world.rows(b"").await.into_iter().any(|row| row.value.windows(9).any(|bytes| bytes == b"my-secret"));
    assert!(!open);
    let stranger = Tables::new(world.store, master(2));
    assert!(matches!(stranger.find_key("my-key", 6).await, Err(TableError::Key(_))));
}

#[tokio::test]
async fn one_user_name_made_by_many_at_once_is_one_user() {
    let tables = World::shuffled().await.tables;
    let new = key_of("ann", None);
    let made = futures::future::join_all((0..10).map(|_| tables.create_key(&new, 5))).await;
    let ids: HashSet<_> = made.into_iter().map(|key| key.unwrap().info.user_id).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn users_may_be_given_an_id_and_an_address_that_nobody_else_has() {
    let tables = World::new().await.tables;
    let id = "ab".repeat(32);
    let new = |user: &str, user_id: Option<&str>, email: Option<&str>| NewKey {
        user: user.to_owned(),
        user_id: user_id.map(str::to_owned),
        email: email.map(str::to_owned),
        ..NewKey::default()
    };
    let made = tables.create_key(&new("ann", Some(&id), Some("ann@example.org")), 5).await.unwrap();
    assert_eq!(made.info.user_id, id);
    let second = tables.create_key(&new("ann", Some(&id), None), 5).await.unwrap();
    assert_eq!((second.info.user_id, second.info.access_key == made.info.access_key), (id.clone(), false));
    let found = tables.user_by_email("Ann@example.org").await.unwrap();
    assert_eq!(found.map(|user| user.name), Some("ann".into()));
    for refused in [
        new("bob", Some(&id), None),
        new("bob", Some("not an id"), None),
        new("bob", Some("ann"), None),
        new(&id, None, None),
        new("bob", Some(&"0".repeat(64)), None),
        new("bob", None, Some("ANN@example.org")),
        new("ann", None, Some("other@example.org")),
        NewKey { policy: Some("{}".into()), ..new("bob", None, None) },
    ] {
        assert!(matches!(tables.create_key(&refused, 5).await, Err(TableError::BadAccessKey(_))), "{:?}", refused.user_id);
    }
    assert!(tables.user_by_email("nobody@example.org").await.unwrap().is_none());
    let own = tables.create_key(&new("eve", Some("eve"), None), 5).await.unwrap();
    assert_eq!(own.info.user_id, "eve");
    for (text, user) in [("ann", "ann"), (id.as_str(), "ann"), ("eve", "eve")] {
        assert_eq!(tables.user_called(text).await.unwrap().name, user);
    }
    for nobody in ["bob", "", "not an id"] {
        assert!(matches!(tables.user_called(nobody).await, Err(TableError::NoSuchUser)));
    }
}
