//! A run in a terminal.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::{
    Report,
    view::{Cell, Said, View},
};
use crate::Changes;

impl Report<'_> {
    /// As tables that are `width` columns wide; only what has changed, where that is asked for.
    #[must_use]
    pub fn text(&self, width: u16) -> String {
        let view = View::new(self);
        match self.changes {
            Some(changes) => changed(&view, changes, width),
            None => answered(&view, width),
        }
    }
}

fn answered(view: &View<'_>, width: u16) -> String {
    let mut text = format!("{}, {}\n", view.server, view.date);
    for chapter in &view.chapters {
        let mut table = table(width);
        let names = view.drivers.iter().map(|driver| format!("{} {}", driver.name, driver.version));
        table.set_header([chapter.title.to_owned()].into_iter().chain(names));
        for row in &chapter.rows {
            let mark = if row.differs { "≠ " } else { "" };
            let asked = format!("{mark}{}\n{}\n→ {}", row.id, row.question, row.meaning);
            let answers = view.drivers.iter().map(|driver| {
                row.cells.iter().find(|cell| cell.driver == driver.name).map_or_else(String::new, answer)
            });
            table.add_row([asked].into_iter().chain(answers));
        }
        // The questions are longer than the answers.
        if let Some(column) = table.column_mut(0) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Percentage(34)));
        }
        text += &format!("\n{table}\n");
    }
    for declined in &view.declined {
        text += &format!("\nnot asked: {} ({}): {}\n", declined.question, declined.id, declined.meaning);
    }
    if !view.costs.is_empty() {
        let mut table = table(width);
        table.set_header(["cost", "crates", "release build", "program", "Rust", "unsafe lines"]);
        for cost in &view.costs {
            let seconds = format!("{} s", cost.cost.compile_seconds);
            let size = format!("{} KiB", cost.cost.binary_bytes / 1024);
            let (crates, lines) = (cost.cost.crates.to_string(), cost.cost.unsafe_lines.to_string());
            table.add_row([cost.name, &crates, &seconds, &size, &cost.cost.rust_version, &lines]);
        }
        text += &format!("\n{table}\n");
    }
    text + &format!("\n≠ {} of {} questions are answered differently\n", view.differing, view.asked)
}

fn answer(cell: &Cell<'_>) -> String {
    let said = |said: &Said<'_>| said.text.map_or_else(|| "not observable".to_owned(), ToOwned::to_owned);
    let ours = cell.ours.as_ref().map_or_else(String::new, |ours| format!("\nours: {}", said(ours)));
    said(&cell.as_it_comes) + &ours
}

fn changed(view: &View<'_>, changes: &Changes, width: u16) -> String {
    let mut text = format!("{} on {}\nagainst {} on {}\n", view.date, view.server, changes.since, changes.server);
    if changes.drivers.is_empty() && changes.answers.is_empty() {
        return text + "\nnothing has changed\n";
    }
    let mut table = table(width);
    table.set_header(["", "crate", "was", "is"]);
    let none = || "no answer".to_owned();
    for change in changes.drivers.iter().chain(&changes.answers) {
        let what = change.id.clone().unwrap_or_else(|| "version".to_owned());
        let (before, after) = (change.before.clone(), change.after.clone());
        table.add_row([what, change.name.clone(), before.unwrap_or_else(none), after.unwrap_or_else(none)]);
    }
    text += &format!("\n{table}\n");
    text
}

fn table(width: u16) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table
}
