//! Where lines go: a file that can be opened anew under its name, or a standard stream.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tracing_subscriber::fmt::MakeWriter;

/// A file that can be opened anew, or standard error.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    path: Option<PathBuf>,
    file: Arc<ArcSwapOption<File>>,
}

impl Output {
    /// Opens the file at `path`, to append to; standard error without one.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let output =
            Self { path: path.map(Path::to_owned), file: Arc::new(ArcSwapOption::empty()) };
        output.reopen()?;
        Ok(output)
    }

    /// The file as opened last; none is standard error.
    pub(crate) fn file(&self) -> Option<Arc<File>> {
        self.file.load_full()
    }

    /// Opens the file under its name again, after something renamed it. What is written from here
    /// on goes there; when it cannot be opened, into the old one.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        // The mode is given because a daemon's umask is 0.
        let file = OpenOptions::new().append(true).create(true).mode(0o644).open(path)?;
        self.file.store(Some(Arc::new(file)));
        Ok(())
    }
}

/// A line on its way: written whole in one call, so lines of several threads do not mix.
pub(crate) enum LineWriter {
    File(Arc<File>),
    Stderr(io::Stderr),
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        match self.file() {
            Some(file) => LineWriter::File(file),
            None => LineWriter::Stderr(io::stderr()),
        }
    }
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stderr(stderr) => stderr.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
