//! Reading `.env`.

use std::{collections::HashMap, fs, io, path::Path};

use tidb_connect_core::{Error, ErrorKind, Result, Settings};

/// The variables in the file at `path`; none when there is no such file.
///
/// A `$` in one of our settings would be substituted silently, and turn a password into another one; so it is refused
/// unless single quotes protect it. No error shows a line's text, which may hold the password.
pub(crate) fn read(path: &Path) -> Result<HashMap<String, String>> {
    let name = path.display();
    let wrong = |message: String| Error::new(ErrorKind::Config, message);
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        read => read.map_err(|error| {
            wrong(format!("{name} cannot be read: make it a text file that you may read")).with_source(error)
        })?,
    };
    for (number, line) in (1..).zip(text.lines()) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let key = key.trim().trim_start_matches("export ").trim();
        let substituted = value.contains('$') && !value.trim_start().starts_with('\'');
        if substituted && Settings::variables().any(|variable| variable == key) {
            return Err(wrong(format!("line {number} of {name} has a $ in {key}: put the value in single quotes")));
        }
    }
    parse(&text).map_err(|_| {
        // The library reports a part of the line's text, which must not be shown, and not its number.
        let lines: Vec<&str> = text.lines().collect();
        let good = (0..lines.len()).rev().find(|&count| parse(&lines[..count].join("\n")).is_ok()).unwrap_or(0);
        wrong(format!("line {} of {name} is not of the form NAME=value: quote a value with spaces", good + 1))
    })
}

fn parse(text: &str) -> dotenvy::Result<HashMap<String, String>> {
    dotenvy::from_read_iter(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<HashMap<String, String>> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), text).expect("written");
        read(file.path())
    }

    #[test]
    fn a_malformed_line_is_named_and_not_shown() {
        let said = read_text("# settings\nTIDB_HOST=localhost\n\nTIDB_PASSWORD=can ary\n").expect_err("malformed");
        assert!(said.to_string().contains("line 4 of "), "{said}");
        assert!(!format!("{said} {said:?}").contains("ary"), "{said:?}");
    }

    #[test]
    fn a_dollar_must_be_quoted() {
        let said = read_text("TIDB_PASSWORD=pa$word\n").expect_err("would be substituted").to_string();
        assert!(said.contains("line 1 of ") && said.contains("TIDB_PASSWORD") && !said.contains("word in"), "{said}");
        let read = read_text("TIDB_PASSWORD='pa$word'\nOTHER=$HOME\n").expect("quoted");
        assert_eq!(read["TIDB_PASSWORD"], "pa$word");
    }

    #[test]
    fn no_file_is_no_variables() {
        assert!(read(Path::new("/nowhere/.env")).expect("nothing to read").is_empty());
    }
}
