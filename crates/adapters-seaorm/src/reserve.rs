//! Room on the disk that new work cannot have.
//!
//! A file of zeros beside the database. When the disk fills up, new work is turned away while there is still
//! room, and when there is none the file is given up, so that what was accepted can be ended or cancelled.
//! It is made again as soon as there is room, and new work is let in.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) struct Reserve {
    admits: AtomicBool,
    kept: Option<Kept>,
}

struct Kept {
    file: PathBuf,
    size: u64,
    held: Mutex<bool>,
}

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Reserve {
    pub fn none() -> Arc<Self> {
        Arc::new(Self {
            admits: AtomicBool::new(true),
            kept: None,
        })
    }

    /// At most `size`, and at most a twentieth of the disk but 2 MiB at least.
    pub fn beside(database: PathBuf, size: u64) -> Arc<Self> {
        if size == 0 {
            return Self::none();
        }
        let mut name = database.into_os_string();
        name.push(".reserve");
        let file = PathBuf::from(name);
        let disk = space(&file).map_or(u64::MAX, |space| space.total);
        let size = size.min((disk / 20).max(2 << 20));
        // One that an earlier start left is ours, however full the disk is now.
        let held = Mutex::new(std::fs::metadata(&file).is_ok_and(|found| found.len() >= size));
        let reserve = Arc::new(Self {
            admits: AtomicBool::new(true),
            kept: Some(Kept { file, size, held }),
        });
        reserve.look();
        let looking = Arc::downgrade(&reserve);
        tokio::spawn(async move {
            let mut every = tokio::time::interval(LOOK_EVERY);
            loop {
                every.tick().await;
                let Some(reserve) = looking.upgrade() else { return };
                // Looking is quick; making the file again may not be.
                drop(tokio::task::spawn_blocking(move || reserve.look()).await);
            }
        });
        reserve
    }

    /// How long SQLite's log may grow, at most `usual` pages: a checkpoint may make the database longer by as
    /// much, and must fit into what is kept.
    pub fn log_pages(&self, usual: u32) -> u32 {
        const PAGE: u64 = 4096;
        let fits = |kept: &Kept| u32::try_from(kept.size / 2 / PAGE).unwrap_or(usual);
        self.kept
            .as_ref()
            .map_or(usual, |kept| fits(kept).clamp(64, usual))
    }

    pub fn admits_new_work(&self) -> bool {
        self.admits.load(Ordering::Relaxed)
    }

    /// The disk is full: turns new work away until there is room again.
    pub fn turn_away(&self) {
        self.set(false);
    }

    /// Gives up the room kept.
    pub fn release(&self) {
        if let Some(kept) = &self.kept {
            let mut held = kept.held.lock().unwrap_or_else(PoisonError::into_inner);
            if *held {
                tracing::warn!("the disk is full: the reserve is given up for what was accepted already");
                *held = std::fs::remove_file(&kept.file).is_err();
            }
        }
    }

    /// Compares the room there is with the room that is wanted.
    fn look(&self) {
        let Some(kept) = &self.kept else { return };
        let Some(space) = space(&kept.file) else { return };
        let mut held = kept.held.lock().unwrap_or_else(PoisonError::into_inner);
        if *held {
            self.set(
                space.free
                    >= if self.admits_new_work() {
                        kept.size / 2
                    } else {
                        kept.size
                    },
            );
        } else {
            let enough = space.free >= kept.size.saturating_mul(2);
            *held = enough && fill(&kept.file, kept.size).is_ok();
            self.set(*held);
        }
    }

    fn set(&self, admits: bool) {
        if self.admits.swap(admits, Ordering::Relaxed) != admits {
            if admits {
                tracing::info!("there is room on the disk again: new work is let in");
            } else {
                tracing::warn!("the disk is nearly full: new work is turned away");
            }
        }
    }
}

/// Allocates the file's blocks, really.
fn fill(path: &Path, size: u64) -> std::io::Result<()> {
    let file: File = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path)?;
    if file.metadata()?.len() < size {
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size)?;
    }
    Ok(())
}

struct Space {
    free: u64,
    total: u64,
}

fn space(file: &Path) -> Option<Space> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(Space {
        free: stat.f_bavail * stat.f_frsize,
        total: stat.f_blocks * stat.f_frsize,
    })
}
