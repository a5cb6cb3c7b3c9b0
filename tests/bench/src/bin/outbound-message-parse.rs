//! Compares the parser of outbound messages with the bare tokenizer under it, on the same bytes.

use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use quick_xml::Reader;
use quick_xml::events::Event;
use salesforce::soap::outbound_message::parse;
use serde_json::json;

/// Parses recorded outbound messages, unchanged and with 100 notifications each, in alternating rounds.
#[derive(Parser)]
#[command(name = "outbound-message-parse")]
struct Options {
    /// The folder with the bodies
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures/outbound-messages"))]
    folder: PathBuf,
    /// Number of times that each of the two reads all bodies
    #[arg(long, default_value_t = 400)]
    rounds: usize,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed standard error cannot be reported.
            let _ = writeln!(std::io::stderr(), "outbound-message-parse: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let recorded = recorded(&options.folder)?;
    ensure!(!recorded.is_empty(), "{} has no body with valid ids", options.folder.display());
    let large = recorded.iter().filter_map(|body| repeated(body, 100)).collect::<Vec<_>>();
    for (name, bodies, repetitions) in [("recorded", &recorded, 10), ("100 notifications each", &large, 1)] {
        let rounds = (0..options.rounds).map(|_| Round::measure(bodies, repetitions)).collect::<Result<Vec<_>>>()?;
        report(name, bodies, repetitions, &rounds)?;
    }
    Ok(())
}

/// Returns the bodies whose ids were not masked by the authors of the recordings.
fn recorded(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    let bodies = paths.iter().map(fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    // The tokenizer does not accept a byte-order mark outside of the root element.
    let bodies = bodies.into_iter().map(|body| body.trim_start_matches('\u{feff}').trim().to_owned());
    Ok(bodies.filter(|body| parse(body.as_bytes()).is_ok_and(|message| message.validate().is_ok())).collect())
}

/// Returns the body with its first notification repeated.
fn repeated(body: &str, times: usize) -> Option<String> {
    let (head, rest) = body.split_once("<Notification>")?;
    let (notification, _) = rest.split_once("</Notification>")?;
    let (_, tail) = body.rsplit_once("</Notification>")?;
    Some(format!("{head}{}{tail}", format!("<Notification>{notification}</Notification>").repeat(times)))
}

/// The time that each took to read all bodies.
struct Round {
    tokenizer: Duration,
    parse: Duration,
    validate: Duration,
}

impl Round {
    fn measure(bodies: &[String], repetitions: usize) -> Result<Self> {
        let timed = |read: &dyn Fn(&[u8]) -> Result<()>| {
            let started = now();
            for _ in 0..repetitions {
                bodies.iter().try_for_each(|body| read(black_box(body.as_bytes())))?;
            }
            anyhow::Ok(now() - started)
        };
        Ok(Self {
            tokenizer: timed(&|body| {
                let mut reader = Reader::from_reader(body);
                while !matches!(black_box(reader.read_event()?), Event::Eof) {}
                Ok(())
            })?,
            parse: timed(&|body| {
                black_box(parse(body)?);
                Ok(())
            })?,
            validate: timed(&|body| {
                black_box(parse(body)?.validate()?);
                Ok(())
            })?,
        })
    }
}

fn report(name: &str, bodies: &[String], repetitions: usize, rounds: &[Round]) -> Result<()> {
    let bytes = bodies.iter().map(String::len).sum::<usize>() * repetitions;
    let notifications: usize = bodies.iter().map(|body| body.matches("<Notification>").count()).sum();
    let seconds = |of: fn(&Round) -> Duration| median(rounds.iter().map(|round| of(round).as_secs_f64()).collect());
    let speed = |of| (bytes as f64 / 1e6 / seconds(of)).round();
    let share = |of: fn(&Round) -> Duration| {
        let shares = rounds.iter().map(|round| round.tokenizer.as_secs_f64() / of(round).as_secs_f64());
        (median(shares.collect()) * 1000.0).round() / 1000.0
    };
    let line = json!({
        "bodies": name, "count": bodies.len(), "bytes": bytes / repetitions, "notifications": notifications,
        "ns_a_notification": (seconds(|round| round.validate) * 1e9 / (notifications * repetitions) as f64).round(),
        "tokenizer_mb_s": speed(|round| round.tokenizer),
        "parse_mb_s": speed(|round| round.parse),
        "parse_and_judge_mb_s": speed(|round| round.validate),
        "parse_share": share(|round| round.parse),
        "parse_and_judge_share": share(|round| round.validate),
    });
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch: measuring real time is what this crate is for")]
fn now() -> Instant {
    Instant::now()
}
