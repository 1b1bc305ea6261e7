//! README.zh.md says what README.md says.

use std::{io, path::Path};

use tidb_connect_docs::{Page, Section};

/// Both pages, which must have the same headings for anything else to be compared.
fn both() -> io::Result<Vec<(Section, Section)>> {
    let read = |name| Page::read(&Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(name));
    let (english, chinese) = (read("README.md")?.sections, read("README.zh.md")?.sections);
    let levels = |sections: &[Section]| sections.iter().map(|section| section.level).collect::<Vec<_>>();
    assert_eq!(levels(&english), levels(&chinese), "the levels of the headings in README.md and in README.zh.md");
    Ok(english.into_iter().zip(chinese).collect())
}

#[test]
fn code_tables_and_links_are_the_same() -> io::Result<()> {
    for (english, chinese) in both()? {
        let title = english.title;
        assert_eq!(english.code, chinese.code, "the code under \"{title}\"");
        assert_eq!(english.tables, chinese.tables, "the columns and rows of the tables under \"{title}\"");
        // Another language has another order of words.
        let sorted = |mut links: Vec<String>| {
            links.sort();
            links
        };
        assert_eq!(sorted(english.links), sorted(chinese.links), "where the links under \"{title}\" lead");
    }
    Ok(())
}

#[test]
fn every_section_has_been_translated_as_it_is() -> io::Result<()> {
    let mut changed = Vec::new();
    for (english, chinese) in both()? {
        let mark = format!("<!-- en: {:08x} -->", crc32fast::hash(english.source.as_bytes()));
        if !chinese.source.contains(&mark) {
            changed.push(format!("\"{}\": {mark}", english.title));
        }
    }
    assert!(
        changed.is_empty(),
        "these sections of README.md have changed; look at each in README.zh.md, then write below its heading there:\n{}",
        changed.join("\n")
    );
    Ok(())
}
