//! `contents`: the immutable octets of messages, once each.

/// Recently decompressed skeletons.
#[derive(Debug)]
pub struct SkeletonCache {
}
impl SkeletonCache {
    /// A cache of at most so many octets.
    pub fn new(_octets_max: usize) -> Self { Self {} }
}
