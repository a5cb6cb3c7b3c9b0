//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;

use crate::InvalidFieldList;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(InvalidFieldList {
        InvalidFieldList::Object(_) => InvalidFieldList::Object(2),
        InvalidFieldList::DuplicateObject(_) => InvalidFieldList::DuplicateObject(2),
        InvalidFieldList::Field(_) => InvalidFieldList::Field(2),
        InvalidFieldList::DuplicateField(_) => InvalidFieldList::DuplicateField(2),
    });
    insta::assert_snapshot!(texts);
}
