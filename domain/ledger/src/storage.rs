//! The few things the embedded log asks of a disk, so that a test can be a bad one.

mod disk;
mod faulty;

use std::any::Any;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

pub use disk::Disk;
pub use faulty::{Faults, FaultyDisk};

/// A directory.
pub trait Storage: Send + Sync {
    /// The names of the files in it.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens a file; with `write` it can be changed.
    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn StorageFile>>;
    /// Creates an empty file in place of any that was there.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;
    /// Gives a file another name, atomically.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the names durable.
    fn sync_directory(&self) -> io::Result<()>;
    /// Takes the lock of the directory, alone or with other readers. It is held until the guard is
    /// dropped. `None` if another has it.
    fn lock(&self, exclusive: bool) -> io::Result<Option<Box<dyn Any + Send + Sync>>>;
    /// The path that an error names.
    fn path(&self, name: &str) -> PathBuf;
}

/// A file.
pub trait StorageFile: Send + Sync {
    /// How long it is.
    fn size(&self) -> io::Result<u64>;
    /// Fills the buffer from a place on; an error if the file ends before.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;
    /// Writes all of the bytes from a place on.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Makes it this long.
    fn set_size(&self, size: u64) -> io::Result<()>;
    /// Makes contents durable.
    fn sync_data(&self) -> io::Result<()>;
}
