//! Sealing: AES-256-GCM by the 64 KiB block.
//!
//! A block's nonce is (segment, block), unique under a key that seals one part only. Its additional data is (part, segment, block, last of
//! its segment), so a block moved, swapped, cut off or taken from elsewhere does not open.
//! Two ciphers that agree byte for byte stand behind [`Cipher`]: aws-lc on the hot path, the RustCrypto one as fallback and oracle.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce as RustNonce, Tag as RustTag};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::key::DataKey;

/// Plaintext bytes of a block; the last of a segment may be shorter.
pub const BLOCK_BYTES: usize = 64 * 1024;
/// Bytes that sealing adds to a block.
pub const TAG_BYTES: usize = 16;
/// Sealed bytes of a full block.
pub const SEALED_BLOCK_BYTES: usize = BLOCK_BYTES + TAG_BYTES;

/// Sealed bytes of `plain` plaintext bytes. Nothing seals to nothing.
pub fn sealed_len(plain: usize) -> usize {
    plain + plain.div_ceil(BLOCK_BYTES) * TAG_BYTES
}

/// A block did not open: wrong key, wrong place or damaged bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("block {block} of segment {segment} does not open")]
pub struct OpenError {
    pub segment: u32,
    pub block: u32,
}

/// One AEAD under one key.
enum Cipher {
    AwsLc(LessSafeKey),
    Rust(Box<Aes256Gcm>),
}

impl Cipher {
    fn new(key: &DataKey) -> Self {
        match UnboundKey::new(&AES_256_GCM, key.as_bytes()) {
            Ok(key) => Self::AwsLc(LessSafeKey::new(key)),
            Err(_) => Self::rust(key),
        }
    }

    fn rust(key: &DataKey) -> Self {
        Self::Rust(Box::new(Aes256Gcm::new(key.as_bytes().into())))
    }

    /// Seals in place and returns the tag; `None` only for a block longer than GCM allows.
    fn seal(&self, nonce: [u8; 12], aad: &[u8], block: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
        match self {
            Self::AwsLc(key) => {
                let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), block).ok()?;
                tag.as_ref().try_into().ok()
            }
            Self::Rust(key) => {
                let tag = key.encrypt_inout_detached(&RustNonce::from(nonce), aad, block.into()).ok()?;
                Some(tag.into())
            }
        }
    }

    /// Opens `sealed` in place: its plaintext is then all but the last 16 bytes, which were the tag. What fails to open is spoilt.
    fn open(&self, nonce: [u8; 12], aad: &[u8], sealed: &mut [u8]) -> Option<()> {
        match self {
            Self::AwsLc(key) => {
                key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), sealed).ok()?;
                Some(())
            }
            Self::Rust(key) => {
                let (block, tag) = sealed.split_last_chunk_mut::<TAG_BYTES>()?;
                key.decrypt_inout_detached(&RustNonce::from(nonce), aad, block.into(), &RustTag::from(*tag)).ok()
            }
        }
    }
}

/// Seals and opens the blocks of one part.
pub struct PartCipher {
    part: [u8; 16],
    cipher: Cipher,
}

impl PartCipher {
    pub fn new(part: [u8; 16], key: &DataKey) -> Self {
        Self { part, cipher: Cipher::new(key) }
    }

    /// Seals a whole segment into `out`, which must be `sealed_len(plain.len())` long.
    pub fn seal_segment(&self, segment: u32, plain: &[u8], out: &mut [u8]) {
        assert_eq!(out.len(), sealed_len(plain.len()), "the output fits the sealed segment");
        let blocks = plain.len().div_ceil(BLOCK_BYTES);
        for (index, (block, out)) in plain.chunks(BLOCK_BYTES).zip(out.chunks_mut(SEALED_BLOCK_BYTES)).enumerate() {
            let (body, tag) = out.split_at_mut(block.len());
            body.copy_from_slice(block);
            let (nonce, aad) = self.place(segment, index as u32, index + 1 == blocks);
            #[allow(clippy::expect_used)]
            let made = self.cipher.seal(nonce, &aad, body).expect("a block is far shorter than GCM's limit");
            tag.copy_from_slice(&made);
        }
    }

    /// Opens block `block` of a segment that is `segment_plain` bytes long, in place, and answers the plaintext's length: it lies at the
    /// front of `sealed`. What fails to open is spoilt.
    pub fn open_block(&self, segment: u32, segment_plain: usize, block: usize, sealed: &mut [u8]) -> Result<usize, OpenError> {
        let bad = OpenError { segment, block: block as u32 };
        let plain =
            block.checked_mul(BLOCK_BYTES).and_then(|start| segment_plain.checked_sub(start)).ok_or(bad)?.min(BLOCK_BYTES);
        if plain == 0 || sealed.len() != plain + TAG_BYTES {
            return Err(bad);
        }
        let last = block + 1 == segment_plain.div_ceil(BLOCK_BYTES);
        let (nonce, aad) = self.place(segment, block as u32, last);
        self.cipher.open(nonce, &aad, sealed).map(|()| plain).ok_or(bad)
    }

    fn place(&self, segment: u32, block: u32, last: bool) -> ([u8; 12], [u8; 25]) {
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&segment.to_be_bytes());
        nonce[4..8].copy_from_slice(&block.to_be_bytes());
        let mut aad = [0; 25];
        aad[..16].copy_from_slice(&self.part);
        aad[16..24].copy_from_slice(&nonce[..8]);
        aad[24] = u8::from(last);
        (nonce, aad)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(cipher: &PartCipher, segment: u32, plain: &[u8]) -> Vec<u8> {
        let mut out = vec![0; sealed_len(plain.len())];
        cipher.seal_segment(segment, plain, &mut out);
        out
    }

    /// Opens consecutive blocks from block `first` on.
    fn open(cipher: &PartCipher, segment: u32, plain: usize, first: usize, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut out = Vec::new();
        for (offset, block) in sealed.chunks(SEALED_BLOCK_BYTES).enumerate() {
            let mut block = block.to_vec();
            let len = cipher.open_block(segment, plain, first + offset, &mut block)?;
            out.extend_from_slice(&block[..len]);
        }
        Ok(out)
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 7 % 253) as u8).collect()
    }

    const LENGTHS: [usize; 6] = [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES];

    #[test]
    fn the_two_ciphers_agree_byte_for_byte() {
        let key = DataKey::random();
        let fast = PartCipher::new([1; 16], &key);
        let oracle = PartCipher { part: [1; 16], cipher: Cipher::rust(&key) };
        assert!(matches!(fast.cipher, Cipher::AwsLc(_)));
        for len in LENGTHS {
            let plain = bytes(len);
            let made = sealed(&fast, 9, &plain);
            assert_eq!(made, sealed(&oracle, 9, &plain));
            for opener in [&fast, &oracle] {
                assert_eq!(open(opener, 9, len, 0, &made).expect("own seal opens"), plain);
            }
        }
    }

    #[test]
    fn a_range_of_blocks_opens_alone() {
        let cipher = PartCipher::new([1; 16], &DataKey::random());
        let plain = bytes(5 * BLOCK_BYTES + 10);
        let made = sealed(&cipher, 0, &plain);
        let middle = &made[2 * SEALED_BLOCK_BYTES..4 * SEALED_BLOCK_BYTES];
        let opened = open(&cipher, 0, plain.len(), 2, middle).expect("opens");
        assert_eq!(opened, plain[2 * BLOCK_BYTES..4 * BLOCK_BYTES]);
    }

    #[test]
    fn a_block_opens_nowhere_but_in_its_place() {
        let key = DataKey::random();
        let cipher = PartCipher::new([1; 16], &key);
        let plain = bytes(3 * BLOCK_BYTES);
        let made = sealed(&cipher, 4, &plain);
        let block = &made[SEALED_BLOCK_BYTES..2 * SEALED_BLOCK_BYTES];
        let opens = |cipher: &PartCipher, segment, len, first| open(cipher, segment, len, first, block).is_ok();
        assert!(opens(&cipher, 4, plain.len(), 1));
        assert!(!opens(&cipher, 4, plain.len(), 0), "moved within the segment");
        assert!(!opens(&cipher, 5, plain.len(), 1), "moved to another segment");
        assert!(!opens(&cipher, 4, 2 * BLOCK_BYTES, 1), "passed off as the last block");
        assert!(!opens(&PartCipher::new([2; 16], &key), 4, plain.len(), 1), "moved to another part");
        assert!(!opens(&PartCipher::new([1; 16], &DataKey::random()), 4, plain.len(), 1), "another key");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_flipped_bit_is_noticed(len in 1usize..3000, at: prop::sample::Index, bit in 0u8..8) {
            let cipher = PartCipher::new([1; 16], &DataKey::random());
            let mut made = sealed(&cipher, 0, &bytes(len));
            let at = at.index(made.len());
            made[at] ^= 1 << bit;
            prop_assert!(open(&cipher, 0, len, 0, &made).is_err());
        }

        #[test]
        fn truncated_or_padded_bytes_do_not_open(len in 1usize..200_000, cut in 1usize..100) {
            let cipher = PartCipher::new([1; 16], &DataKey::random());
            let made = sealed(&cipher, 0, &bytes(len));
            let cut = cut.min(made.len() - 1);
            prop_assert!(open(&cipher, 0, len, 0, &made[..made.len() - cut]).is_err());
            let longer = [&made[..], &bytes(cut)].concat();
            prop_assert!(open(&cipher, 0, len, 0, &longer).is_err());
        }
    }
}
