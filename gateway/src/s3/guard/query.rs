//! Percent-encoding and query strings, strictly.

/// Undoes percent-encoding; `None` when a `%` isn't followed by two hex digits or the result isn't UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

/// A query string's names and values, in order; `None` when its encoding is broken.
pub(crate) fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    let plain = |text: &str| decode(&text.replace('+', " "));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((plain(name)?, plain(value)?))
    };
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

/// Percent-encodes for `encoding-type=url`: all but unreserved characters and `/`. A space is `%20`, which every client's decoder reads.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' | b'*' => encoded.push(byte as char),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn broken_escapes_are_noticed() {
        assert_eq!(decode("a%20b%2f"), Some("a b/".into()));
        for bad in ["%", "%2", "%zz", "%ff", "a%2"] {
            assert_eq!(decode(bad), None, "{bad} was taken");
        }
        assert_eq!(
            pairs("a=1&b&c=x%3Dy+z"),
            Some(vec![("a".into(), "1".into()), ("b".into(), "".into()), ("c".into(), "x=y z".into())])
        );
        assert_eq!(pairs("a=%"), None);
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(text in "\\PC{0,40}") {
            prop_assert_eq!(decode(&encode(&text)), Some(text));
        }
    }
}
