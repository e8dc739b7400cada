//! What must hold of forms and their policies whatever the bytes; see [`crate::fuzz`].

use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use super::fields::Fields;
use super::file::FileEnd;
use super::multipart::{Boundary, Head, malformed};
use super::policy::Policy;
use super::tagging;
use crate::s3::guard::query;
use crate::s3::guard::refusal::Refusal;

/// Of the file that is read.
const FILE_BYTES_MAX: u64 = 1 << 16;

/// A form with the boundary `x`, after a byte that says how it is cut: it is the same form as in one piece.
pub(crate) fn form(bytes: &[u8]) {
    let Some((cut, form)) = bytes.split_first() else { return };
    // Which fault is found first may depend on the cut.
    let whole = read(form, form.len().max(1)).ok();
    assert_eq!(read(form, usize::from(*cut) + 1).ok(), whole, "a form depends on how it is cut");
}

/// Its fields, its file's name, and its file.
type Read = (Fields, Option<String>, Vec<u8>);

fn read(form: &[u8], step: usize) -> Result<Read, Refusal> {
    let boundary = Boundary::of("multipart/form-data; boundary=x").ok_or_else(malformed)??;
    let mut head = Head::new(boundary.clone());
    let mut pieces = form.chunks(step);
    let named = loop {
        if let Some(file) = head.push(pieces.next().ok_or_else(malformed)?)? {
            break file.name;
        }
    };
    let (mut fields, begun) = head.finish();
    fields.expand(named.as_deref())?;
    let mut file = FileEnd::new(boundary, 0..=FILE_BYTES_MAX);
    let mut out = VecDeque::new();
    file.push(begun.into(), &mut out)?;
    pieces.try_for_each(|piece| file.push(Bytes::copy_from_slice(piece), &mut out))?;
    file.finish()?;
    Ok((fields, named, out.iter().flatten().copied().collect()))
}

/// A policy document: it ends, names its bucket, and lets nothing through that it doesn't speak of.
pub(crate) fn policy(json: &[u8]) {
    let Ok(policy) = Policy::parse(&BASE64.encode(json)) else { return };
    assert!(policy.check(&Fields::default(), "b", u64::MAX).is_err(), "a policy never ends");
    let names = |name: &[u8]| json.to_ascii_lowercase().windows(name.len()).any(|window| window == name);
    // Written with an escape a name may hide.
    if names(b"\\u") {
        return;
    }
    let mut fields = Fields::default();
    let added = fields.add("surplus", "");
    assert!(added.is_ok() && (names(b"surplus") || policy.check(&fields, "b", 0).is_err()), "a surplus field was taken");
    assert!(names(b"bucket") || policy.check(&Fields::default(), "b", 0).is_err(), "any bucket was taken");
}

/// A Tagging document: what becomes of it is a query again.
pub(crate) fn tags(xml: &str) {
    if let Ok(tags) = tagging::query(xml) {
        assert!(query::pairs(&tags).is_some(), "tags became no query: {tags}");
    }
}
