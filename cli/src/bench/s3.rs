//! The S3 requests of a load, each checked as far as that is asked for: the length always, every byte with `--verify`.

use http::Method;
use sha2::{Digest, Sha256};

use super::connection::{Answer, Ask, Client, Fault};
use super::data::{Object, Pieces, Pool, Upload};
use super::keys::Naming;
use super::work::Op;

/// Bytes hashed before other tasks have a turn.
const HASH_TURN_BYTES: usize = 1 << 20;
/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// S3 lists at most so many keys at a time.
pub(super) const PAGE_KEYS_MAX: u32 = 1000;

/// What all requests of one run share.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) bucket: String,
    pub(super) naming: Naming,
    pub(super) pool: Pool,
    /// Bytes of an object, and of a range.
    pub(super) size: u64,
    pub(super) range: u64,
    pub(super) verify: bool,
    pub(super) sign_payload: bool,
}

impl Manner {
    fn path(&self, object: Object) -> String {
        format!("/{}/{}", self.bucket, self.naming.key(object.number))
    }

    fn ask<'a>(&self, method: Method, path: &'a str) -> Ask<'a> {
        Ask { payload: self.sign_payload.then(|| EMPTY.to_owned()), ..Ask::new(method, path) }
    }

    /// Asks for one operation. The answer is right, or it is a fault.
    pub(super) async fn perform(&self, client: &mut Client, op: Op) -> Result<Answer, Fault> {
        match op {
            Op::Put(object) => self.put(client, object).await,
            Op::Get(object) => self.get(client, object, None).await,
            Op::Range { object, from } => self.get(client, object, Some(from)).await,
            Op::Head(object) => {
                let answer = client.ask(self.ask(Method::HEAD, &self.path(object)), |_| true).await?;
                right(answer, answer.told == Some(self.size))
            }
            Op::List { prefix, keys } => self.list(client, prefix, keys).await,
            Op::Delete(object) => client.ask(self.ask(Method::DELETE, &self.path(object)), |_| true).await,
        }
    }

    async fn put(&self, client: &mut Client, object: Object) -> Result<Answer, Fault> {
        let body = self.pool.body(object, self.size);
        let payload = if self.sign_payload { Some(digest(body.clone()).await) } else { None };
        let path = self.path(object);
        let ask = Ask { body: Upload::Pieces(body), payload, ..Ask::new(Method::PUT, &path) };
        let answer = client.ask(ask, |_| true).await?;
        Ok(Answer { bytes: self.size, ..answer })
    }

    async fn get(&self, client: &mut Client, object: Object, range: Option<u64>) -> Result<Answer, Fault> {
        let path = self.path(object);
        let (mut at, wanted) = range.map_or((0, self.size), |from| (from, self.range));
        let ask = Ask { range: range.map(|from| (from, from + self.range - 1)), ..self.ask(Method::GET, &path) };
        let sink = |bytes: &[u8]| {
            let right = !self.verify || self.pool.matches(object, at, bytes);
            at += bytes.len() as u64;
            right
        };
        let answer = client.ask(ask, sink).await?;
        right(answer, answer.bytes == wanted)
    }

    async fn list(&self, client: &mut Client, prefix: u32, keys: Option<u32>) -> Result<Answer, Fault> {
        let path = format!("/{}", self.bucket);
        let prefix = self.naming.prefix(prefix).replace('/', "%2F");
        let query = format!("list-type=2&max-keys={}&prefix={prefix}", self.naming.keys_per_prefix);
        let mut page = Vec::new();
        let sink = |bytes: &[u8]| {
            if self.verify {
                page.extend_from_slice(bytes);
            }
            true
        };
        let answer = client.ask(Ask { query: &query, ..self.ask(Method::GET, &path) }, sink).await?;
        let listed = self.verify.then(|| keys_in(&page).len() as u32);
        right(answer, listed.zip(keys).is_none_or(|(listed, keys)| listed == keys))
    }
}

fn right(answer: Answer, right: bool) -> Result<Answer, Fault> {
    if right { Ok(answer) } else { Err(Fault::Wrong) }
}

/// The keys on a page of a listing; ours need no unescaping.
pub(super) fn keys_in(page: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(page);
    text.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned())).collect()
}

async fn digest(body: Pieces) -> String {
    let (mut hash, mut turn) = (Sha256::new(), 0);
    for piece in body {
        hash.update(&piece);
        turn += piece.len();
        if turn >= HASH_TURN_BYTES {
            turn = 0;
            tokio::task::yield_now().await;
        }
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signed_body_is_hashed_whole() {
        let pool = Pool::new(1);
        let object = Object { number: 1, generation: 1 };
        let whole: Vec<u8> = pool.body(object, 3_000_000).flatten().collect();
        assert_eq!(digest(pool.body(object, 3_000_000)).await, hex::encode(Sha256::digest(&whole)));
        assert_eq!(digest(pool.body(object, 0)).await, EMPTY);
    }

    #[test]
    fn keys_are_read_off_a_page() {
        let page = b"<ListBucketResult><Contents><Key>a/1</Key><Size>3</Size></Contents><Contents><Key>a/2</Key></Contents>";
        assert_eq!(keys_in(page), ["a/1", "a/2"]);
        assert!(keys_in(b"<ListBucketResult></ListBucketResult>").is_empty());
    }
}
