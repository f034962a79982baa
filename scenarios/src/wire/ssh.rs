//! SSH (RFC 4253): banners and KEXINIT in the clear, then packets whose length alone can be seen.
use crate::rng::Rng;

const KEX: &str = "curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha256";
const HOST_KEYS: &str = "rsa-sha2-512,rsa-sha2-256,ssh-ed25519";
const CIPHERS: &str = "aes128-ctr,aes256-ctr,aes256-gcm@openssh.com";
const MACS: &str = "hmac-sha2-256,hmac-sha2-512";

/// A packet before keys: length, padding, payload.
fn packet(rng: &mut Rng, payload: &[u8]) -> Vec<u8> {
    let padding = 4 + (8 - (payload.len() + 9) % 8) % 8;
    let len = u32::try_from(payload.len() + padding + 1).unwrap_or(0).to_be_bytes();
    [len.as_slice(), &[u8::try_from(padding).unwrap_or(4)], payload, &rng.octets(padding)].concat()
}

/// The list of algorithms.
pub(crate) fn kexinit(rng: &mut Rng) -> Vec<u8> {
    let lists = [KEX, HOST_KEYS, CIPHERS, CIPHERS, MACS, MACS, "none", "none", "", ""];
    let list = |text: &str| [u32::try_from(text.len()).unwrap_or(0).to_be_bytes().as_slice(), text.as_bytes()].concat();
    let body: Vec<u8> = lists.iter().flat_map(|text| list(text)).collect();
    let payload = [[20].as_slice(), &rng.octets(16), &body, &[0; 5]].concat();
    packet(rng, &payload)
}

/// The client's half of the key exchange.
pub(crate) fn ecdh_init(rng: &mut Rng) -> Vec<u8> {
    let payload = [[30, 0, 0, 0, 32].as_slice(), &rng.octets(32)].concat();
    packet(rng, &payload)
}

/// The server's half, with its host key and signature, and NEWKEYS.
pub(crate) fn ecdh_reply(rng: &mut Rng) -> Vec<u8> {
    let blob = |name: &str, rest: &[u8]| {
        let inner = [text(name.as_bytes()), text(rest)].concat();
        text(&inner)
    };
    let (key, share, signature) = (rng.octets(32), rng.octets(32), rng.octets(64));
    let payload = [vec![31], blob("ssh-ed25519", &key), text(&share), blob("ssh-ed25519", &signature)].concat();
    [packet(rng, &payload), packet(rng, &[21])].concat()
}

/// The client's NEWKEYS.
pub(crate) fn newkeys(rng: &mut Rng) -> Vec<u8> {
    packet(rng, &[21])
}

fn text(content: &[u8]) -> Vec<u8> {
    [u32::try_from(content.len()).unwrap_or(0).to_be_bytes().as_slice(), content].concat()
}

#[cfg(test)]
mod tests {
    use super::kexinit;
    use crate::rng::Rng;

    #[test]
    fn packets_are_whole_blocks() {
        let packet = kexinit(&mut Rng::new(1));
        assert_eq!(packet.len() % 8, 0, "RFC 4253 section 6: whole blocks of 8 octets");
        assert_eq!(u32::from_be_bytes(packet[..4].try_into().unwrap()) as usize + 4, packet.len());
        assert!(packet[4] >= 4, "at least four octets of padding");
    }
}
