//! Property tests: random queries, compared with a simple model of their meaning.

use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::tests::{org, seen_by};
use super::{Paper, page, run};
use crate::model::org::Org;
use crate::model::people;

/// A lead in the model: a city and a number of employees.
#[derive(Clone, Debug, PartialEq)]
struct Lead {
    city: Option<String>,
    employees: Option<i64>,
}

#[derive(Clone, Debug)]
enum Meaning {
    City(&'static str, Option<String>),
    CityIn(bool, Vec<String>),
    CityStarts(String),
    Employees(&'static str, Option<i64>),
    All(Vec<Meaning>),
    Any(Vec<Meaning>),
    Not(Box<Meaning>),
}

impl Meaning {
    fn text(&self) -> String {
        let quoted = |text: &String| format!("'{text}'");
        let joined = |parts: &[Self], word: &str| {
            parts.iter().map(|part| format!("({})", part.text())).collect::<Vec<_>>().join(word)
        };
        match self {
            Self::City(operator, value) => {
                format!("City {operator} {}", value.as_ref().map_or("null".to_owned(), quoted))
            }
            Self::CityIn(negated, values) => {
                let list: Vec<String> = values.iter().map(quoted).collect();
                format!("City {}IN ({})", if *negated { "NOT " } else { "" }, list.join(", "))
            }
            Self::CityStarts(start) => format!("City LIKE '{start}%'"),
            Self::Employees(operator, value) => {
                format!("NumberOfEmployees {operator} {}", value.map_or("null".to_owned(), |n| n.to_string()))
            }
            Self::All(parts) => joined(parts, " AND "),
            Self::Any(parts) => joined(parts, " OR "),
            Self::Not(part) => format!("NOT ({})", part.text()),
        }
    }

    fn holds(&self, lead: &Lead) -> bool {
        let lower = |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase());
        let city = lower(&lead.city);
        match self {
            Self::City(operator, value) => compares(operator, city, lower(value)),
            Self::CityIn(negated, values) => {
                values.iter().any(|value| city.as_ref() == Some(&value.to_lowercase())) != *negated
            }
            Self::CityStarts(start) => city.is_some_and(|city| city.starts_with(&start.to_lowercase())),
            Self::Employees(operator, value) => compares(operator, lead.employees, *value),
            Self::All(parts) => parts.iter().all(|part| part.holds(lead)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(lead)),
            Self::Not(part) => !part.holds(lead),
        }
    }
}

fn compares<T: Ord>(operator: &str, a: Option<T>, b: Option<T>) -> bool {
    let order = a.as_ref().zip(b.as_ref()).map(|(a, b)| a.cmp(b));
    match operator {
        "=" => a == b,
        "!=" => a != b,
        "<" => order.is_some_and(Ordering::is_lt),
        "<=" => order.is_some_and(Ordering::is_le),
        ">" => order.is_some_and(Ordering::is_gt),
        _ => order.is_some_and(Ordering::is_ge),
    }
}

fn meaning() -> impl Strategy<Value = Meaning> {
    let operator = || prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let city = || "[abAB]{1,2}";
    let leaf = prop_oneof![
        (operator(), prop::option::of(city())).prop_map(|(operator, value)| Meaning::City(operator, value)),
        (any::<bool>(), prop::collection::vec(city(), 1..4)).prop_map(|(negated, list)| Meaning::CityIn(negated, list)),
        city().prop_map(Meaning::CityStarts),
        (operator(), prop::option::of(0_i64..4)).prop_map(|(operator, value)| Meaning::Employees(operator, value)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Meaning::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Meaning::Any),
            inner.prop_map(|part| Meaning::Not(Box::new(part))),
        ]
    })
}

/// Returns leads with all combinations of a few cities, in both cases, and a few numbers, with nulls.
fn leads() -> (Org, Vec<Lead>) {
    let (mut org, mut leads) = (org(), Vec::new());
    let admin = people::admin(&org);
    for city in [None, Some("a"), Some("A"), Some("ab"), Some("aB"), Some("b"), Some("Ba")] {
        for employees in [None, Some(0), Some(2), Some(3)] {
            let lead = json!({"LastName": "M", "Company": "Model", "City": city, "NumberOfEmployees": employees});
            org.create(&admin, "Lead", lead.as_object().unwrap()).unwrap();
            leads.push(Lead { city: city.map(str::to_owned), employees });
        }
    }
    (org, leads)
}

fn lead(row: &Json) -> Lead {
    Lead { city: row["City"].as_str().map(str::to_owned), employees: row["NumberOfEmployees"].as_i64() }
}

/// Runs a property test with the queries of a strategy, all over one org.
fn over_leads<S: Strategy>(strategy: &S, test: impl Fn(&mut Org, &[Lead], S::Value)) {
    let (org, leads) = leads();
    let org = std::cell::RefCell::new(org);
    let mut runner = proptest::test_runner::TestRunner::default();
    let run = runner.run(strategy, |value| {
        test(&mut org.borrow_mut(), &leads, value);
        Ok(())
    });
    run.unwrap();
}

#[test]
fn a_condition_finds_the_same_rows_as_the_model() {
    over_leads(&meaning(), |org, leads, meaning| {
        let query = format!(
            "SELECT City, NumberOfEmployees FROM Lead WHERE Company = 'Model' AND ({}) ORDER BY Id",
            meaning.text()
        );
        let found: Vec<Lead> = seen_by(org, &people::admin(org), &query).iter().map(lead).collect();
        let meant: Vec<Lead> = leads.iter().filter(|lead| meaning.holds(lead)).cloned().collect();
        assert_eq!(found, meant, "{query}");
    });
}

#[test]
fn rows_are_ordered_by_the_keys_in_turn() {
    let key = || (any::<bool>(), any::<bool>());
    over_leads(&(any::<bool>(), key(), key()), |org, leads, (city_first, by_city, by_number)| {
        let shown = |(descending, last): (bool, bool)| {
            format!("{} NULLS {}", if descending { "DESC" } else { "ASC" }, if last { "LAST" } else { "FIRST" })
        };
        let mut keys = [format!("City {}", shown(by_city)), format!("NumberOfEmployees {}", shown(by_number))];
        if !city_first {
            keys.reverse();
        }
        let query =
            format!("SELECT City, NumberOfEmployees FROM Lead WHERE Company = 'Model' ORDER BY {}", keys.join(", "));
        let found: Vec<Lead> = seen_by(org, &people::admin(org), &query).iter().map(lead).collect();
        let mut meant = leads.to_vec();
        meant.sort_by(|a, b| {
            let lower = |lead: &Lead| lead.city.as_ref().map(|city| city.to_lowercase());
            let city = ordered(lower(a), lower(b), by_city);
            let number = ordered(a.employees, b.employees, by_number);
            if city_first { city.then(number) } else { number.then(city) }
        });
        assert_eq!(found, meant, "{query}");
    });
}

fn ordered<T: Ord>(a: Option<T>, b: Option<T>, (descending, nulls_last): (bool, bool)) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if descending => b.cmp(&a),
        (Some(a), Some(b)) => a.cmp(&b),
        (a, b) if nulls_last => a.is_none().cmp(&b.is_none()),
        (a, b) => b.is_none().cmp(&a.is_none()),
    }
}

#[test]
fn pages_of_any_size_add_up_to_the_whole_result() {
    over_leads(&(1_usize..40, 0_usize..30, prop::option::of(0_usize..30)), |org, _, (size, offset, limit)| {
        let limit = limit.map_or(String::new(), |limit| format!(" LIMIT {limit}"));
        let query = format!("SELECT Id, City FROM Lead ORDER BY City DESC{limit} OFFSET {offset}");
        let admin = people::admin(org);
        let whole = seen_by(org, &admin, &query);
        let found = run(org, &admin, &query, false).unwrap();
        let mut pages = Vec::new();
        for from in (0..found.len()).step_by(size) {
            let next = page(org, &admin, &found, from, Paper { version: "66.0", page: size }).records;
            assert!(!next.is_empty() && next.len() <= size);
            pages.extend(next);
        }
        assert_eq!(pages, whole, "{query} in pages of {size}");
    });
}
