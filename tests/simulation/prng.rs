//! A small generator of random numbers: the same seed gives the same numbers on every machine.

use std::time::Duration;

/// SplitMix64: any seed is as good as any other.
pub struct Prng(u64);

impl Prng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another generator, for what is chosen in an order of its own.
    pub fn child(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `below - 1`.
    pub fn below(&mut self, below: usize) -> usize {
        let below = u64::try_from(below.max(1)).unwrap();
        usize::try_from(self.next() % below).unwrap()
    }

    /// From `first` to `last`, both included.
    pub fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())].clone()
    }

    /// Nothing, milliseconds, seconds or minutes: bugs live at all of these.
    pub fn pause(&mut self) -> Duration {
        match self.below(8) {
            0 => Duration::ZERO,
            1 | 2 => Duration::from_millis(self.below(1000) as u64),
            3..=5 => Duration::from_millis(self.between(1_000, 30_000) as u64),
            6 => Duration::from_secs(self.between(30, 180) as u64),
            _ => Duration::from_secs(self.between(60, 900) as u64),
        }
    }
}
