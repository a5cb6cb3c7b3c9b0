//! The order of a run: selected checks one after the other, each followed by the deletion of its records.

use crate::check::{Area, Check, Outcome};
use crate::journal::{Entry, Journal};
use crate::org::Org;
use crate::report::Report;
use crate::target::Target;
use crate::{Error, checks};

/// The options of a run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The name of an area or a check; all checks without one.
    pub only: Option<String>,
    /// The file that stores what was done.
    pub resume: Option<std::path::PathBuf>,
    /// Permits a production org.
    pub in_production: bool,
}

/// Runs the checks and returns the report. `progress` is called before each check with its number, their count and its name.
pub fn run(target: Target, options: &Options, mut progress: impl FnMut(usize, usize, &str)) -> Result<Report, Error> {
    let selected = select(options.only.as_deref())?;
    let org = Org::connect(target, Journal::open(options.resume.as_deref())?)?;
    if !options.in_production {
        org.refuse_production()?;
    }
    // An aborted part of the run may have left records.
    org.delete_own();
    let mut entries = Vec::with_capacity(selected.len());
    for (at, (area, check)) in selected.iter().enumerate() {
        progress(at, selected.len(), check.name);
        let outcome = match org.outcome_of(area.name, check.name) {
            Some(outcome) => outcome,
            None => Outcome::of((check.run)(&org), |text| org.mask(text)),
        };
        org.delete_own();
        let entry = Entry { area: area.name.to_owned(), check: check.name.to_owned(), outcome };
        org.note(entry.clone())?;
        entries.push(entry);
    }
    Ok(Report::new(&org, entries, org.delete_own()))
}

/// Deletes the records of earlier runs, and returns how many were deleted of each object.
pub fn clean(target: Target, in_production: bool) -> Result<Vec<(&'static str, usize)>, Error> {
    let org = Org::connect(target, Journal::open(None)?)?;
    if !in_production {
        org.refuse_production()?;
    }
    crate::clean::clean(&org).map_err(|finding| Error::Org(org.mask(&format!("{finding:?}"))))
}

/// Returns the checks with their areas: all, those of the area, or those whose name contains the text.
fn select(only: Option<&str>) -> Result<Vec<(&'static Area, &'static Check)>, Error> {
    let all = checks::AREAS.iter().flat_map(|area| area.checks.iter().map(move |check| (area, check)));
    let Some(only) = only else { return Ok(all.collect()) };
    let is_area = checks::AREAS.iter().any(|area| area.name == only);
    let chosen = |(area, check): &(&Area, &Check)| if is_area { area.name == only } else { check.name.contains(only) };
    let selected: Vec<_> = all.filter(chosen).collect();
    if selected.is_empty() { Err(Error::NoCheck(only.to_owned())) } else { Ok(selected) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_selected_by_area_or_by_a_part_of_their_name() {
        let all = select(None).unwrap();
        let area = checks::AREAS[0].name;
        assert_eq!(select(Some(area)).unwrap().len(), checks::AREAS[0].checks.len());
        let name = all[3].1.name;
        assert!(select(Some(name)).unwrap().iter().any(|(_, check)| check.name == name));
        assert!(matches!(select(Some("no such check")), Err(Error::NoCheck(_))));
    }
}
