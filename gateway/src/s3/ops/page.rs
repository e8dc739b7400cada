//! What all listings share: what they are asked for, page sizes, `encoding-type=url`, opaque tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use s3s::S3Result;
use s3s::dto::{CommonPrefix, EncodingType};

use crate::names::ObjectKey;
use crate::s3::error::invalid_argument;
use crate::s3::guard::query::encode;
use crate::s3::limits::PAGE_MAX;
use crate::tables::Marker;

/// What every listing of keys is asked for.
pub(super) struct Asked {
    pub(super) names: Names,
    /// Entries of a page.
    pub(super) limit: i32,
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
}

impl Asked {
    /// `limit` comes with its parameter's name, for the error.
    pub(super) fn read(
        encoding: Option<&EncodingType>,
        (limit, name): (Option<i32>, &str),
        prefix: Option<&String>,
        delimiter: Option<&String>,
    ) -> S3Result<Self> {
        Ok(Self {
            names: Names::asked(encoding)?,
            limit: self::limit(limit, name)?,
            prefix: prefix.cloned().unwrap_or_default(),
            delimiter: given(delimiter),
        })
    }

    /// Where a client's marker says to go on.
    pub(super) fn after(&self, marker: Option<&String>) -> Option<Marker> {
        let marker = given(marker)?;
        Some(Marker::of_client(&marker, &self.prefix, self.delimiter.as_deref().unwrap_or_default()))
    }

    /// Prefix and delimiter as the answer repeats them.
    pub(super) fn shown(&self) -> (Option<String>, Option<String>) {
        (Some(self.names.show(&self.prefix)), self.delimiter.as_ref().map(|delimiter| self.names.show(delimiter)))
    }
}

/// An empty parameter is as none.
pub(super) fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// `max-keys`, `max-parts`, `max-uploads`: 1,000 unless less is asked for.
pub(super) fn limit(asked: Option<i32>, name: &str) -> S3Result<i32> {
    match asked.unwrap_or(PAGE_MAX) {
        negative if negative < 0 => Err(invalid_argument(format!("Argument {name} must be an integer between 0 and 2147483647"))),
        limit => Ok(limit.min(PAGE_MAX)),
    }
}

/// How names are written into the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Plain,
    Url,
}

impl Names {
    pub(super) fn asked(encoding: Option<&EncodingType>) -> S3Result<Self> {
        match encoding.map(EncodingType::as_str) {
            None | Some("") => Ok(Self::Plain),
            Some("url") => Ok(Self::Url),
            Some(_) => Err(invalid_argument("Invalid Encoding Method specified in Request")),
        }
    }

    pub(super) fn show(self, name: &str) -> String {
        match self {
            Self::Plain => name.to_owned(),
            Self::Url => encode(name),
        }
    }

    pub(super) fn show_key(self, key: ObjectKey) -> String {
        self.show_own(key.into_string())
    }

    pub(super) fn show_all(self, prefixes: Vec<String>) -> Vec<CommonPrefix> {
        prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(self.show_own(prefix)) }).collect()
    }

    fn show_own(self, name: String) -> String {
        match self {
            Self::Plain => name,
            Self::Url => encode(&name),
        }
    }
}

/// A continuation token: where the last page ended. Opaque to clients.
pub(super) fn token(marker: &Marker) -> String {
    let kind = match marker {
        Marker::Key(_) => 'k',
        Marker::CommonPrefix(_) => 'p',
    };
    BASE64.encode(format!("{kind}{}", marker.as_str()))
}

pub(super) fn read_token(token: &str) -> S3Result<Marker> {
    let text = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    if let Some(key) = text.strip_prefix('k') {
        return Ok(Marker::Key(key.to_owned()));
    }
    let prefix = text.strip_prefix('p').map(|prefix| Marker::CommonPrefix(prefix.to_owned()));
    prefix.ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_and_nothing_else_does() {
        for marker in [Marker::Key("a/b ü".into()), Marker::CommonPrefix("a/".into()), Marker::Key(String::new())] {
            assert_eq!(read_token(&token(&marker)).expect("reads"), marker);
        }
        for bad in ["", "abc", "%%%", &BASE64.encode("x")] {
            assert!(read_token(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn pages_have_a_thousand_rows_at_most() {
        assert_eq!([None, Some(0), Some(7), Some(5000)].map(|asked| limit(asked, "x").expect("fits")), [1000, 0, 7, 1000]);
        assert!(limit(Some(-1), "maxKeys").is_err());
    }
}
