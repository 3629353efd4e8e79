//! Tables as wide as the terminal, with what is long wrapped.

use std::io::IsTerminal;

use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, presets};

/// The width where there is no terminal.
const WIDTH: u16 = 100;

/// An empty table with this head.
pub fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_header(head);
    if !std::io::stdout().is_terminal() {
        table.set_width(WIDTH);
    }
    table
}

/// An empty table with this head, for rows of one line each: nothing stands between them.
pub fn compact<const N: usize>(head: [&str; N]) -> Table {
    let mut table = table(head);
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table
}

/// Keeps the first columns on one line each; the others share what is left.
pub fn keep_whole(table: &mut Table, columns: usize) {
    for column in table.column_iter_mut().take(columns) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}
