//! What the command line names → judged files, with their texts for excerpts.

use crate::manifest::{
    ManifestFile, Snapshot,
    parse::{MAX_FILE_SIZE, ParseOptions, Parsed, parse_file},
    watch,
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The name of standard input in reports.
pub const STDIN: &str = "<stdin>";

/// What was read.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Files and what was ignored, of all that was named.
    pub snapshot: Snapshot,
    /// Texts of files that something was found in.
    pub texts: BTreeMap<PathBuf, String>,
    /// Whether a whole directory was named, so that what is missing is missing.
    pub has_directory: bool,
}

/// Something named on the command line that can not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct InputError {
    path: PathBuf,
    error: io::Error,
}

/// Reads everything that is named.
pub fn read(paths: &[PathBuf], options: &ParseOptions, stdin: &mut dyn Read) -> Result<Inputs, InputError> {
    let mut inputs = Inputs::default();
    for path in paths {
        one(path, options, stdin, &mut inputs).map_err(|error| InputError { path: path.clone(), error })?;
    }
    Ok(inputs)
}

fn one(path: &Path, options: &ParseOptions, stdin: &mut dyn Read, inputs: &mut Inputs) -> io::Result<()> {
    if path.as_os_str() == "-" {
        let bytes = limited(stdin)?;
        inputs.take(Path::new(STDIN), &bytes, options);
        return Ok(());
    }
    if path.is_dir() {
        let texts = &mut inputs.texts;
        let found = watch::once(path, |path, bytes| judge(path, bytes, options, texts))?;
        inputs.snapshot.files.extend(found.files);
        inputs.snapshot.ignored.extend(found.ignored);
        inputs.has_directory = true;
        return Ok(());
    }
    // Whoever names a pipe means it, as in `validate <(helm template …)`.
    let bytes = limited(&mut File::open(path)?)?;
    inputs.take(path, &bytes, options);
    Ok(())
}

/// One byte more than is allowed shows that there was more.
fn limited(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_FILE_SIZE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn judge(path: &Path, bytes: &[u8], options: &ParseOptions, texts: &mut BTreeMap<PathBuf, String>) -> Parsed {
    let parsed = parse_file(path, bytes, options);
    if !parsed.diagnostics.is_empty() || path.as_os_str() == STDIN {
        texts.insert(path.to_owned(), text(bytes));
    }
    parsed
}

/// The text that places count in.
pub fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
}

impl Inputs {
    fn take(&mut self, path: &Path, bytes: &[u8], options: &ParseOptions) {
        let parsed = judge(path, bytes, options, &mut self.texts);
        let objects = (!parsed.is_refused()).then(|| Arc::new(parsed.objects));
        let file = ManifestFile { last_good: objects.clone(), objects, diagnostics: parsed.diagnostics };
        self.snapshot.files.insert(path.to_owned(), file);
    }
}
