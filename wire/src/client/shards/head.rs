//! The head of an answer: parsed strictly, believed in nothing but its status and its marks.

use crate::donor::DONOR_HEADER;
use crate::ticket::RECEIPT_HEADER;

/// Head of an answer at most, bytes. A donor's has some 200.
pub(super) const HEAD_BYTES_MAX: usize = 4 * 1024;
/// Header lines of an answer at most.
const LINES_MAX: usize = 48;

/// What matters of an answer's head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::client) struct Head {
    pub(in crate::client) status: u16,
    /// Bytes of the head itself.
    pub(super) bytes: usize,
    /// Bytes that follow; `None` where that isn't said in a way that is spoken here.
    pub(super) length: Option<u64>,
    /// Something that says it is a donor refused.
    pub(in crate::client) donor: bool,
    pub(in crate::client) receipt: Option<String>,
    /// The connection may serve another request.
    pub(super) keep_alive: bool,
}

/// No head of HTTP/1, or one that says two things at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Head {
    /// `None` while more bytes are needed.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let bytes = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
        let mut lines = [httparse::EMPTY_HEADER; LINES_MAX];
        let mut answer = httparse::Response::new(&mut lines);
        let len = match answer.parse(bytes) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Ok(None),
            Ok(httparse::Status::Partial) | Err(_) => return Err(Malformed),
        };
        let mut head = Self { status: answer.code.ok_or(Malformed)?, bytes: len, ..Self::default() };
        head.keep_alive = answer.version == Some(1);
        let mut framed = 0;
        for line in answer.headers.iter() {
            framed += usize::from(head.line(line.name, line.value)?);
        }
        // Two statements of the length, even if they agree, are how one answer is smuggled behind another.
        if framed > 1 { Err(Malformed) } else { Ok(Some(head)) }
    }

    /// Takes in one header line; true if it says how long the body is.
    fn line(&mut self, name: &str, value: &[u8]) -> Result<bool, Malformed> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("content-length") {
            self.length = Some(number(value).ok_or(Malformed)?);
            return Ok(true);
        }
        if is("transfer-encoding") {
            self.length = None;
            return Ok(true);
        }
        if is("connection") {
            let close = value.split(|byte| *byte == b',').any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"));
            self.keep_alive &= !close;
        } else if is(DONOR_HEADER) {
            self.donor = true;
        } else if is(RECEIPT_HEADER) {
            self.receipt = std::str::from_utf8(value).ok().map(str::to_owned);
        }
        Ok(false)
    }
}

fn number(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if digits { std::str::from_utf8(value).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Head>, Malformed> {
        Head::parse(text.as_bytes())
    }

    #[test]
    fn a_donors_answer_is_understood_wherever_it_is_cut() {
        let text = "HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\nX-Nodio-Donor: 1\r\ndate: today\r\n\r\n";
        let body = format!("{text}and the body");
        let head = parse(&body).expect("well-formed").expect("whole");
        let wanted = Head { status: 404, bytes: text.len(), length: Some(12), donor: true, receipt: None, keep_alive: true };
        assert_eq!(head, wanted);
        for cut in 0..text.len() {
            assert_eq!(parse(&text[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn marks_and_manners_are_read() {
        let head = |lines: &str| parse(&format!("HTTP/1.1 201 Created\r\n{lines}\r\n")).expect("well-formed").expect("whole");
        assert_eq!(head(&format!("{RECEIPT_HEADER}: abc\r\n")).receipt.as_deref(), Some("abc"));
        assert!(!head("connection: keep-alive, Close\r\n").keep_alive);
        assert_eq!(head("transfer-encoding: chunked\r\n").length, None);
        assert!(!parse("HTTP/1.0 200 OK\r\n\r\n").expect("well-formed").expect("whole").keep_alive);
    }

    #[test]
    fn nonsense_and_double_talk_are_refused() {
        for lines in [
            "content-length: 5\r\ncontent-length: 5\r\n",
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "content-length: -5\r\n",
            "content-length: +5\r\n",
            "content-length: 5, 5\r\n",
            "content-length: 99999999999999999999999\r\n",
            "content-length:\r\n",
            "no colon\r\n",
        ] {
            assert_eq!(parse(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n")), Err(Malformed), "{lines}");
        }
        assert_eq!(parse("SSH-2.0-OpenSSH_9.6\r\n"), Err(Malformed));
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(2 * HEAD_BYTES_MAX));
        assert_eq!(parse(&endless), Err(Malformed));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(LINES_MAX + 1));
        assert_eq!(parse(&many), Err(Malformed));
    }
}
