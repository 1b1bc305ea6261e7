//! Every link of every page leads to something that is there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tidb_connect_docs::Page;

/// The workspace.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// How a crate's README, which is also read elsewhere, links to a file or a folder of the workspace.
const ABSOLUTE: [&str; 2] =
    [concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/"), concat!(env!("CARGO_PKG_REPOSITORY"), "/tree/main/")];

#[test]
fn every_link_leads_somewhere() -> io::Result<()> {
    let pages = pages(Path::new(ROOT))?;
    let mut broken = Vec::new();
    for path in &pages {
        for section in Page::read(path)?.sections {
            for link in section.links {
                if let Err(why) = follow(path, &link)? {
                    let page = path.strip_prefix(ROOT).unwrap_or(path).display();
                    broken.push(format!("{page}, \"{}\": {link}: {why}", section.title));
                }
            }
        }
    }
    assert!(pages.len() > 10, "only {} pages were found", pages.len());
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
    Ok(())
}

/// Follows a link of the page at `path` within the workspace; what is outside is not asked for.
fn follow(path: &Path, link: &str) -> io::Result<Result<(), &'static str>> {
    let folder = path.parent().unwrap_or(path);
    let (folder, link) = match ABSOLUTE.iter().find_map(|prefix| link.strip_prefix(prefix)) {
        Some(inside) => (Path::new(ROOT), inside),
        None if link.contains(':') => return Ok(Ok(())),
        None => (folder, link),
    };
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { path.to_owned() } else { folder.join(file) };
    if !target.exists() {
        return Ok(Err("no such file"));
    }
    Ok(match anchor {
        Some(anchor) if !Page::read(&target)?.has_anchor(anchor) => Err("no such anchor"),
        _ => Ok(()),
    })
}

/// All pages below `folder`, without what is built or hidden.
fn pages(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let name = name.to_string_lossy();
        if name.starts_with('.') || ["node_modules", "target"].contains(&&*name) || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            found.extend(pages(&path)?);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
    Ok(found)
}
