//! The noise of a scenario: xoshiro256** seeded through splitmix64 (Blackman and Vigna, public domain). A generator of our own, so
//! that the octets of a capture depend on nothing but the seed, not on the version of a library.

/// A seeded source of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Rng([u64; 4]);

impl Rng {
    /// A generator that always gives the same numbers for `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed;
        Self([(); 4].map(|()| splitmix(&mut state)))
    }

    /// A generator for one part of a scenario, so that more of one part does not change the noise of another.
    pub(crate) fn part(seed: u64, name: &str) -> Self {
        let mixed =
            name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        Self::new(mixed)
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let out = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c2, d2) = (c ^ a, d ^ b);
        self.0 = [a ^ d2, b ^ c2, c2 ^ (b << 17), d2.rotate_left(45)];
        out
    }

    /// A number below `end`, 0 where `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// A number in `from..to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from))
    }

    /// A time span in `from..to`, µs.
    pub(crate) fn span(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(u64::try_from(to - from).unwrap_or(0))).unwrap_or(0)
    }

    /// An ephemeral port.
    pub(crate) fn port(&mut self) -> u16 {
        u16::try_from(self.between(32_768, 61_000)).unwrap_or(40_000)
    }

    /// 32 bits.
    pub(crate) fn word(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).unwrap_or(0)
    }

    /// `n` octets without meaning.
    pub(crate) fn octets(&mut self, n: usize) -> Vec<u8> {
        let mut out: Vec<u8> = Vec::with_capacity(n + 8);
        while out.len() < n {
            out.extend(self.next().to_le_bytes());
        }
        out.truncate(n);
        out
    }

    /// One of `items`; the default where there is none.
    pub(crate) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let at = usize::try_from(self.below(u64::try_from(items.len()).unwrap_or(0))).unwrap_or(0);
        items.get(at).copied().unwrap_or_default()
    }

    /// A UUID of version 4, lower case.
    pub(crate) fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            b >> 48 & 0x3fff | 0x8000,
            b & 0xffff_ffff_ffff
        )
    }
}

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn seed_0_gives_the_published_numbers() {
        let mut state = 0;
        assert_eq!(super::splitmix(&mut state), 0xe220_a839_7b1d_cdaf, "splitmix64 of seed 0");
        assert_eq!(Rng([1, 2, 3, 4]).next(), 11520, "xoshiro256** of state 1, 2, 3, 4");
    }

    #[test]
    fn parts_differ_and_repeat() {
        let first = |seed, name| Rng::part(seed, name).next();
        assert_eq!(first(7, "web"), first(7, "web"));
        assert_ne!(first(7, "web"), first(7, "dns"));
        assert_ne!(first(7, "web"), first(8, "web"));
        assert_eq!(Rng::new(1).uuid().len(), 36);
    }
}
