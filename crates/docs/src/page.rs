//! A page of Markdown, as far as the checks look into it.

use std::{fs, io, path::Path};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page, cut at its headings.
#[derive(Debug)]
pub struct Page {
    /// The first begins with the first heading, or with the page where there is none.
    pub sections: Vec<Section>,
}

/// A heading, and what follows up to the next one of any level.
#[derive(Debug, Default)]
pub struct Section {
    /// The heading's text.
    pub title: String,
    /// The heading's level, from 1; 0 before the first heading.
    pub level: usize,
    /// The Markdown, heading included.
    pub source: String,
    /// The blocks of code, each after its language.
    pub code: Vec<String>,
    /// The columns and rows of each table, its head included.
    pub tables: Vec<(usize, usize)>,
    /// Where links and pictures lead.
    pub links: Vec<String>,
    /// What links can name: the heading as GitHub spells it in an address, and the `id`s in the text.
    pub anchors: Vec<String>,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(Self::parse(&fs::read_to_string(path)?))
    }

    fn parse(text: &str) -> Self {
        let mut sections = vec![Section::default()];
        let mut starts = vec![0];
        let (mut in_heading, mut in_code) = (false, false);
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            if let Event::Start(Tag::Heading { level, .. }) = event {
                in_heading = true;
                sections.push(Section { level: level as usize, ..Section::default() });
                starts.push(range.start);
                continue;
            }
            let Some(section) = sections.last_mut() else { continue };
            match event {
                Event::End(TagEnd::Heading(_)) => {
                    in_heading = false;
                    section.anchors.push(anchor(&section.title));
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    in_code = true;
                    let language = if let CodeBlockKind::Fenced(language) = kind { language } else { "".into() };
                    section.code.push(format!("{language}\n"));
                }
                Event::End(TagEnd::CodeBlock) => in_code = false,
                Event::Start(Tag::Table(columns)) => section.tables.push((columns.len(), 0)),
                Event::Start(Tag::TableHead | Tag::TableRow) => {
                    section.tables.last_mut().into_iter().for_each(|(_, rows)| *rows += 1);
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    section.links.push(dest_url.into_string());
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    section.links.extend(["href", "src", "srcset"].iter().flat_map(|name| values(&html, name)));
                    section.anchors.extend(values(&html, "id"));
                }
                Event::Text(text) if in_code => {
                    section.code.last_mut().into_iter().for_each(|code| code.push_str(&text))
                }
                Event::Text(text) | Event::Code(text) if in_heading => section.title.push_str(&text),
                _ => {}
            }
        }
        starts.push(text.len());
        for (section, bounds) in sections.iter_mut().zip(starts.windows(2)) {
            section.source = text[bounds[0]..bounds[1]].trim_end().to_owned();
        }
        sections.retain(|section| !section.source.is_empty());
        Self { sections }
    }

    /// Whether a link to `#name` finds something here.
    #[must_use]
    pub fn has_anchor(&self, name: &str) -> bool {
        self.sections.iter().flat_map(|section| &section.anchors).any(|anchor| anchor == name)
    }
}

/// A heading as GitHub spells it in an address. Headings that are the same get numbers there, which nothing here uses.
fn anchor(title: &str) -> String {
    let kept = |c: char| (c.is_alphanumeric() || "-_".contains(c)).then_some(c);
    title.to_lowercase().chars().filter_map(|c| if c == ' ' { Some('-') } else { kept(c) }).collect()
}

/// The values of an attribute, as we write HTML: in double quotes.
fn values(html: &str, name: &str) -> Vec<String> {
    html.split(&format!(" {name}=\"")).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}
