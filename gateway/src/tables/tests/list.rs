use std::collections::BTreeSet;

use proptest::prelude::*;

use super::world::key;
use super::*;

/// The whole of a listing as S3 defines it, by looking at every key.
fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: &str, after: Option<&Marker>) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        let listed = match after {
            None => true,
            Some(Marker::Key(marker)) => key > marker,
            Some(Marker::CommonPrefix(marker)) => key > marker && !key.starts_with(marker.as_str()),
        };
        let at = key[prefix.len()..].find(delimiter).filter(|_| !delimiter.is_empty());
        let entry = at.map_or(key.as_str(), |at| &key[..prefix.len() + at + delimiter.len()]);
        if listed && entries.last().is_none_or(|last| last != entry) {
            entries.push(entry.to_owned());
        }
    }
    entries
}

fn text(least: usize) -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec!["/", "/", "a", "a", "b", "\0", "\u{1}", "é", "\u{10ffff}", "a/"]);
    proptest::collection::vec(piece, least..5).prop_map(|pieces| pieces.concat())
}

fn marker() -> impl Strategy<Value = Option<Marker>> {
    prop_oneof![
        Just(None),
        text(0).prop_map(|key| Some(Marker::Key(key))),
        text(1).prop_map(|prefix| Some(Marker::CommonPrefix(prefix)))
    ]
}

fn entries(page: &ListPage) -> Vec<String> {
    let keys = page.objects.iter().map(|(key, _)| key.as_str().to_owned());
    let mut entries: Vec<_> = keys.chain(page.common_prefixes.iter().cloned()).collect();
    entries.sort();
    entries
}

async fn filled(keys: &BTreeSet<String>) -> World {
    let world = World::new().await;
    let other = world.tables.create_bucket(world::new_bucket("other", &world.owner), 1).await.unwrap();
    for name in keys {
        world.put(name).await;
        World { bucket: other.clone(), ..world.clone() }.put(name).await;
    }
    world
}

async fn pages_agree(keys: BTreeSet<String>, mut query: ListQuery) {
    let world = filled(&keys).await;
    let whole = model(&keys, &query.prefix, query.delimiter.as_deref().unwrap_or(""), query.after.as_ref());
    let mut listed = Vec::new();
    loop {
        let page = world.tables.list_objects(&world.bucket, &query).await.unwrap();
        let entries = entries(&page);
        assert!(entries.len() == query.limit || page.next.is_none(), "a page with more behind it is full");
        listed.extend(entries);
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
        assert!(listed.len() < whole.len(), "what says there is more has more");
    }
    assert_eq!(listed, whole);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn paging_through_gives_exactly_what_is_there(
        keys in proptest::collection::btree_set(text(1), 0..40),
        prefix in prop_oneof![Just(String::new()), text(0)],
        delimiter in proptest::option::of(prop_oneof![Just("/".to_owned()), text(0)]),
        after in marker(),
        limit in 1usize..8,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(pages_agree(keys, ListQuery { prefix, delimiter, after, limit }));
    }
}

#[tokio::test]
async fn a_page_of_nothing_is_empty_and_says_there_is_no_more() {
    let world = World::new().await;
    world.put("a").await;
    let page = world.tables.list_objects(&world.bucket, &ListQuery::default()).await.unwrap();
    assert_eq!(page, ListPage { objects: vec![], common_prefixes: vec![], next: None });
}

/// Counts what is read.
struct Counted(nodio_meta::MemoryStore, std::sync::atomic::AtomicUsize);

#[async_trait::async_trait]
impl Store for Counted {
    async fn get(&self, key: &[u8]) -> Result<Option<nodio_meta::Versioned>, nodio_meta::StoreError> {
        self.0.get(key).await
    }

    async fn scan(
        &self,
        range: nodio_meta::KeyRange,
        limit: usize,
        direction: nodio_meta::Direction,
    ) -> Result<Vec<nodio_meta::Row>, nodio_meta::StoreError> {
        let rows = self.0.scan(range, limit, direction).await?;
        self.1.fetch_add(rows.len(), std::sync::atomic::Ordering::Relaxed);
        Ok(rows)
    }

    async fn commit(&self, commit: nodio_meta::Commit) -> Result<Version, nodio_meta::CommitError> {
        self.0.commit(commit).await
    }
}

#[tokio::test]
async fn a_common_prefix_is_one_seek_however_many_keys_it_has() {
    let store = Arc::new(Counted(nodio_meta::MemoryStore::new(), Default::default()));
    let world = World::over(store.clone()).await;
    for dir in 0..10 {
        for file in 0..300 {
            world.put(&format!("{dir}/{file:03}")).await;
        }
    }
    store.1.store(0, std::sync::atomic::Ordering::Relaxed);
    let query = ListQuery { delimiter: Some("/".to_owned()), limit: 10, ..ListQuery::default() };
    let page = world.tables.list_objects(&world.bucket, &query).await.unwrap();
    assert_eq!((page.common_prefixes.len(), page.next), (10, None));
    let read = store.1.load(std::sync::atomic::Ordering::Relaxed);
    assert!(read < 100, "{read} of 3000 rows were read");
}

#[tokio::test]
async fn a_key_is_a_few_rows_however_many_versions_it_has() {
    let store = Arc::new(Counted(nodio_meta::MemoryStore::new(), Default::default()));
    let world = World::over(store.clone()).await.versioned(crate::rows::Versioning::Enabled).await;
    for version in 0..300 {
        for name in ["a", "b", "c"] {
            if version == 0 || name != "b" {
                world.put(name).await;
            }
        }
    }
    store.1.store(0, std::sync::atomic::Ordering::Relaxed);
    let query = ListQuery { limit: 10, ..ListQuery::default() };
    let page = world.tables.list_objects(&world.bucket, &query).await.unwrap();
    assert_eq!(entries(&page), ["a", "b", "c"]);
    let read = store.1.load(std::sync::atomic::Ordering::Relaxed);
    assert!(read < 50, "{read} of 601 rows were read");
}

#[test]
fn a_clients_marker_is_a_common_prefix_only_if_a_page_could_have_ended_with_it() {
    let prefix = |text: &str| Marker::CommonPrefix(text.to_owned());
    let cases = [
        ("a/", "", "/", prefix("a/")),
        ("a/b", "", "/", Marker::Key("a/b".to_owned())),
        ("a/b/", "", "/", Marker::Key("a/b/".to_owned())),
        ("a/b/", "a/", "/", prefix("a/b/")),
        ("a/", "a/", "/", Marker::Key("a/".to_owned())),
        ("a/", "", "", Marker::Key("a/".to_owned())),
        ("", "", "/", Marker::Key(String::new())),
        ("x//", "", "//", prefix("x//")),
    ];
    for (marker, listed, delimiter, wanted) in cases {
        assert_eq!(Marker::of_client(marker, listed, delimiter), wanted);
        assert_eq!(wanted.as_str(), marker);
    }
}

#[tokio::test]
async fn uploads_are_listed_by_key_and_age_in_pages() {
    let world = World::new().await;
    let mut begun = Vec::new();
    for at in ["b", "a/1", "b", "b", "a/2", "c"] {
        begun.push((at, world.begin(at).await));
    }
    begun.sort_by(|(a, one), (b, two)| (a, one).cmp(&(b, two)));
    let mut query = UploadQuery { limit: 2, ..UploadQuery::default() };
    let mut seen = Vec::new();
    loop {
        let page = world.tables.list_uploads(&world.bucket, &query).await.unwrap();
        seen.extend(page.uploads.iter().map(|(key, row)| (key.as_str().to_owned(), crate::names::UploadId(row.uid))));
        let Some((marker, upload)) = page.next else { break };
        (query.after, query.after_upload) = (Some(marker), upload);
    }
    assert_eq!(seen, begun.iter().map(|(at, upload)| ((*at).to_owned(), *upload)).collect::<Vec<_>>());
    let query = UploadQuery { delimiter: Some("/".to_owned()), limit: 1, ..UploadQuery::default() };
    let page = world.tables.list_uploads(&world.bucket, &query).await.unwrap();
    assert_eq!((page.common_prefixes, page.next), (vec!["a/".to_owned()], Some((Marker::CommonPrefix("a/".to_owned()), None))));
    let query = UploadQuery { after: Some(Marker::Key("b".to_owned())), limit: 9, ..UploadQuery::default() };
    assert_eq!(world.tables.list_uploads(&world.bucket, &query).await.unwrap().uploads[0].0, key("c"));
}
