//! Finds the files to import and reads them, a line at a time where they have lines.
//!
//! It promises: bounded memory for NDJSON whatever the file holds; a file that cannot be read, or a line that is no text,
//! is a rejection like any other and the rest is read.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use super::fhir::{Emit, Found, Place, Rejected, read_document};

/// A line may hold a bundle; this is far more than a server takes for one resource.
const LONGEST_LINE: u64 = 64 << 20;
/// A JSON document has to be in memory as a whole.
const LONGEST_DOCUMENT: u64 = 512 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One document a line.
    Lines,
    /// One document.
    Whole,
}

/// One file to import.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    name: Arc<str>,
    form: Form,
    pub bytes: u64,
}

/// The files that the paths stand for: in the order given, a folder's in the order of their names.
pub fn discover(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        let name = path.display();
        let metadata = fs::metadata(path).with_context(|| format!("cannot read {name}"))?;
        let before = sources.len();
        if metadata.is_dir() {
            walk(path, &mut sources).with_context(|| format!("cannot read the folder {name}"))?;
            if sources.len() == before {
                bail!("there is no .ndjson, .jsonl or .json file in {name}");
            }
        } else if let Some(form) = form_of(path) {
            sources.push(Source {
                path: path.clone(),
                name: path.to_string_lossy().into(),
                form,
                bytes: metadata.len(),
            });
        } else {
            bail!("{name} is neither .ndjson, .jsonl nor .json");
        }
    }
    Ok(sources)
}

fn walk(folder: &Path, sources: &mut Vec<Source>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        // Hidden files are other programs' (`.DS_Store`, `._patients.json`).
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        // Linked folders are left out: they may lead back to here.
        if entry.file_type()?.is_dir() {
            walk(&path, sources)?;
        } else if let Some(form) = form_of(&path)
            && let Ok(metadata) = fs::metadata(&path)
            && metadata.is_file()
        {
            sources.push(Source {
                name: path.to_string_lossy().into(),
                path,
                form,
                bytes: metadata.len(),
            });
        }
    }
    Ok(())
}

fn form_of(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "ndjson" | "jsonl" => Some(Form::Lines),
        "json" => Some(Form::Whole),
        _ => None,
    }
}

impl Source {
    /// Reads the file; blocks.
    pub fn read(&self, emit: &mut Emit<'_>) -> ControlFlow<()> {
        let read = File::open(&self.path)
            .map(BufReader::new)
            .and_then(|mut file| match self.form {
                Form::Lines => read_lines(&mut file, &self.name, LONGEST_LINE, emit),
                Form::Whole => read_whole(&mut file, &self.name, LONGEST_DOCUMENT, emit),
            });
        match read {
            Ok(flow) => flow,
            Err(error) => emit(rejected(&self.place(), 0, format!("cannot be read: {error}"))),
        }
    }

    fn place(&self) -> Place {
        Place {
            file: self.name.clone(),
            line: None,
            entry: None,
        }
    }
}

fn read_whole(
    input: &mut impl BufRead,
    name: &Arc<str>,
    longest: u64,
    emit: &mut Emit<'_>,
) -> io::Result<ControlFlow<()>> {
    let place = Place {
        file: name.clone(),
        line: None,
        entry: None,
    };
    let mut bytes = Vec::new();
    let length = input.take(longest + 1).read_to_end(&mut bytes)? as u64;
    if length > longest {
        let reason = "the file is too large for one JSON document; write it as NDJSON, one resource a line";
        return Ok(emit(rejected(&place, length, reason.to_owned())));
    }
    Ok(read_bytes(
        bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes),
        length,
        &place,
        emit,
    ))
}

fn read_lines(
    input: &mut impl BufRead,
    name: &Arc<str>,
    longest: u64,
    emit: &mut Emit<'_>,
) -> io::Result<ControlFlow<()>> {
    let mut buffer = Vec::new();
    for number in 1.. {
        buffer.clear();
        let mut length = input.take(longest + 1).read_until(b'\n', &mut buffer)? as u64;
        if length == 0 {
            break;
        }
        let place = Place {
            file: name.clone(),
            line: Some(number),
            entry: None,
        };
        let flow = if length > longest {
            if !buffer.ends_with(b"\n") {
                length += input.skip_until(b'\n')? as u64;
            }
            // The room for one giant line is not kept for all that follow.
            buffer = Vec::new();
            emit(rejected(&place, length, "the line is too long".to_owned()))
        } else {
            let line = if number == 1 {
                buffer.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&buffer)
            } else {
                &buffer
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            read_bytes(line, length, &place, emit)
        };
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn read_bytes(bytes: &[u8], length: u64, place: &Place, emit: &mut Emit<'_>) -> ControlFlow<()> {
    match str::from_utf8(bytes) {
        Ok(text) => read_document(text, length, place, emit),
        Err(_) => emit(rejected(place, length, "not UTF-8".to_owned())),
    }
}

fn rejected(place: &Place, bytes: u64, reason: String) -> Found {
    Found {
        item: Err(Rejected {
            place: place.clone(),
            kind: None,
            id: None,
            reason,
        }),
        bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8], longest: u64) -> Vec<(String, Result<String, String>)> {
        let mut seen = Vec::new();
        let mut emit = |found: Found| {
            seen.push(match found.item {
                Ok(record) => (record.place.to_string(), Ok(record.id)),
                Err(rejected) => (rejected.place.to_string(), Err(rejected.reason)),
            });
            ControlFlow::Continue(())
        };
        let flow = read_lines(&mut &*input, &"f".into(), longest, &mut emit).expect("readable");
        assert!(flow.is_continue());
        seen
    }

    #[test]
    fn blank_lines_are_skipped_and_counted() {
        let input = b"\xEF\xBB\xBF{\"resourceType\":\"A\",\"id\":\"1\"}\r\n\n  \n{\"resourceType\":\"A\",\"id\":\"2\"}";
        assert_eq!(
            lines(input, 100),
            [
                ("f:1".to_owned(), Ok("1".to_owned())),
                ("f:4".to_owned(), Ok("2".to_owned()))
            ]
        );
    }

    #[test]
    fn a_line_that_is_too_long_or_no_text_does_not_stop_the_reading() {
        let mut input = vec![b' '; 200];
        input.extend(b"\n\xFF\n{\"resourceType\":\"A\",\"id\":\"3\"}\n");
        let reasons = lines(&input, 50);
        assert_eq!(
            reasons[0],
            ("f:1".to_owned(), Err("the line is too long".to_owned()))
        );
        assert_eq!(reasons[1], ("f:2".to_owned(), Err("not UTF-8".to_owned())));
        assert_eq!(reasons[2], ("f:3".to_owned(), Ok("3".to_owned())));
    }

    #[test]
    fn the_longest_line_is_still_read() {
        let line = b"{\"resourceType\":\"A\",\"id\":\"3\"}";
        assert!(lines(line, line.len() as u64)[0].1.is_ok());
        assert!(lines(line, line.len() as u64 - 1)[0].1.is_err());
    }

    #[test]
    fn folders_are_walked_in_the_order_of_names() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("b")).expect("made");
        for name in ["c.JSON", "b/x.jsonl", "a.ndjson", "a.txt", ".hidden.json"] {
            fs::write(folder.path().join(name), "{}").expect("written");
        }
        let sources = discover(&[folder.path().to_owned()]).expect("files");
        let names: Vec<_> = sources
            .iter()
            .map(|source| {
                source
                    .path
                    .strip_prefix(folder.path())
                    .expect("inside")
                    .to_owned()
            })
            .collect();
        assert_eq!(names, ["a.ndjson", "b/x.jsonl", "c.JSON"].map(PathBuf::from));
        assert_eq!(sources[0].bytes, 2);
    }

    #[test]
    fn wrong_paths_are_told_before_anything_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = folder.path().join("a.txt");
        fs::write(&text, "").expect("written");
        for path in [folder.path().to_owned(), text, folder.path().join("missing.json")] {
            assert!(discover(&[path]).is_err());
        }
    }
}
