//! Reading `.env`.

use std::{collections::HashMap, fs, io, path::Path};

use tidb_connect_core::{Error, ErrorKind, Result, Settings};

/// The variables in the file at `path`; none when there is no such file.
///
/// Written as for a shell: `NAME=value`, perhaps after `export`, with `#` before comments. `'single quotes'` keep what
/// is between them, lines included; in `"double quotes"` and without quotes a backslash protects the next character, and
/// `\n` is the end of a line.
///
/// A line of another program's that cannot be read like that is passed over.
///
/// Nothing is substituted: a shell would put something else in the place of a `$`, and turn a password into another one,
/// so one of our settings with a `$` is refused unless single quotes or a backslash protect it. No error shows a line's
/// text, which may hold the password.
pub(crate) fn read(path: &Path) -> Result<HashMap<String, String>> {
    let name = path.display();
    let wrong = |message: String| Error::new(ErrorKind::Config, message);
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        read => read.map_err(|error| {
            wrong(format!("{name} cannot be read: make it a text file that you may read")).with_source(error)
        })?,
    };
    // Editors on Windows begin a file with it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (mut variables, mut rest) = (HashMap::new(), text);
    while !rest.is_empty() {
        let before = &text[..text.len() - rest.len()];
        let place = || format!("line {} of {name}", before.matches('\n').count() + 1);
        let (line, after_line) = rest.split_once('\n').unwrap_or((rest, ""));
        // A quote that another program's line leaves open must not swallow a setting of ours.
        let swallows = |after: &str| {
            let read = &rest[..rest.len() - after.len()];
            ours(line).is_none() && read.lines().skip(1).any(|line| ours(line).is_some())
        };
        let Some((variable, after)) = next(rest).filter(|(_, after)| !swallows(after)) else {
            if let Some(key) = ours(line) {
                let problem = problem(line);
                return Err(wrong(format!("{} sets {key}, and {problem}", place())));
            }
            rest = after_line;
            continue;
        };
        rest = after;
        let Some(Variable { key, value, substituted }) = variable else { continue };
        if substituted && Settings::variables().any(|ours| ours == key) {
            return Err(wrong(format!(
                "{} has a $ in {key}, and nothing is substituted here: write the value itself, in single quotes where it \
                 has a $",
                place()
            )));
        }
        variables.insert(key.to_owned(), value);
    }
    Ok(variables)
}

/// The name of ours that a malformed line sets.
fn ours(line: &str) -> Option<&'static str> {
    let name = line.split_once('=').map_or(line, |(name, _)| name).trim();
    let name = name.strip_prefix("export").filter(|rest| rest.starts_with(char::is_whitespace)).unwrap_or(name).trim();
    Settings::variables().find(|ours| *ours == name)
}

/// What is wrong with the value of a malformed line, without showing it.
fn problem(line: &str) -> &'static str {
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    let quotes = |quote: char| value.matches(quote).count();
    if quotes('\'') % 2 == 1 && quotes('"') == 0 {
        "has a single quote that is not closed: put the value in double quotes, or a backslash before the quote"
    } else if quotes('\'') % 2 == 1 || quotes('"') % 2 == 1 {
        "has a quote that is not closed: put the whole value in quotes of the other kind"
    } else if value.contains('\\') {
        "has a backslash that protects nothing: put the value in single quotes"
    } else if value.contains(char::is_whitespace) {
        "has a space in its value: put the value in single quotes"
    } else {
        "is not of the form NAME=value"
    }
}

struct Variable<'a> {
    key: &'a str,
    value: String,
    /// Whether a shell would substitute something.
    substituted: bool,
}

/// The variable at the beginning of `text`, if its first line is not blank, and what follows; `None` if it is malformed.
fn next(text: &str) -> Option<(Option<Variable<'_>>, &str)> {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.trim_start();
    if line.is_empty() || line.starts_with('#') {
        return Some((None, rest));
    }
    let (key, _) = line.split_once('=')?;
    let mut words = key.split_whitespace();
    let key = match (words.next()?, words.next(), words.next()) {
        (key, None, _) | ("export", Some(key), None) => key,
        _ => return None,
    };
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !key.starts_with(first) || !key.chars().all(|c| first(c) || c.is_ascii_digit() || c == '.') {
        return None;
    }
    let (value, substituted, rest) = value(text.split_once('=')?.1)?;
    Some((Some(Variable { key, value, substituted }), rest))
}

/// The value at the beginning of `text`, whether it has a `$` that nothing protects, and the lines that follow.
fn value(text: &str) -> Option<(String, bool, &str)> {
    let (mut value, mut substituted) = (String::new(), false);
    let mut quote = None;
    let indented = text.trim_start_matches([' ', '\t']);
    // What comes after a space that no quotes protect can only be a comment.
    let mut ended = indented.len() < text.len() && indented.starts_with('#');
    let mut chars = indented.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, '\n') => return Some((value, substituted, &indented[at + 1..])),
            (None, c) if c.is_whitespace() => ended = true,
            (None, '#') if ended => {
                let rest = indented[at..].split_once('\n').map_or("", |(_, rest)| rest);
                return Some((value, substituted, rest));
            }
            (None, _) if ended => return None,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => match chars.next()?.1 {
                'n' => value.push('\n'),
                c @ ('\\' | '\'' | '"' | '$' | ' ' | '#') => value.push(c),
                _ => return None,
            },
            (quote, c) => {
                substituted |= c == '$' && quote != Some('\'');
                value.push(c);
            }
        }
    }
    quote.is_none().then_some((value, substituted, ""))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<HashMap<String, String>> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), bytes).expect("written");
        read(file.path())
    }

    fn read_text(text: &str) -> Result<HashMap<String, String>> {
        read_bytes(text.as_bytes())
    }

    /// Everything that a program could print about an error.
    fn all_output(error: &Error) -> String {
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        causes.map(|error| format!("{error} {error:?}")).collect()
    }

    #[test]
    fn a_malformed_line_is_named_and_not_shown() {
        let said = read_text("# settings\nTIDB_HOST=localhost\n\nTIDB_PASSWORD=can ary\n").expect_err("malformed");
        assert!(said.to_string().contains("line 4 of "), "{said}");
        assert!(!format!("{said} {said:?}").contains("ary"), "{said:?}");
        for (malformed, advice) in [
            ("TIDB_PASSWORD='open\n", "single quote that is not closed"),
            ("TIDB_PASSWORD=it's", "single quote that is not closed"),
            ("TIDB_PASSWORD=\"open", "quote that is not closed"),
            ("export TIDB_PASSWORD=\"it's", "quote that is not closed"),
            ("TIDB_PASSWORD=end\\", "backslash"),
            ("TIDB_PASSWORD=\\q", "backslash"),
            ("TIDB_PASSWORD=a b", "space in its value"),
            ("TIDB_HOST", "not of the form NAME=value"),
        ] {
            let said = read_text(&format!("A='1\n2'\n{malformed}")).expect_err("malformed").to_string();
            assert!(said.contains("line 3 of ") && said.contains(advice), "{malformed}: {said}");
        }
    }

    #[test]
    fn a_line_of_another_program_is_passed_over() {
        for foreign in [
            "APP_NAME=My App",
            "1A=b",
            "A B=c",
            "word",
            "NAME=it's",
            "PATH_=\"$HOME",
            "TIDBX=a b",
            "- item",
            "{",
            "A=\\q",
        ] {
            let read = read_text(&format!("{foreign}\nTIDB_HOST=db\n{foreign}\nTIDB_PORT=4001\n{foreign}"));
            let read = read.unwrap_or_else(|error| panic!("{foreign}: {error}"));
            assert_eq!((read["TIDB_HOST"].as_str(), read["TIDB_PORT"].as_str()), ("db", "4001"), "{foreign}");
        }
    }

    #[test]
    fn a_dollar_must_be_quoted() {
        let said = read_text("TIDB_PASSWORD=pa$word\n").expect_err("would be substituted").to_string();
        assert!(said.contains("line 1 of ") && said.contains("TIDB_PASSWORD") && !said.contains("word in"), "{said}");
        let read = read_text("TIDB_PASSWORD='pa$word'\nOTHER=$HOME\n").expect("quoted");
        assert_eq!(read["TIDB_PASSWORD"], "pa$word");
        for hidden in
            ["export\tTIDB_PASSWORD=$a", "TIDB_PASSWORD='a'$b", "TIDB_PASSWORD=\"a\n$b\"", "TIDB_PASSWORD =\"$\""]
        {
            assert!(read_text(hidden).is_err(), "{hidden}");
        }
    }

    #[test]
    fn values_are_read_as_a_shell_reads_them() {
        for (text, expected) in [
            ("A=b", "b"),
            ("\u{feff}A=b\r\n", "b"),
            ("  export A = b # c", "b"),
            ("A=", ""),
            ("A= # none", ""),
            ("A=#b", "#b"),
            ("A=b#c", "b#c"),
            ("A='b\\'\nB='c'", "b\\"),
            ("A=\"b \\\"c\\\"\" # d", "b \"c\""),
            ("A=b\\ c", "b c"),
            ("A='b'\"c\"d", "bcd"),
            ("A=b=c", "b=c"),
            ("A=1\nA=2", "2"),
        ] {
            assert_eq!(read_text(text).unwrap_or_else(|error| panic!("{text}: {error}"))["A"], expected, "{text}");
        }
    }

    #[test]
    fn no_file_is_no_variables() {
        assert!(read(Path::new("/nowhere/.env")).expect("nothing to read").is_empty());
    }

    /// Lines of what `.env` is made of, and of anything.
    fn text() -> impl Strategy<Value = String> {
        let pieces = [
            "TIDB_PASSWORD",
            "export",
            "A",
            "=",
            " ",
            "\t",
            "\n",
            "\r\n",
            "'",
            "\"",
            "\\",
            "$",
            "{",
            "}",
            "#",
            "é",
            "\u{feff}",
            "\u{a0}",
        ];
        prop_oneof![
            vec(select(pieces.to_vec()), 0..16).prop_map(|pieces| pieces.concat()),
            vec(any::<char>(), 0..16).prop_map(String::from_iter),
        ]
    }

    fn ours() -> impl Strategy<Value = &'static str> {
        select(Settings::variables().collect::<Vec<_>>())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_make_it_panic(text in text(), bytes in vec(any::<u8>(), 0..16)) {
            drop(read_text(&text));
            drop(read_bytes(&[text.as_bytes(), &bytes].concat()));
        }

        #[test]
        fn no_error_shows_a_value(name in ours(), before in text(), (left, right) in (text(), text()), after in text()) {
            let text = format!("{before}\n{name}={left}canary{right}\n{after}");
            if let Err(error) = read_text(&text) {
                prop_assert!(!all_output(&error).contains("canary"), "{:?}", error);
            }
        }

        #[test]
        fn a_dollar_stays_or_is_refused(
            (name, start) in (ours(), select(&["", "export ", "export\t", " "][..])),
            before in text(),
            value in prop_oneof![vec(select(&["'", "\"", "\\", " ", "\n", "a"][..]), 0..6).prop_map(|all| all.concat()), text()],
            at in any::<prop::sample::Index>(),
        ) {
            let places: Vec<_> = (0..=value.len()).filter(|&place| value.is_char_boundary(place)).collect();
            let (left, right) = value.split_at(*at.get(&places));
            let with = |c: char| read_text(&format!("{before}\n{start}{name}={left}{c}HOME{right}"));
            // A letter that nothing is substituted for shows where the dollar belongs.
            if let (Ok(read), Ok(unsubstituted)) = (with('$'), with('\u{10ffff}')) {
                let expected = unsubstituted.get(name).map(|value| value.replace('\u{10ffff}', "$"));
                prop_assert_eq!(read.get(name), expected.as_ref());
            }
        }

        #[test]
        fn what_is_quoted_comes_back_as_written(
            values in vec((ours(), vec(prop_oneof![any::<char>(), select(&['$', '\\', '"', '\n', '#', ' '][..])], 0..12)), 1..4),
            double in any::<bool>(),
        ) {
            let values: Vec<_> = values.into_iter().map(|(name, value)| (name, String::from_iter(value))).collect();
            let lines = values.iter().map(|(name, value)| if double {
                format!("{name}=\"{}\"\n", value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
            } else {
                format!("export {name} = '{}' # it's\n", value.replace('\'', "'\\''"))
            });
            let read = read_text(&lines.collect::<String>()).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let expected = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<HashMap<_, _>>();
            prop_assert_eq!(read, expected);
        }
    }
}
