//! How often each of millions of keys came, in constant memory: a count-min sketch.
//!
//! Each key has one cell in each of four rows, shared with other keys; its count is the smallest of
//! its cells. That is never less than the truth, and more only where each of its cells is shared with
//! keys that came often. A cell is raised only to what the key's new count needs ("conservative
//! update"), which keeps what keys add to each other's cells small.

/// See the module.
#[derive(Debug)]
pub struct Sketch {
    cells: Vec<f32>,
    total: f32,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { cells: vec![0.0; ROWS * ROW], total: 0.0 }
    }
}

impl Sketch {
    /// Counts the key with this hash `weight` times; returns its count, which is not too small.
    pub fn add(&mut self, hash: u64, weight: f32) -> f32 {
        let count = self.count(hash) + weight;
        for place in places(hash) {
            self.cells[place] = self.cells[place].max(count);
        }
        self.total += weight;
        count
    }

    /// How often the key with this hash came, or more.
    pub fn count(&self, hash: u64) -> f32 {
        places(hash).map(|place| self.cells[place]).fold(f32::INFINITY, f32::min)
    }

    /// How much too large a count may be: 98 in 100 are less so (e^-4 are not).
    pub fn error(&self) -> f32 {
        self.total * std::f32::consts::E / ROW as f32
    }

    /// Multiplies all counts.
    pub fn multiply(&mut self, factor: f32) {
        self.cells.iter_mut().for_each(|cell| *cell *= factor);
        self.total *= factor;
    }
}

/// The cells of a hash: each row takes other bits of it.
fn places(hash: u64) -> impl Iterator<Item = usize> {
    (0..ROWS).map(move |row| row * ROW + (hash >> (row * BITS)) as usize % ROW)
}

/// Four rows: the chance that a key is unlucky in all is one in fifty.
const ROWS: usize = 4;
/// Bits of the hash that a row uses.
const BITS: usize = 12;
/// Cells of a row. A worker notes some 30,000 keys within the time that counts, so that a count is too
/// large by a few of them at most; a key is hot that came hundreds of times.
const ROW: usize = 1 << BITS;
/// Bytes that a sketch takes.
pub const SKETCH_BYTES: usize = ROWS * ROW * size_of::<f32>();

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn counts_are_never_too_small_and_seldom_much_too_large() {
        let hashes = std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default();
        let mut random = fastrand::Rng::with_seed(3);
        let (mut sketch, mut exact) = (Sketch::default(), HashMap::new());
        for _ in 0..30_000 {
            let key = random.u32(..20_000).min(random.u32(..20_000));
            let hash = hashes.hash_one(key);
            sketch.add(hash, 1.0);
            *exact.entry(hash).or_insert(0.0) += 1.0;
        }
        let errors: Vec<f32> = exact.iter().map(|(&h, &count)| sketch.count(h) - count).collect();
        assert!(errors.iter().all(|&error| error >= 0.0));
        let bad = errors.iter().filter(|&&error| error > sketch.error()).count();
        assert!(bad * 50 <= errors.len(), "{bad} of {}", errors.len());
        let mean = errors.iter().sum::<f32>() / errors.len() as f32;
        assert!(mean < 4.0, "{mean}");
    }

    #[test]
    fn fading_fades_all() {
        let mut sketch = Sketch::default();
        sketch.add(0x0123_4567_89ab_cdef, 8.0);
        sketch.multiply(0.25);
        assert_eq!(sketch.count(0x0123_4567_89ab_cdef), 2.0);
        assert_eq!(sketch.count(0x1123_4567_89ab_cdee), 0.0);
    }
}
