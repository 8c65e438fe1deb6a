//! One incoming message: memory up to a bound, then a temporary file without a name.
//!
//! A slow sender of a large message then holds a megabyte of memory, not the message.

use bytes::Bytes;
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

/// Octets held in memory before they go to the file.
const MEMORY_OCTETS: usize = 1024 * 1024;

/// What is received of one message.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    octets_max: u64,
    octets: u64,
    memory: Vec<u8>,
    file: Option<File>,
}

impl Spool {
    /// An empty spool that takes at most `octets_max` octets; `dir` is for large messages and must
    /// exist by then.
    pub fn new(dir: &Path, octets_max: u64) -> Self {
        Self { dir: dir.to_owned(), octets_max, octets: 0, memory: Vec::new(), file: None }
    }

    /// Octets received, including those that were dropped for being too many.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether more than the bound was received; nothing is kept then.
    pub fn is_too_large(&self) -> bool {
        self.octets > self.octets_max
    }

    /// Adds octets.
    ///
    /// # Errors
    /// The temporary file cannot be made or written.
    pub async fn push(&mut self, octets: &[u8]) -> io::Result<()> {
        self.octets = self.octets.saturating_add(octets.len() as u64);
        if self.is_too_large() {
            self.memory = Vec::new();
            self.file = None;
            return Ok(());
        }
        self.memory.extend_from_slice(octets);
        if self.memory.len() >= MEMORY_OCTETS { self.spill().await } else { Ok(()) }
    }

    async fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(unnamed_file(&self.dir).await?),
        };
        file.write_all(&self.memory).await?;
        self.memory.clear();
        Ok(())
    }

    /// The whole message.
    ///
    /// # Errors
    /// The temporary file cannot be read. A message that is too large is empty here: ask first.
    pub async fn finish(mut self) -> io::Result<Bytes> {
        let Some(mut file) = self.file.take() else {
            return Ok(Bytes::from(self.memory));
        };
        file.flush().await?;
        file.seek(SeekFrom::Start(0)).await?;
        let octets = usize::try_from(self.octets).map_err(io::Error::other)?;
        let mut content = Vec::with_capacity(octets);
        file.read_to_end(&mut content).await?;
        content.extend_from_slice(&self.memory);
        if content.len() != octets {
            return Err(io::Error::other("the spool file is not what was written"));
        }
        Ok(Bytes::from(content))
    }
}

/// Made and removed at once: the octets live as long as the handle, and nothing is left behind by a
/// crash.
async fn unnamed_file(dir: &Path) -> io::Result<File> {
    tokio::fs::create_dir_all(dir).await?;
    let path = dir.join(format!("spool-{:032x}", rand::random::<u128>()));
    let file = tokio::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .await?;
    tokio::fs::remove_file(&path).await?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn round_trip(octets: usize) {
        let dir = std::env::temp_dir();
        let content: Vec<u8> = (0..octets).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let mut spool = Spool::new(&dir, 10_000_000);
        for piece in content.chunks(10_007) {
            spool.push(piece).await.unwrap();
        }
        assert_eq!(spool.finish().await.unwrap(), content);
    }

    #[tokio::test]
    async fn what_goes_in_comes_out() {
        for octets in [0, 1, MEMORY_OCTETS - 1, MEMORY_OCTETS, 3 * MEMORY_OCTETS + 17] {
            round_trip(octets).await;
        }
    }

    #[tokio::test]
    async fn too_much_is_dropped_and_said() {
        let mut spool = Spool::new(&std::env::temp_dir(), 10);
        spool.push(b"0123456789").await.unwrap();
        assert!(!spool.is_too_large());
        spool.push(b"x").await.unwrap();
        assert!(spool.is_too_large());
        spool.push(b"y").await.unwrap();
        assert_eq!(spool.octets(), 12);
    }
}
