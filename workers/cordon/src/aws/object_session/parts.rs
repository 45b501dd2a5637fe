//! How a large object is cut into parts for copying.

/// The most parts of one upload, and the unit of part sizes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const MAX_PARTS: i64 = 10_000;
const MIB: i64 = 1024 * 1024;

/// One part: a range of bytes, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// From 1.
    pub number: i32,
    /// The first byte.
    pub first: i64,
    /// The last byte.
    pub last: i64,
}

impl Part {
    /// Bytes.
    pub(super) fn size(self) -> i64 {
        self.last - self.first + 1
    }
}

/// The parts of an object of `size` bytes, each of at least `smallest` but for the last. A function of these two alone,
/// so that whoever goes on with an upload cuts as it was cut.
pub(super) fn parts(size: i64, smallest: i64) -> Vec<Part> {
    let whole_mib = (size / MAX_PARTS / MIB + 1) * MIB;
    let step = if size <= smallest * MAX_PARTS { smallest } else { whole_mib };
    (1..)
        .zip((0..size).step_by(usize::try_from(step).unwrap_or(usize::MAX)))
        .map(|(number, first)| Part { number, first, last: (first + step).min(size) - 1 })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 50 TB, the largest object.
    const LARGEST: i64 = 50_000_000_000_000;

    proptest! {
        #[test]
        fn parts_cover_every_byte_once_and_keep_to_the_limits(size in 1..=LARGEST, smallest in 5 * MIB..=5_120 * MIB) {
            let parts = parts(size, smallest);
            prop_assert!(parts.len() <= 10_000, "{}", parts.len());
            let mut next = 0;
            for (index, part) in parts.iter().enumerate() {
                prop_assert_eq!(part.number as usize, index + 1);
                prop_assert_eq!(part.first, next);
                prop_assert!(part.size() >= smallest || index + 1 == parts.len());
                prop_assert!((1..=5_120 * MIB).contains(&part.size()));
                next = part.last + 1;
            }
            prop_assert_eq!(next, size);
        }
    }
}
