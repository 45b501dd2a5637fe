//! Such numbers and characters as Slack has in its ids.

pub(super) fn number() -> u64 {
    1_000_000_000_000 + rand::random::<u64>() % 9_000_000_000_000
}

pub(super) fn random_hex(bytes: usize) -> String {
    hex::encode((0..bytes).map(|_| rand::random::<u8>()).collect::<Vec<_>>())
}
