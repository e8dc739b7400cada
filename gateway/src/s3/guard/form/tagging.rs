//! The `tagging` field: a Tagging document, as the header `x-amz-tagging` says it.

use s3s::dto::Tagging;
use s3s::xml::{Deserialize, Deserializer};

use super::put::escape;
use crate::s3::guard::refusal::Refusal;

/// `key=value&key=value`. What tags may be is the header's to decide.
pub(super) fn query(xml: &str) -> Result<String, Refusal> {
    let mut reader = Deserializer::new(xml.as_bytes());
    let parsed = Tagging::deserialize(&mut reader).and_then(|tagging| reader.expect_eof().map(|()| tagging));
    let tagging = parsed.map_err(|_| malformed())?;
    let pair = |tag: &s3s::dto::Tag| {
        let (key, value) = (tag.key.as_deref()?, tag.value.as_deref()?);
        Some(format!("{}={}", escape(key, false), escape(value, false)))
    };
    let pairs: Option<Vec<String>> = tagging.tag_set.iter().map(pair).collect();
    Ok(pairs.ok_or_else(malformed)?.join("&"))
}

fn malformed() -> Refusal {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    Refusal::bad("MalformedXML", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_taken_and_what_is_none_is_refused() {
        let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
        let xml = format!("<Tagging><TagSet>{}{}</TagSet></Tagging>", tag("a/b", "c&amp;d"), tag("\u{e9}", ""));
        assert_eq!(query(&xml), Ok("a%2Fb=c%26d&%C3%A9=".into()));
        assert_eq!(query("<Tagging><TagSet></TagSet></Tagging>"), Ok(String::new()));
        for bad in ["", "not-xml", "<Other/>", "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", "<Tagging><TagSet>"]
        {
            assert_eq!(query(bad).map_err(|refusal| refusal.code), Err("MalformedXML".into()), "{bad}");
        }
    }
}
