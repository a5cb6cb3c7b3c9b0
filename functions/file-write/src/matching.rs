//! Recognizes the file that an earlier attempt created: by its mark, and a file without one by what is known of it.
//!
//! The mark is a folder in the path of the version, `Ferry write {id}/deck.pdf`. `PathOnClient` can be set only when a version is
//! created, so nobody changes it afterwards, and title and description stay the platform's (shared/salesforce/FACTS.md, 7.3).

use salesforce::files::FoundFile;
use store::WriteId;

/// The beginning of every mark.
const PREFIX: &str = "Ferry write ";

/// Returns the path of a write's file.
#[must_use]
pub fn path(write: WriteId, file_name: &str) -> String {
    format!("{PREFIX}{write}/{file_name}")
}

/// Returns this write's file among those that were found. In an org that does not keep the folder of a path, the file has this
/// title, name and size.
pub fn own<'a>(
    found: &'a [FoundFile],
    write: WriteId,
    (title, file_name, size): (&str, &str, Option<u64>),
) -> Option<&'a FoundFile> {
    let path = path(write, file_name);
    let has_mark = |file: &FoundFile| file.path.split('/').any(|folder| folder.starts_with(PREFIX));
    let is_same = |file: &FoundFile| {
        !has_mark(file) && file.title == title && file.path.ends_with(file_name) && Some(file.size) == size
    };
    found.iter().find(|file| file.path == path).or_else(|| found.iter().find(|file| is_same(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(number: u8) -> WriteId {
        format!("2f1c3a52-7b0e-5d5f-8f3a-61e204c7b9d{number}").parse().unwrap()
    }

    fn found(number: u8, path: &str, size: u64) -> FoundFile {
        FoundFile {
            version: format!("06800000000000{number}").parse().unwrap(),
            document: format!("06900000000000{number}").parse().unwrap(),
            title: "Deck".to_owned(),
            path: path.to_owned(),
            size,
        }
    }

    const WANTED: (&str, &str, Option<u64>) = ("Deck", "deck.pdf", Some(7));

    #[test]
    fn a_mark_tells_equal_files_of_two_writes_apart() {
        let files = [found(1, &path(write(1), "deck.pdf"), 7), found(2, &path(write(2), "deck.pdf"), 7)];
        assert_eq!(own(&files, write(2), WANTED), Some(&files[1]));
        assert_eq!(own(&files, write(3), WANTED), None);
    }

    #[test]
    fn a_file_whose_folder_was_not_kept_is_known_by_its_size() {
        let files = [found(1, "deck.pdf", 8), found(2, "deck.pdf", 7)];
        assert_eq!(own(&files, write(1), WANTED), Some(&files[1]));
        assert_eq!(own(&files, write(1), ("Another", "deck.pdf", Some(7))), None);
        assert_eq!(own(&files, write(1), ("Deck", "deck.txt", Some(7))), None);
        assert_eq!(own(&files, write(1), ("Deck", "deck.pdf", None)), None);
    }
}
