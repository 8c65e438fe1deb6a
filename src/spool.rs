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
        if self.file.is_none() {
            return Ok(Bytes::from(std::mem::take(&mut self.memory)));
        }
        let octets = self.octets;
        let mut content = Vec::with_capacity(usize::try_from(octets).map_err(io::Error::other)?);
        self.drain().await?.read_to(&mut content, octets).await?;
        Ok(Bytes::from(content))
    }

    /// The message from its beginning, in pieces.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub async fn drain(mut self) -> io::Result<Drain> {
        if let Some(file) = &mut self.file {
            file.flush().await?;
            file.seek(SeekFrom::Start(0)).await?;
        }
        Ok(Drain { file: self.file, memory: Bytes::from(self.memory) })
    }
}

/// What is left to be read of a spool.
#[derive(Debug)]
pub struct Drain {
    file: Option<File>,
    /// What comes behind the file.
    memory: Bytes,
}

impl Drain {
    /// Adds the next octets to a buffer.
    ///
    /// # Errors
    /// The file cannot be read, or there are not so many.
    pub async fn read_to(&mut self, out: &mut Vec<u8>, octets: u64) -> io::Result<()> {
        let mut left = octets;
        if let Some(file) = &mut self.file {
            let read = file.take(left).read_to_end(out).await?;
            left = left.saturating_sub(u64::try_from(read).map_err(io::Error::other)?);
            if left > 0 {
                self.file = None;
            }
        }
        let left = usize::try_from(left).map_err(io::Error::other)?;
        if left > self.memory.len() {
            return Err(io::Error::other("the spool is not what was written"));
        }
        out.extend_from_slice(&self.memory.split_to(left));
        Ok(())
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
    async fn it_is_read_in_pieces() {
        let mut spool = Spool::new(&std::env::temp_dir(), u64::MAX);
        let content: Vec<u8> = (0..=250).cycle().take(MEMORY_OCTETS * 2 + 500).collect();
        for piece in content.chunks(700_001) {
            spool.push(piece).await.unwrap();
        }
        let mut drain = spool.drain().await.unwrap();
        let mut read = Vec::new();
        for octets in [1, 1_000_000, 0, 1_000_000, 97_651] {
            drain.read_to(&mut read, octets).await.unwrap();
        }
        assert!(read == content[..read.len()] && read.len() == 2_097_652);
        assert!(drain.read_to(&mut read, 1).await.is_err());
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
