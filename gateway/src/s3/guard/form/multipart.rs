//! multipart/form-data up to the file, read as it comes in.
//!
//! ```text
//!   preamble CRLF --BOUNDARY CRLF headers CRLF CRLF value CRLF --BOUNDARY CRLF ... headers of the file CRLF CRLF │ the file ...
//!                                                                                     [`Head`] ends here ────────┘
//! ```
//! Promise: pure, and holds [`FORM_BYTES_MAX`] bytes and one more frame at most, however the bytes are cut.
//!
//! Source: RFC 7578; RFC 2046 section 5.1; "Creating an HTML form (using AWS Signature Version 4)" in the Amazon S3 API Reference.

use super::fields::Fields;
use crate::s3::guard::refusal::Refusal;
use crate::s3::limits::{BOUNDARY_BYTES_MAX, FORM_BYTES_MAX};

/// What stands between two parts: CRLF, two hyphens, and the text that `Content-Type` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Boundary(Vec<u8>);

impl Boundary {
    /// `None` where the request isn't a form at all.
    pub(crate) fn of(content_type: &str) -> Option<Result<Self, Refusal>> {
        let mut pieces = content_type.split(';').map(str::trim);
        let form = pieces.next().is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data"));
        form.then(|| {
            let named =
                pieces.find_map(|piece| piece.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary")));
            let text = named.map(|(_, text)| text.trim().trim_matches('"')).unwrap_or_default();
            let fits = (1..=BOUNDARY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            if fits { Ok(Self(format!("\r\n--{text}").into_bytes())) } else { Err(malformed()) }
        })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The part that is the file, as its headers describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// As the client gave it, without its folders; `None` where it gave none at all.
    pub(crate) name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// Right behind a boundary.
    Delimited,
    /// In the headers of a part.
    Headers,
    /// In the value of the field of this name.
    Value(String),
}

/// The form before its file. Feed it with [`Head::push`] until it has found the file, then [`Head::finish`].
#[derive(Debug)]
pub(crate) struct Head {
    boundary: Boundary,
    /// Begins with a CRLF of our own: the first boundary needs none.
    buffer: Vec<u8>,
    /// Where the thing under way begins.
    at: usize,
    /// Up to where its end was looked for in vain.
    seen: usize,
    state: State,
    fields: Fields,
}

impl Head {
    pub(crate) fn new(boundary: Boundary) -> Self {
        Self { boundary, buffer: b"\r\n".to_vec(), at: 0, seen: 0, state: State::Preamble, fields: Fields::default() }
    }

    /// Takes the next bytes; answers the file once its headers are whole.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Option<File>, Refusal> {
        self.buffer.extend_from_slice(bytes);
        let found = self.advance()?;
        let fields_end = if found.is_some() { self.at } else { self.buffer.len() };
        if fields_end > FORM_BYTES_MAX { Err(too_long()) } else { Ok(found) }
    }

    /// The fields, and what of the file was read with them.
    pub(crate) fn finish(mut self) -> (Fields, Vec<u8>) {
        let rest = self.buffer.split_off(self.at);
        (self.fields, rest)
    }

    fn advance(&mut self) -> Result<Option<File>, Refusal> {
        loop {
            match self.state.clone() {
                State::Preamble => {
                    if self.before_boundary().is_none() {
                        return Ok(None);
                    }
                }
                State::Delimited => {
                    if !self.end_boundary()? {
                        return Ok(None);
                    }
                }
                State::Headers => {
                    let Some(head) = self.before(b"\r\n\r\n") else { return Ok(None) };
                    let part = disposition(&self.buffer[head])?;
                    if part.name.eq_ignore_ascii_case("file") {
                        return Ok(Some(File { name: part.filename }));
                    }
                    self.state = State::Value(part.name);
                }
                State::Value(name) => {
                    let Some(value) = self.before_boundary() else { return Ok(None) };
                    let value = std::str::from_utf8(&self.buffer[value]).map_err(|_| malformed())?;
                    self.fields.add(&name, value)?;
                }
            }
        }
    }

    /// What stands before the next boundary, and the step behind it.
    fn before_boundary(&mut self) -> Option<std::ops::Range<usize>> {
        let boundary = self.boundary.clone();
        let found = self.before(boundary.bytes())?;
        self.state = State::Delimited;
        Some(found)
    }

    /// What stands before the next `end`, and the step behind it. No byte is looked at twice but for the last few.
    fn before(&mut self, end: &[u8]) -> Option<std::ops::Range<usize>> {
        let from = self.seen.max(self.at);
        let Some(found) = memchr::memmem::find(&self.buffer[from..], end) else {
            self.seen = self.buffer.len().saturating_sub(end.len() - 1);
            return None;
        };
        let range = self.at..from + found;
        self.at = range.end + end.len();
        self.seen = self.at;
        Some(range)
    }

    /// A boundary's line ends in CRLF, perhaps after blanks; the form's last one in two hyphens. False while it isn't there yet.
    fn end_boundary(&mut self) -> Result<bool, Refusal> {
        let rest = &self.buffer[self.at..];
        if rest.starts_with(b"--") {
            return Err(no_file());
        }
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match rest.get(blanks..blanks + 2) {
            // The CRLF stays: a part without any header begins with the second one.
            Some(b"\r\n") => {
                self.at += blanks;
                self.seen = self.at;
                self.state = State::Headers;
                Ok(true)
            }
            Some(_) => Err(malformed()),
            None => Ok(false),
        }
    }
}

struct Disposition {
    name: String,
    filename: Option<String>,
}

/// `Content-Disposition` of a part's header lines; the others say nothing that matters here.
fn disposition(head: &[u8]) -> Result<Disposition, Refusal> {
    let head = std::str::from_utf8(head).map_err(|_| malformed())?;
    let value = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then(|| value.trim())
    });
    let (kind, params) = value.map(|value| value.split_once(';').unwrap_or((value, ""))).ok_or_else(malformed)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(malformed());
    }
    let params = parameters(params).ok_or_else(malformed)?;
    let param = |wanted: &str| params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.clone());
    let name = param("name").filter(|name| !name.is_empty()).ok_or_else(malformed)?;
    let last = |path: String| path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    Ok(Disposition { name, filename: param("filename").map(last) })
}

/// `name=value` and `name="value"`, semicolons between. In quotes `\"` is a quote and any other backslash itself: browsers send paths so.
fn parameters(mut text: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    loop {
        text = text.trim_start_matches([' ', '\t', ';']);
        if text.is_empty() {
            return Some(found);
        }
        let (name, rest) = text.split_once('=')?;
        let value;
        (value, text) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = rest.find(';').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        found.push((name.trim().to_owned(), value));
    }
}

/// The text up to the closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' if chars.next_if(|(_, next)| *next == '"').is_some() => value.push('"'),
            char => value.push(char),
        }
    }
    None
}

pub(super) fn malformed() -> Refusal {
    Refusal::bad("MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")
}

pub(super) fn too_long() -> Refusal {
    let message = "Your POST request fields preceeding the upload file was too large.";
    Refusal::bad("MaxPostPreDataLengthExceeded", message).with("MaxPostPreDataLengthBytes", FORM_BYTES_MAX.to_string())
}

fn no_file() -> Refusal {
    let refusal = Refusal::bad("InvalidArgument", "POST requires exactly one file upload per request.");
    refusal.with("ArgumentName", "file").with("ArgumentValue", "0")
}

#[cfg(test)]
mod tests;
