//! Who this node is: a name that survives its restarts, so that it finds what it had in hand.
//!
//! The name is a file in the data folder, which is locked while the node runs: a second node on the
//! same folder, or one without a folder it can write, is a new one at each start.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

/// Octets of a name: hexadecimal digits.
const NAME_OCTETS: usize = 24;

/// A node's name, held as long as it runs.
#[derive(Debug)]
pub struct Node {
    name: String,
    /// Locked; the kernel gives it back when the process ends, however it ends.
    _file: Option<File>,
}

impl Node {
    /// The node of a data folder.
    pub fn of(data_dir: &Path) -> Self {
        match named(&data_dir.join("node")) {
            Ok(node) => node,
            Err(error) => {
                tracing::warn!(%error, "this node has no lasting name");
                Self { name: new_name(), _file: None }
            }
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn named(path: &Path) -> std::io::Result<Node> {
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => std::io::Error::other("another node uses the data folder"),
        TryLockError::Error(error) => error,
    })?;
    let mut name = String::new();
    file.read_to_string(&mut name)?;
    let is_name = name.len() == NAME_OCTETS && name.bytes().all(|it| it.is_ascii_hexdigit());
    if !is_name {
        name = new_name();
        file.set_len(0)?;
        std::io::Seek::rewind(&mut file)?;
        file.write_all(name.as_bytes())?;
        file.sync_all()?;
    }
    Ok(Node { name, _file: Some(file) })
}

fn new_name() -> String {
    format!("{:024x}", rand::random::<u128>() >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_the_node_and_is_nobody_elses() {
        let dir = std::env::temp_dir().join(format!("eider-node-{}", new_name()));
        std::fs::create_dir_all(&dir).unwrap();
        let first = Node::of(&dir);
        let second = Node::of(&dir);
        assert_eq!(first.name().len(), NAME_OCTETS);
        assert_ne!(first.name(), second.name());
        let name = first.name().to_owned();
        drop((first, second));
        assert_eq!(Node::of(&dir).name(), name);
        std::fs::write(dir.join("node"), "half a na").unwrap();
        assert_eq!(Node::of(&dir).name().len(), NAME_OCTETS);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
