//! The position of an error in a query, in Salesforce's format: a part of the query, a caret below it, and row and
//! column.

use crate::model::errors::ApiError;

/// Characters shown on either side of the position, up to the next blank or comma (seen in public error reports).
const AROUND: usize = 30;

/// Returns an error that points at the byte `offset` of the query.
pub(crate) fn at(code: &'static str, text: &str, offset: usize, message: &str) -> ApiError {
    let before = text.get(..offset).unwrap_or(text);
    let row = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let line: Vec<char> = text.split('\n').nth(row - 1).unwrap_or_default().chars().filter(|c| *c != '\r').collect();
    let breaks = |at: usize| line.get(at).is_none_or(|c| c.is_whitespace() || *c == ',');
    let mut start = column.min(line.len()).saturating_sub(AROUND);
    while start > 0 && !breaks(start - 1) {
        start -= 1;
    }
    let mut end = (column + AROUND).min(line.len());
    while end < line.len() && !breaks(end) {
        end += 1;
    }
    let shown: String = line.get(start..end).unwrap_or_default().iter().collect();
    let caret = " ".repeat(column.saturating_sub(start));
    ApiError::new(code, format!("\n{shown}\n{caret}^\nERROR at Row:{row}:Column:{}\n{message}", column + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_query_is_shown_whole() {
        let error = at("INVALID_FIELD", "SELECT Id, Nope FROM Account", 11, "No such column");
        assert_eq!(
            error.message,
            "\nSELECT Id, Nope FROM Account\n           ^\nERROR at Row:1:Column:12\nNo such column"
        );
    }

    #[test]
    fn a_long_query_is_shortened_around_the_position() {
        let query = "SELECT First__c, WebEmail__c, Case_Resolution_Summary__c, MW_Case_ID__c, Escalation_Helper_Contact__c, Last__c FROM Case";
        let error = at("INVALID_FIELD", query, query.find("MW_").unwrap(), "x");
        let shown = "WebEmail__c, Case_Resolution_Summary__c, MW_Case_ID__c, Escalation_Helper_Contact__c";
        assert_eq!(error.message, format!("\n{shown}\n{}^\nERROR at Row:1:Column:59\nx", " ".repeat(41)));
    }

    #[test]
    fn rows_are_counted() {
        let error = at("MALFORMED_QUERY", "SELECT Id\nFROM Nope", 15, "x");
        assert_eq!(error.message, "\nFROM Nope\n     ^\nERROR at Row:2:Column:6\nx");
    }
}
