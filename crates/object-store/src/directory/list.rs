//! Listing in S3's order: that of the keys' bytes, which is not that of a walk through directories.

use std::{fs, io, path::Path};

use super::{
    meta,
    path::{Entry, entry},
};
use crate::{Error, Listed, Page};

/// The objects below `root` whose keys begin with `prefix` and come behind `after`, `limit` at the most.
pub(super) fn list(root: &Path, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, Error> {
    // One more tells whether there is more.
    let mut walk =
        Walk { prefix: prefix.as_bytes(), after: after.unwrap_or("").as_bytes(), wanted: limit + 1, found: Vec::new() };
    walk.directory(root, &[])?;
    let mut objects = walk.found;
    let more = objects.len() > limit;
    objects.truncate(limit);
    Ok(Page { objects, more })
}

struct Walk<'a> {
    prefix: &'a [u8],
    after: &'a [u8],
    wanted: usize,
    found: Vec<Listed>,
}

/// A name in a directory with what its key adds; that of a directory ends in a slash, which is where it sorts.
struct Child {
    key: Vec<u8>,
    path: std::path::PathBuf,
    is_directory: bool,
}

impl Walk<'_> {
    fn directory(&mut self, directory: &Path, above: &[u8]) -> Result<(), Error> {
        let mut children = Vec::new();
        self.children(directory, above, &mut children)?;
        children.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        for child in children {
            if self.found.len() >= self.wanted {
                break;
            }
            match child.is_directory {
                true => self.directory(&child.path, &child.key)?,
                false => self.object(child)?,
            }
        }
        Ok(())
    }

    /// What is in `directory` and can hold what is wanted; long names are put together again here, as they sort whole.
    fn children(&self, directory: &Path, above: &[u8], into: &mut Vec<Child>) -> Result<(), Error> {
        let entries = match fs::read_dir(directory) {
            // Removed since it was seen, with all that was in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for found in entries {
            let found = found?;
            let Some(entry) = found.file_name().to_str().and_then(entry) else { continue };
            let path = found.path();
            match entry {
                Entry::Long(part) => self.children(&path, &[above, &part].concat(), into)?,
                Entry::Part(part) => {
                    let key = [above, &part, b"/"].concat();
                    if self.may_hold(&key) {
                        into.push(Child { key, path, is_directory: true });
                    }
                }
                Entry::Object(part) => {
                    let key = [above, &part].concat();
                    if key.starts_with(self.prefix) && key.as_slice() > self.after {
                        into.push(Child { key, path, is_directory: false });
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether keys that begin with `key` can be wanted.
    fn may_hold(&self, key: &[u8]) -> bool {
        let matches = key.starts_with(self.prefix) || self.prefix.starts_with(key);
        matches && (key > self.after || self.after.starts_with(key))
    }

    fn object(&mut self, child: Child) -> Result<(), Error> {
        let meta = match fs::metadata(&child.path).map_err(Error::from).and_then(|file| meta(&file)) {
            Err(Error::NotFound) => return Ok(()),
            meta => meta?,
        };
        if let Ok(key) = String::from_utf8(child.key) {
            self.found.push(Listed { key, meta });
        }
        Ok(())
    }
}
