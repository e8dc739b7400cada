//! Pages of objects: which parts they have, so that an operator's tools can ask the coordinator for these.

use nodio_wire::Code;

use super::desk::Refusal;
use super::words::{ObjectView, PartView, Reply};
use crate::limits::{PAGE_PARTS_MAX, PAGE_VERSIONS_MAX};
use crate::meter::is_inline;
use crate::names::{BadName, BucketName, ObjectKey, VersionId};
use crate::rows::{PartPlace, PartRef};
use crate::tables::{Holding, PageLimit, RowPlace, Tables, Which};

/// What a request names: a key, or else a prefix.
pub(super) fn which(prefix: String, key: Option<String>) -> Result<Which, BadName> {
    match key {
        Some(key) => Ok(Which::Key(ObjectKey::parse(&key)?)),
        None => Ok(Which::Prefix(prefix)),
    }
}

pub(super) async fn page(
    tables: &Tables,
    bucket: &str,
    which: Which,
    after: Option<&str>,
    limit: usize,
) -> Result<Reply, Refusal> {
    let bucket = tables.bucket(&BucketName::parse(bucket)?).await?;
    let after = after.map(|text| hex::decode(text).map(RowPlace)).transpose().map_err(|_| Refusal::BadAfter)?;
    let limit = PageLimit { versions: limit.clamp(1, PAGE_VERSIONS_MAX), parts: PAGE_PARTS_MAX };
    let page = tables.holdings(&bucket, &which, after.as_ref(), limit).await?;
    let next = page.next.map(|place| hex::encode(place.0));
    Ok(Reply::Objects { objects: page.holdings.iter().map(view).collect(), next })
}

fn view(holding: &Holding) -> ObjectView {
    let live = holding.row.live();
    let version = match holding.row.version {
        VersionId::Null => None,
        VersionId::Id(_) => Some(holding.row.version.to_string()),
    };
    ObjectView {
        key: holding.key.as_str().to_owned(),
        version,
        newest: holding.newest,
        delete_marker: live.is_none(),
        size: live.map_or(0, |live| live.size),
        modified: holding.row.modified,
        inline: is_inline(&holding.parts),
        parts: holding.parts.iter().filter_map(part).collect(),
    }
}

fn part(part: &PartRef) -> Option<PartView> {
    let PartRef { number, id, len, place, .. } = part;
    let (code, segments) = match place {
        PartPlace::Empty => return None,
        PartPlace::Inline => (None, 0),
        PartPlace::Segments(code) => (Some(*code), segments(*code, *len)),
    };
    Some(PartView { number: *number, part: *id, bytes: *len, code, segments })
}

/// Segments of a part are equally long but for the last.
fn segments(code: Code, bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(code.segment_bytes() as u64)).unwrap_or(u32::MAX)
}
