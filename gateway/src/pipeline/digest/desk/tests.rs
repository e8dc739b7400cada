//! Parts hashed at once by real workers.

use ::md5::{Digest, Md5};

use super::*;
use crate::checksum::{ChecksumKind, Hasher};
use crate::pipeline::digest::Digests;

fn piece(part: usize, index: usize, len: usize) -> Bytes {
    (0..len).map(|i| (i * 31 + i / 253 + part * 7 + index) as u8).collect()
}

fn alone(kind: ChecksumKind, bytes: &[u8]) -> crate::checksum::Checksum {
    let mut hasher = Hasher::new(kind);
    hasher.update(bytes);
    hasher.finish()
}

/// More parts than lanes, of different lengths, some shorter than what goes to the desk.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_part_has_its_own_digests() {
    let desk = Desk::new();
    let kinds = [ChecksumKind::Crc64Nvme, ChecksumKind::Sha256];
    let part = |part: usize| {
        let mut digests = Digests::new(desk.clone(), &kinds);
        async move {
            let pieces: Vec<Bytes> = (0..part % 4).map(|i| piece(part, i, 50_000 + 40_000 * part + i)).collect();
            for both in pieces.chunks(2) {
                let hashed: Vec<Hashed> = both.iter().map(|piece| digests.add(piece.clone())).collect();
                for hashed in hashed {
                    hashed.wait().await.expect("hashes");
                }
            }
            let whole = pieces.concat();
            let (md5, sums) = digests.finish().expect("all of it is hashed");
            assert_eq!(md5, <[u8; 16]>::from(Md5::digest(&whole)), "part {part}");
            assert_eq!(sums, kinds.map(|kind| alone(kind, &whole)));
        }
    };
    let parts: Vec<_> = (0..20).map(|number| tokio::spawn(part(number))).collect();
    for part in parts {
        part.await.expect("ends well");
    }
}

#[tokio::test]
async fn a_part_dropped_halfway_leaves_the_others_alone() {
    let desk = Desk::new();
    let (mut stays, mut goes) = (Digests::new(desk.clone(), &[]), Digests::new(desk.clone(), &[]));
    let bytes = piece(0, 0, 3_000_000);
    let (first, _second) = (goes.add(bytes.clone()), goes.add(bytes.clone()));
    let hashed = stays.add(bytes.clone());
    drop(goes);
    first.wait().await.expect_err("nobody hashes it any more");
    hashed.wait().await.expect("hashes");
    assert_eq!(stays.finish().expect("hashed").0, <[u8; 16]>::from(Md5::digest(&bytes)));
}

#[tokio::test]
async fn what_is_not_all_hashed_has_no_digests() {
    let desk = Desk::new();
    let (mut part, mut idle) = (Digests::new(desk.clone(), &[]), Digests::new(desk.clone(), &[]));
    idle.add(piece(1, 0, 100_000)).wait().await.expect("hashes");
    let _not_waited_for = part.add(piece(0, 0, 100_000));
    assert!(part.finish().is_err());
}
