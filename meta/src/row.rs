//! How a record becomes a row's value: one byte that says which shape it has, then the record in `postcard`.
//!
//! ```text
//!   [3][postcard of BucketV3]      decode::<BucketV3>: 3 is its own      ─▶ BucketV3
//!   [1][postcard of BucketV1]      not 3, not V2's 2, but V1's 1         ─▶ BucketV1 ─into▶ V2 ─into▶ V3
//! ```
//!
//! A shape that was ever written never changes, not even by a field at its end: the next shape gets the next number and names the last
//! one as its `Previous`. So a store of any age opens, and rows are rewritten only when they are next changed.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// What a row can hold. No two shapes of one chain share a format number.
pub trait Record: Serialize + DeserializeOwned {
    /// The first byte of the row.
    const FORMAT: u8;
    /// The shape before this one, a [`Record`] that converts `Into` this; [`NoPrevious<Self>`] for the first.
    type Previous: Earlier<Self>;
}

/// Marks the first shape of a chain.
#[derive(Debug)]
pub struct NoPrevious<R>(PhantomData<R>);

/// The shapes that came before `R`. Every [`Record`] that converts into `R` is one, and so is [`NoPrevious`]; nobody else needs it.
pub trait Earlier<R> {
    #[doc(hidden)]
    fn read(format: u8, body: &[u8]) -> Result<R, RowError>;
}

impl<R, P: Record + Into<R>> Earlier<R> for P {
    fn read(format: u8, body: &[u8]) -> Result<R, RowError> {
        read::<P>(format, body).map(Into::into)
    }
}

impl<R> Earlier<R> for NoPrevious<R> {
    fn read(format: u8, _: &[u8]) -> Result<R, RowError> {
        Err(RowError::UnknownFormat(format))
    }
}

/// A row's value that is no record of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("a row is empty")]
    Empty,
    /// Written by a newer version, or not such a row at all.
    #[error("a row has the unknown format {0}")]
    UnknownFormat(u8),
    #[error("a row of format {format} is damaged: {reason}")]
    Damaged { format: u8, reason: String },
}

impl From<RowError> for StoreError {
    fn from(error: RowError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The row's value.
#[allow(clippy::expect_used)]
pub fn encode<R: Record>(record: &R) -> Bytes {
    // Fails only for a type postcard can't hold at all (a sequence of unknown length), which the first test of that record shows.
    postcard::to_extend(record, vec![R::FORMAT]).expect("a record's shape is one that postcard can hold").into()
}

/// The record, brought up to the newest shape.
///
/// # Errors
/// [`RowError`] if the value is of no known shape, cut short, or longer than its record.
pub fn decode<R: Record>(value: &[u8]) -> Result<R, RowError> {
    let (format, body) = value.split_first().ok_or(RowError::Empty)?;
    read(*format, body)
}

/// What a record begins with, borrowed from its row: `F` has the same fields as the newest shape of `R`, as far as it goes. What lies behind
/// is not looked at. `None` where the row has an earlier shape.
///
/// # Errors
/// [`RowError`] if the value is empty or its beginning no such record.
pub fn decode_front<'a, R: Record, F: Deserialize<'a>>(value: &'a [u8]) -> Result<Option<F>, RowError> {
    let (format, body) = value.split_first().ok_or(RowError::Empty)?;
    if *format != R::FORMAT {
        return Ok(None);
    }
    match postcard::take_from_bytes(body) {
        Ok((front, _)) => Ok(Some(front)),
        Err(error) => Err(RowError::Damaged { format: *format, reason: error.to_string() }),
    }
}

fn read<R: Record>(format: u8, body: &[u8]) -> Result<R, RowError> {
    if format != R::FORMAT {
        return R::Previous::read(format, body);
    }
    let damaged = |reason: String| RowError::Damaged { format, reason };
    let (record, rest) = postcard::take_from_bytes(body).map_err(|error| damaged(error.to_string()))?;
    if rest.is_empty() { Ok(record) } else { Err(damaged(format!("{} bytes too many", rest.len()))) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct BucketV1 {
        name: String,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct BucketV2 {
        name: String,
        created_ms: u64,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Bucket {
        name: String,
        created_ms: Option<u64>,
        tags: Vec<(String, String)>,
    }

    impl Record for BucketV1 {
        const FORMAT: u8 = 1;
        type Previous = NoPrevious<Self>;
    }

    impl Record for BucketV2 {
        const FORMAT: u8 = 2;
        type Previous = BucketV1;
    }

    impl Record for Bucket {
        const FORMAT: u8 = 3;
        type Previous = BucketV2;
    }

    impl From<BucketV1> for BucketV2 {
        fn from(old: BucketV1) -> Self {
            Self { name: old.name, created_ms: 0 }
        }
    }

    impl From<BucketV2> for Bucket {
        fn from(old: BucketV2) -> Self {
            Self { name: old.name, created_ms: (old.created_ms > 0).then_some(old.created_ms), tags: Vec::new() }
        }
    }

    proptest! {
        #[test]
        fn a_record_comes_back_as_it_was(name: String, created_ms: Option<u64>, tags in any::<Vec<(String, String)>>()) {
            let record = Bucket { name, created_ms, tags };
            prop_assert_eq!(decode::<Bucket>(&encode(&record)), Ok(record));
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error_but_never_a_panic(value: Vec<u8>) {
            let _ = decode::<Bucket>(&value);
        }

        #[test]
        fn a_row_cut_short_is_damaged(name in ".{1,20}", created_ms: u64) {
            let value = encode(&BucketV2 { name, created_ms });
            for length in 1..value.len() {
                let cut = decode::<Bucket>(&value[..length]);
                prop_assert_eq!(matches!(cut, Err(RowError::Damaged { format: 2, .. })), true);
            }
        }
    }

    #[test]
    fn the_first_byte_is_the_format() {
        assert_eq!(&encode(&BucketV1 { name: "ab".into() })[..], [1, 2, b'a', b'b']);
    }

    #[test]
    fn rows_of_all_earlier_shapes_are_brought_up_to_the_newest() {
        let from_v1 = decode::<Bucket>(&encode(&BucketV1 { name: "a".into() }));
        assert_eq!(from_v1, Ok(Bucket { name: "a".into(), created_ms: None, tags: vec![] }));
        let from_v2 = decode::<Bucket>(&encode(&BucketV2 { name: "a".into(), created_ms: 7 }));
        assert_eq!(from_v2, Ok(Bucket { name: "a".into(), created_ms: Some(7), tags: vec![] }));
    }

    #[test]
    fn a_front_is_read_without_the_rest_and_only_from_the_newest_shape() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Front<'a> {
            name: &'a str,
            created_ms: Option<u64>,
        }
        let value = encode(&Bucket { name: "ab".into(), created_ms: Some(7), tags: vec![("c".into(), "d".into())] });
        assert_eq!(decode_front::<Bucket, Front<'_>>(&value), Ok(Some(Front { name: "ab", created_ms: Some(7) })));
        let cut = decode_front::<Bucket, Front<'_>>(&value[..3]);
        assert!(matches!(cut, Err(RowError::Damaged { format: 3, .. })));
        let earlier = encode(&BucketV1 { name: "a".into() });
        assert_eq!(decode_front::<Bucket, Front<'_>>(&earlier), Ok(None));
        assert_eq!(decode_front::<Bucket, Front<'_>>(&[]), Err(RowError::Empty));
    }

    #[test]
    fn an_unknown_format_and_an_empty_row_are_errors() {
        assert_eq!(decode::<Bucket>(&[9, 1, 2]), Err(RowError::UnknownFormat(9)));
        let newer = encode(&Bucket { name: "a".into(), created_ms: None, tags: vec![] });
        assert_eq!(decode::<BucketV2>(&newer), Err(RowError::UnknownFormat(3)));
        assert_eq!(decode::<Bucket>(&[]), Err(RowError::Empty));
    }

    #[test]
    fn bytes_after_the_record_are_damage() {
        let mut value = encode(&BucketV1 { name: "a".into() }).to_vec();
        value.push(0);
        assert!(matches!(decode::<Bucket>(&value), Err(RowError::Damaged { format: 1, .. })));
        assert!(matches!(StoreError::from(RowError::Empty), StoreError::Failed(_)));
    }
}
