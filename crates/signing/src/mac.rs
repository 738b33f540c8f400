use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub type HmacSha256 = Hmac<Sha256>;
pub type HmacSha1 = Hmac<Sha1>;

/// Keyed state to clone per message: the two key blocks are hashed once here instead of at every signature.
pub fn hmac_sha256(key: &[u8]) -> HmacSha256 {
    HmacSha256::new(&(*block(key, |long| Sha256::digest(long).to_vec())).into())
}

/// Twilio's MAC; nothing we send uses SHA-1.
pub fn hmac_sha1(key: &[u8]) -> HmacSha1 {
    HmacSha1::new(&(*block(key, |long| Sha1::digest(long).to_vec())).into())
}

/// Finishes a clone of `keyed` over the concatenated `parts`.
pub fn digest<M: Mac + Clone>(keyed: &M, parts: &[&[u8]]) -> hmac::digest::Output<M> {
    let mut mac = keyed.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes()
}

/// RFC 2104 §2: a key is padded with zeros to the block of 64 bytes, a longer one is hashed first.
/// Done here because the constructor for slices returns an error that cannot happen.
fn block(key: &[u8], hash: impl Fn(&[u8]) -> Vec<u8>) -> Zeroizing<[u8; 64]> {
    let mut block = Zeroizing::new([0; 64]);
    if key.len() <= block.len() {
        block[..key.len()].copy_from_slice(key);
    } else {
        let hashed = Zeroizing::new(hash(key));
        block[..hashed.len()].copy_from_slice(&hashed);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 4231 §4.2 to §4.8 (§4.6 truncates and adds nothing here).
    #[test]
    fn rfc_4231() {
        let cases: [(Vec<u8>, Vec<u8>, &str); 6] = [
            (
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 20],
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                (1..=25).collect(),
                vec![0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                vec![0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.".to_vec(),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, data, expected) in cases {
            assert_eq!(hex(&digest(&hmac_sha256(&key), &[&data])), expected);
        }
    }

    /// RFC 2202 §3, cases 1, 2 and 6.
    #[test]
    fn rfc_2202() {
        let cases: [(Vec<u8>, &[u8], &str); 3] = [
            (vec![0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
            (b"Jefe".to_vec(), b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                vec![0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
            ),
        ];
        for (key, data, expected) in cases {
            assert_eq!(hex(&digest(&hmac_sha1(&key), &[data])), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn the_same_as_the_library_with_a_key_of_any_length(key: Vec<u8>, data: Vec<u8>) {
            let library = HmacSha256::new_from_slice(&key).unwrap();
            proptest::prop_assert_eq!(
                digest(&hmac_sha256(&key), &[&data]),
                digest(&library, &[&data])
            );
        }
    }
}
