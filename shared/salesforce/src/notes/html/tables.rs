//! The kinds of tables: those with data, and those that only place blocks on a page.

use super::tags::{Role, role};
use super::tokens::Token;

#[derive(Default)]
struct Table {
    has_table: bool,
    /// The number of cells of the current row, and of the longest.
    cells: usize,
    most_cells: usize,
}

/// Returns for each table, last first, whether its rows are written as lines of cells: a row has several cells, and no cell has
/// a table of its own. Of another table, each cell is a block.
pub(super) fn data_tables(tokens: &[Token]) -> Vec<bool> {
    let (mut tables, mut open): (Vec<Table>, Vec<usize>) = (Vec::new(), Vec::new());
    for token in tokens {
        match token {
            Token::Start { name, .. } if role(name) == Role::Table => {
                if let Some(outer) = open.last().and_then(|at| tables.get_mut(*at)) {
                    outer.has_table = true;
                }
                open.push(tables.len());
                tables.push(Table::default());
            }
            Token::End(name) if role(name) == Role::Table => drop(open.pop()),
            Token::Start { name, .. } => {
                let Some(table) = open.last().and_then(|at| tables.get_mut(*at)) else { continue };
                match role(name) {
                    Role::Row => table.cells = 0,
                    Role::Cell | Role::HeaderCell => {
                        table.cells += 1;
                        table.most_cells = table.most_cells.max(table.cells);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    tables.iter().rev().map(|table| !table.has_table && table.most_cells > 1).collect()
}
