//! Object keys inside row keys: byte order kept, no key a prefix of another.
//!
//! `0x00` becomes `0x00 0xFF` and `0x00 0x01` ends the key. So "a" (`a 00 01`) sorts before "a\0" (`a 00 FF 00 01`) before "aa", whatever
//! follows the end.

const END: [u8; 2] = [0x00, 0x01];
/// Sorts after every row of the key it ends and before every row of any longer key.
const PAST_END: [u8; 2] = [0x00, 0x02];
const NUL: [u8; 2] = [0x00, 0xFF];

/// Appends the escaped bytes without an end: what all keys that begin with `bytes` begin with.
pub(super) fn push_open(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            0 => out.extend_from_slice(&NUL),
            byte => out.push(*byte),
        }
    }
}

/// Appends the escaped key with its end: what all rows of this key begin with.
pub(super) fn push(out: &mut Vec<u8>, key: &[u8]) {
    push_open(out, key);
    out.extend_from_slice(&END);
}

/// Appends the place just after all rows of this key.
pub(super) fn push_past(out: &mut Vec<u8>, key: &[u8]) {
    push_open(out, key);
    out.extend_from_slice(&PAST_END);
}

/// The key and what follows its end; `None` if these bytes were never escaped.
pub(super) fn split(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut key = Vec::with_capacity(bytes.len());
    let suffix = split_into(bytes, &mut key)?;
    Some((key, suffix))
}

/// As [`split`], with the key put into a buffer.
pub(super) fn split_into<'b>(bytes: &'b [u8], key: &mut Vec<u8>) -> Option<&'b [u8]> {
    key.clear();
    let mut rest = bytes;
    loop {
        let plain = rest.iter().position(|byte| *byte == 0)?;
        key.extend_from_slice(&rest[..plain]);
        let mark = rest.get(plain + 1)?;
        rest = &rest[plain + 2..];
        match mark {
            0xFF => key.push(0),
            0x01 => return Some(rest),
            _ => return None,
        }
    }
}

/// Any bytes: what is read as a key and what follows it is written as those bytes again; see [`crate::fuzz`].
pub(crate) fn fuzz_row_key(bytes: &[u8]) {
    let mut written = Vec::new();
    match split(bytes) {
        Some((key, rest)) => {
            push(&mut written, &key);
            written.extend_from_slice(rest);
            assert_eq!(written, bytes, "a row key changed when written");
        }
        None => {
            push(&mut written, bytes);
            assert!(split(&written).is_some_and(|(key, rest)| key == bytes && rest.is_empty()), "a key is lost in its row key");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Short keys over few bytes, so that prefixes, zeros and neighbours are common.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(2), Just(0xFE), Just(0xFF), any::<u8>()], 0..6)
    }

    fn row(key: &[u8], suffix: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push(&mut out, key);
        out.extend_from_slice(suffix);
        out
    }

    fn past(key: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_past(&mut out, key);
        out
    }

    proptest! {
        #[test]
        fn what_was_escaped_reads_back(key in key(), suffix in key()) {
            let row = row(&key, &suffix);
            prop_assert_eq!(split(&row), Some((key, suffix.as_slice())));
        }

        #[test]
        fn rows_order_as_keys_do_and_never_interleave(a in key(), b in key(), s in key(), t in key()) {
            if a != b {
                prop_assert_eq!(row(&a, &s).cmp(&row(&b, &t)), a.cmp(&b));
                prop_assert!(!row(&b, &t).starts_with(&row(&a, &[])));
            }
            prop_assert_eq!(row(&a, &s).cmp(&row(&a, &t)), s.cmp(&t));
        }

        #[test]
        fn past_a_key_is_after_its_rows_and_before_the_next_key(a in key(), b in key(), s in key()) {
            prop_assert!(row(&a, &s) < past(&a));
            if b > a {
                prop_assert!(past(&a) < row(&b, &s));
            }
        }

        #[test]
        fn keys_with_a_prefix_are_those_that_begin_with_its_open_form(a in key(), b in key(), s in key()) {
            let mut open = vec![b'o'];
            push_open(&mut open, &a);
            let row = [b"o".as_slice(), &row(&b, &s)].concat();
            prop_assert_eq!(row.starts_with(&open), b.starts_with(&a));
        }
    }

    #[test]
    fn bytes_that_were_never_escaped_are_refused() {
        for bad in [b"".as_slice(), b"a", b"a\0", b"a\0\x02", b"\0\0"] {
            assert_eq!(split(bad), None);
        }
    }
}
