//! The request body on its way to s3s: watched, so that whatever is found wrong with it decides the answer.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use md5::{Digest, Md5};
use s3s::Body;
use sha2::Sha256;

use super::chunked::{Announced, Framing};
use super::form::FileEnd;
use super::refusal::Refusal;
use crate::checksum::{Checksum, Hasher};
use crate::s3::limits::{BODY_IDLE_S, XML_BYTES_MAX};

/// What is to be made sure of while the body streams by.
#[derive(Debug)]
pub(super) enum Plan {
    /// That it arrives.
    Plain,
    /// That its aws-chunked framing holds.
    Chunked(Announced),
    /// That a document's digests hold: operations see it parsed, not its bytes.
    Document(Document),
}

impl Plan {
    /// Whether a request without a body, and perhaps without `Content-Length`, has nothing wrong with it. s3s asks for the length of any
    /// other body that is signed.
    fn allows_nothing(&self) -> bool {
        match self {
            Self::Plain => true,
            Self::Chunked(_) => false,
            Self::Document(said) => Digests::new(said).finish().is_ok(),
        }
    }
}

/// What a document's headers say of it.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// `Content-Length`.
    pub(super) length: Option<u64>,
    pub(super) md5: Option<[u8; 16]>,
    pub(super) checksum: Option<Checksum>,
    /// `x-amz-content-sha256`.
    pub(super) sha256: Option<[u8; 32]>,
}

/// What was found wrong with a body, if anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch(Arc<OnceLock<Refusal>>);

impl Watch {
    pub(super) fn fault(&self) -> Option<Refusal> {
        self.0.get().cloned()
    }

    fn tell(&self, refusal: Refusal) -> BodyFault {
        let fault = BodyFault(refusal.code.clone().into_owned());
        // The first fault is the one that counts.
        let _ = self.0.set(refusal);
        fault
    }
}

/// How a faulty body ends for its reader; the [`Watch`] knows more.
#[derive(Debug, thiserror::Error)]
#[error("the request body is refused: {0}")]
pub(super) struct BodyFault(String);

/// The body, with every fault told to `watch`.
pub(super) fn watched(incoming: Incoming, plan: Plan, watch: Watch) -> Body {
    use hyper::body::Body as _;
    if incoming.is_end_stream() && plan.allows_nothing() {
        return Body::empty();
    }
    Flow { incoming, check: Check::new(plan), ready: VecDeque::new(), watch, ended: false }.into_body()
}

/// The file of a form, of which `begun` came with the fields.
pub(super) fn file(incoming: Incoming, file: FileEnd, begun: Bytes, watch: Watch) -> Body {
    Flow { incoming, check: Check::File { file, begun }, ready: VecDeque::new(), watch, ended: false }.into_body()
}

struct Flow {
    incoming: Incoming,
    check: Check,
    ready: VecDeque<Bytes>,
    watch: Watch,
    ended: bool,
}

fn stream(flow: Flow) -> impl Stream<Item = Result<Bytes, BodyFault>> + Send {
    futures::stream::unfold(flow, async |mut flow| {
        let next = flow.next().await;
        let item = match next {
            Ok(bytes) => Ok(bytes?),
            Err(refusal) => {
                flow.ended = true;
                flow.ready.clear();
                Err(flow.watch.tell(refusal))
            }
        };
        Some((item, flow))
    })
}

impl Flow {
    fn into_body(self) -> Body {
        let frames = futures::StreamExt::map(stream(self), |bytes| bytes.map(Frame::data));
        Body::http_body_unsync(StreamBody::new(frames))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        self.check.begin(&mut self.ready)?;
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Ok(Some(bytes));
            }
            if self.ended {
                return Ok(None);
            }
            match receive(&mut self.incoming).await? {
                Some(bytes) => self.check.push(bytes, &mut self.ready)?,
                None => {
                    self.ended = true;
                    self.check.finish()?;
                }
            }
        }
    }
}

/// The next bytes of a request; `None` at its end.
pub(super) async fn receive(incoming: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    loop {
        let frame = tokio::time::timeout(Duration::from_secs(BODY_IDLE_S), incoming.frame()).await;
        let frame = frame.map_err(|_| {
            let message = "Your socket connection to the server was not read from or written to within the timeout period.";
            Refusal::bad("RequestTimeout", message)
        })?;
        match frame {
            None => return Ok(None),
            Some(Err(_)) => {
                let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
                return Err(Refusal::incomplete(message));
            }
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// The running side of a [`Plan`].
enum Check {
    Plain,
    Chunked(Framing),
    Document(Box<Digests>),
    File { file: FileEnd, begun: Bytes },
}

struct Digests {
    /// Bytes so far.
    seen: usize,
    /// Bytes to go, where the length is known: the digests are compared before the last bytes go on.
    left: Option<u64>,
    md5: Option<([u8; 16], Md5)>,
    checksum: Option<(Checksum, Hasher)>,
    sha256: Option<([u8; 32], Sha256)>,
}

impl Check {
    fn new(plan: Plan) -> Self {
        match plan {
            Plan::Plain => Self::Plain,
            Plan::Chunked(announced) => Self::Chunked(Framing::new(announced)),
            Plan::Document(document) => Self::Document(Box::new(Digests::new(&document))),
        }
    }

    /// Takes what was read before there was a stream.
    fn begin(&mut self, ready: &mut VecDeque<Bytes>) -> Result<(), Refusal> {
        match self {
            Self::File { file, begun } => file.push(std::mem::take(begun), ready),
            _ => Ok(()),
        }
    }

    fn push(&mut self, bytes: Bytes, ready: &mut VecDeque<Bytes>) -> Result<(), Refusal> {
        match self {
            Self::File { file, .. } => file.push(bytes, ready)?,
            Self::Plain => ready.push_back(bytes),
            Self::Chunked(framing) => framing.push(bytes, ready)?,
            Self::Document(digests) => {
                digests.update(&bytes)?;
                ready.push_back(bytes);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Refusal> {
        match self {
            Self::Plain => Ok(()),
            Self::Chunked(framing) => framing.finish(),
            Self::Document(digests) => digests.finish(),
            Self::File { file, .. } => file.finish(),
        }
    }
}

impl Digests {
    fn new(document: &Document) -> Self {
        let checksum = document.checksum.clone().map(|want| {
            let hasher = Hasher::new(want.kind);
            (want, hasher)
        });
        Self {
            seen: 0,
            left: document.length,
            md5: document.md5.map(|want| (want, Md5::new())),
            sha256: document.sha256.map(|want| (want, Sha256::new())),
            checksum,
        }
    }

    fn update(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.seen += bytes.len();
        if self.seen > XML_BYTES_MAX {
            return Err(Refusal::bad("MaxMessageLengthExceeded", "Your request was too big."));
        }
        if let Some((_, md5)) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some((_, hasher)) = &mut self.checksum {
            hasher.update(bytes);
        }
        if let Some((_, sha256)) = &mut self.sha256 {
            sha256.update(bytes);
        }
        self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
        if self.left == Some(0) { self.finish() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), Refusal> {
        if let Some((want, sha256)) = self.sha256.take()
            && sha256.finalize().as_slice() != want
        {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            return Err(Refusal::bad("XAmzContentSHA256Mismatch", message));
        }
        if let Some((want, md5)) = self.md5.take()
            && md5.finalize().as_slice() != want
        {
            return Err(Refusal::bad("BadDigest", "The Content-MD5 you specified did not match what we received."));
        }
        if let Some((want, hasher)) = self.checksum.take()
            && hasher.finish() != want
        {
            let message = format!("The {} you specified did not match the calculated checksum.", want.kind.name());
            return Err(Refusal::bad("BadDigest", message));
        }
        Ok(())
    }
}
