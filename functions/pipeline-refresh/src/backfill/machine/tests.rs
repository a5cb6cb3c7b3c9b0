//! Workers that are interleaved step by step, killed, and given the same message twice.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const MOST: u32 = 4;

/// The minutes after which a killed worker's message is delivered again: 90 since it began, less the longest invocation.
const KILLED: i64 = 75;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
}

fn job(n: u32) -> JobId {
    JobId::try_from(format!("7505e{n:010}").parse::<salesforce::RecordId>().unwrap()).unwrap()
}

fn locator(row: usize) -> Locator {
    Locator::try_from(row.to_string()).unwrap()
}

fn row_of(locator: &Locator) -> usize {
    String::from(locator.clone()).parse().unwrap()
}

fn begun() -> BulkScan {
    BulkScan::new(job(1), None, at(0))
}

fn reading() -> BulkScan {
    let mut scan = begun();
    scan.begin_reading(job(1));
    scan
}

/// A worker between two steps.
#[derive(Clone, Debug)]
enum Worker {
    Poll,
    Page(u32),
    Took { job: JobId, number: u32, from: usize, to: usize },
    Opened { job: JobId, number: u32, from: usize, to: usize },
    Stored { job: JobId, number: u32, to: usize },
}

/// A message, which is visible from a minute on. `None` is a poll of the job.
type Sent = (i64, Option<u32>);

/// The org with its job, the state, the queue, and the workers that hold a message.
struct World {
    rows: usize,
    now: i64,
    scan: Option<BulkScan>,
    job_rows: Vec<(JobId, bool)>,
    queue: Vec<Sent>,
    workers: Vec<(Worker, Option<u32>)>,
    stored: BTreeSet<usize>,
    failed: bool,
}

/// The next event.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A message is delivered, and again while it is worked on if the flag is set.
    Deliver(usize, bool),
    /// A worker makes a step.
    Step(usize),
    /// A worker is killed: its message is delivered again.
    Kill(usize),
    /// A worker is killed after its step was stored, before what it says was sent.
    KillBeforeSending(usize),
    /// A worker cannot store its rows, and its message is queued again.
    Fail(usize),
    /// The job expires or fails.
    Lose,
    /// An invocation was too short.
    Shorten,
    /// Minutes pass.
    Wait(u8),
}

impl World {
    fn new(rows: usize, page_rows: u32) -> Self {
        let mut scan = begun();
        scan.page_rows = page_rows;
        Self {
            rows,
            now: 0,
            scan: Some(scan),
            job_rows: vec![(job(1), true)],
            queue: vec![(0, None)],
            workers: Vec::new(),
            stored: BTreeSet::new(),
            failed: false,
        }
    }

    fn is_alive(&self, id: JobId) -> bool {
        self.job_rows.iter().any(|(job, alive)| *job == id && *alive)
    }

    fn send(&mut self, delivers: bool) {
        let now = at(self.now);
        let Some(scan) = &mut self.scan else { return };
        let numbers = scan.send(now);
        if delivers {
            self.queue.extend(numbers.into_iter().map(|number| (self.now, Some(number))));
        }
    }

    /// Makes the step of a worker; `None` when its message is done.
    fn step(&mut self, worker: Worker, delivers: bool) -> Option<Worker> {
        let rows = self.rows;
        // Without a scan, the backfill is complete.
        let scan = self.scan.as_mut()?;
        match worker {
            Worker::Poll => self.poll(delivers),
            Worker::Page(_) if scan.pages.is_none() => self.poll(delivers),
            Worker::Page(number) => self.take(number, delivers),
            Worker::Took { job, number, from, to } => {
                let next = (to < rows).then(|| locator(to));
                scan.open(job, number, next.as_ref());
                self.send(delivers);
                Some(Worker::Opened { job, number, from, to })
            }
            Worker::Opened { job, number, from, to } => {
                self.stored.extend(from..to);
                Some(Worker::Stored { job, number, to })
            }
            Worker::Stored { job, number, to } => {
                let next = (to < rows).then(|| locator(to));
                if scan.finish(job, number, next.as_ref()) {
                    scan.adapt(number % 3 == 0, MOST);
                }
                if scan.is_complete() {
                    assert_eq!(self.stored.len(), rows, "the checkpoint says done before all pages are");
                    self.scan = None;
                } else {
                    self.send(delivers);
                }
                None
            }
        }
    }

    fn poll(&mut self, delivers: bool) -> Option<Worker> {
        let scan = self.scan.as_ref()?;
        let (id, is_reading) = (scan.job, scan.pages.is_some());
        if is_reading {
            self.send(delivers);
        } else if self.is_alive(id) {
            self.scan.as_mut()?.begin_reading(id);
            self.send(delivers);
        } else {
            self.lose(id, delivers);
        }
        None
    }

    fn take(&mut self, number: u32, delivers: bool) -> Option<Worker> {
        let scan = self.scan.as_mut()?;
        let (id, page_rows) = (scan.job, scan.page_rows as usize);
        match scan.take(number, at(self.now)) {
            Work::Nothing => self.send(delivers),
            Work::Later(delay) => {
                let minutes = i64::try_from(delay.as_secs() / 60).unwrap().max(1);
                self.queue.push((self.now + minutes, Some(number)));
            }
            Work::Read(_) if !self.is_alive(id) => self.lose(id, delivers),
            Work::Read(from) => {
                let from = from.as_ref().map_or(0, row_of);
                return Some(Worker::Took { job: id, number, from, to: self.rows.min(from + page_rows) });
            }
        }
        None
    }

    fn lose(&mut self, lost: JobId, delivers: bool) {
        let now = at(self.now);
        let Some(scan) = &mut self.scan else { return };
        match scan.lose(now) {
            // A dead letter, unless it is there already.
            Lost::Exhausted => self.failed = true,
            Lost::Again => {
                let id = job(u32::try_from(self.job_rows.len()).unwrap() + 1);
                if scan.replace_job(lost, id, now) {
                    self.job_rows.push((id, true));
                }
                if delivers {
                    self.queue.push((self.now, None));
                }
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver(n, twice) => {
                let visible: Vec<usize> =
                    (0..self.queue.len()).filter(|index| self.queue[*index].0 <= self.now).collect();
                let Some(index) = visible.get(n % visible.len().max(1)) else { return };
                let (_, part) = if twice { self.queue[*index] } else { self.queue.remove(*index) };
                self.workers.push((part.map_or(Worker::Poll, Worker::Page), part));
            }
            Event::Wait(minutes) => self.now += i64::from(minutes),
            Event::Lose => {
                if let Some(scan) = &self.scan {
                    let id = scan.job;
                    self.job_rows.iter_mut().filter(|(job, _)| *job == id).for_each(|(_, alive)| *alive = false);
                }
            }
            Event::Shorten => {
                if let Some(scan) = &mut self.scan {
                    scan.page_rows = (scan.page_rows / 2).max(1);
                }
            }
            Event::Step(n) | Event::Kill(n) | Event::KillBeforeSending(n) | Event::Fail(n) => {
                if self.workers.is_empty() {
                    return;
                }
                let (worker, part) = self.workers.remove(n % self.workers.len());
                match event {
                    Event::Step(_) => {
                        let next = self.step(worker, true);
                        self.workers.extend(next.map(|worker| (worker, part)));
                    }
                    Event::KillBeforeSending(_) => {
                        self.step(worker, false);
                        self.queue.push((self.now + KILLED, part));
                    }
                    Event::Fail(_) => {
                        if let (Worker::Opened { job, number, .. }, Some(scan)) = (&worker, &mut self.scan) {
                            scan.release(*job, *number, at(self.now));
                        }
                        self.queue.push((self.now + 15, part));
                    }
                    _ => self.queue.push((self.now + KILLED, part)),
                }
            }
        }
    }

    /// Lets everything end without further trouble.
    fn settle(&mut self) {
        for _ in 0..200_000 {
            if self.scan.is_none() || self.failed {
                return;
            }
            if self.workers.is_empty() && !self.queue.iter().any(|(visible, _)| *visible <= self.now) {
                assert!(!self.queue.is_empty(), "no message is left, and {:?} is not done", self.scan);
                self.now += 1;
                continue;
            }
            let step = if self.workers.is_empty() { Event::Deliver(0, false) } else { Event::Step(0) };
            self.happen(step);
        }
        panic!("does not end: {:?}", self.scan);
    }
}

fn event() -> impl Strategy<Value = Event> {
    let n = 0..8_usize;
    prop_oneof![
        8 => (n.clone(), prop::bool::weighted(0.2)).prop_map(|(n, twice)| Event::Deliver(n, twice)),
        20 => n.clone().prop_map(Event::Step),
        2 => n.clone().prop_map(Event::Kill),
        2 => n.clone().prop_map(Event::KillBeforeSending),
        2 => n.prop_map(Event::Fail),
        1 => Just(Event::Shorten),
        3 => (1..100_u8).prop_map(Event::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_row_is_stored_before_the_backfill_is_done(
        rows in 0..60_usize, page_rows in 1..20_u32, events in prop::collection::vec(event(), 0..120),
        lost in prop::collection::vec(0..120_usize, 0..2),
    ) {
        let mut world = World::new(rows, page_rows);
        for (index, event) in events.into_iter().enumerate() {
            if lost.contains(&index) {
                world.happen(Event::Lose);
            }
            world.happen(event);
        }
        world.settle();
        prop_assert!(!world.failed, "two jobs were lost, and three are allowed");
        prop_assert_eq!(world.stored.len(), rows);
    }

    #[test]
    fn no_more_pages_are_read_at_once_than_allowed(outcomes in prop::collection::vec(any::<bool>(), 0..40)) {
        let mut scan = reading();
        for (now, was_throttled) in (0..).zip(outcomes) {
            scan.send(at(now));
            let pages = scan.pages.clone().unwrap();
            let busy = pages.iter().filter(|page| page.message != Message::Waits).count();
            prop_assert!(busy <= MOST as usize);
            let last = pages.last().unwrap().number;
            scan.open(job(1), last, Some(&locator(last as usize * 10)));
            scan.finish(job(1), pages[0].number, Some(&locator(pages[0].number as usize * 10)));
            scan.adapt(was_throttled, MOST);
        }
    }

    #[test]
    fn a_checkpoint_reads_back_as_it_was_written(rows in 1..60_usize, events in prop::collection::vec(event(), 0..40)) {
        let mut world = World::new(rows, 5);
        events.into_iter().for_each(|event| world.happen(event));
        if let Some(scan) = world.scan {
            prop_assert_eq!(BulkScan::resume(&scan.checkpoint().unwrap()), Some(scan));
        }
    }
}

#[test]
fn a_throttle_halves_the_pages_that_are_read_at_once() {
    let mut scan = reading();
    let parallel: Vec<u32> = [false, false, false, true, true, true, false]
        .into_iter()
        .map(|throttled| {
            scan.adapt(throttled, MOST);
            scan.parallel
        })
        .collect();
    assert_eq!(parallel, [3, 4, 4, 2, 1, 1, 2]);
}

#[test]
fn a_page_is_opened_while_the_one_before_is_stored() {
    let mut scan = reading();
    assert_eq!(scan.send(at(0)), [1]);
    assert_eq!(scan.take(1, at(0)), Work::Read(None));
    scan.open(job(1), 1, Some(&locator(10)));
    assert_eq!(scan.send(at(0)), [2], "two pages at once");
    scan.take(2, at(0));
    scan.open(job(1), 2, Some(&locator(20)));
    assert!(scan.send(at(0)).is_empty(), "no third one");
}

#[test]
fn the_page_after_one_that_is_done_stays_known() {
    let mut scan = reading();
    scan.take(1, at(0));
    assert!(scan.finish(job(1), 1, Some(&locator(10))), "no step has opened it");
    assert!(!scan.is_complete());
    assert_eq!(scan.send(at(0)), [2]);
}

#[test]
fn a_page_that_another_worker_has_waits_for_its_end() {
    let mut scan = reading();
    scan.take(1, at(0));
    assert_eq!(scan.take(1, at(10)), Work::Later(Duration::from_secs(600)));
    assert_eq!(scan.take(1, at(20)), Work::Read(None));
}

#[test]
fn a_shorter_page_leaves_the_rest_of_the_page_open() {
    let mut scan = reading();
    scan.take(1, at(0));
    scan.open(job(1), 1, Some(&locator(10)));
    assert!(scan.finish(job(1), 1, Some(&locator(5))));
    assert_eq!(scan.take(1, at(1)), Work::Read(Some(locator(5))));
    assert!(scan.finish(job(1), 1, Some(&locator(10))));
    assert_eq!(scan.take(1, at(1)), Work::Nothing);
    assert!(!scan.is_complete(), "page 2 is open");
}

#[test]
fn a_page_of_a_replaced_job_moves_nothing() {
    let mut scan = reading();
    scan.take(1, at(0));
    assert!(scan.replace_job(job(1), job(2), at(1)));
    assert!(!scan.replace_job(job(1), job(3), at(1)), "another worker was first");
    scan.begin_reading(job(2));
    let before = scan.clone();
    scan.open(job(1), 1, Some(&locator(10)));
    scan.release(job(1), 1, at(1));
    assert!(!scan.finish(job(1), 1, None));
    assert_eq!(scan, before);
    assert_eq!((scan.read_at, scan.started_at), (at(1), at(0)));
}

#[test]
fn a_lost_job_is_begun_again_a_bounded_number_of_times() {
    let mut scan = begun();
    let mut ends = Vec::new();
    for n in 2..=4 {
        let lost = scan.lose(at(1));
        if lost == Lost::Again {
            scan.replace_job(scan.job, job(n), at(1));
        }
        ends.push(lost);
    }
    assert_eq!(ends, [Lost::Again, Lost::Again, Lost::Exhausted]);
    assert_eq!((scan.jobs, scan.failed_at), (MAX_JOBS, Some(at(1))));
}

#[test]
fn polls_become_rare_as_a_job_takes_long() {
    let scan = begun();
    let delays = [0, 4, 60].map(|minute| scan.poll_delay(at(minute)).as_secs());
    assert_eq!(delays, [10, 60, 300]);
    assert!(!scan.is_overdue(at(359)) && scan.is_overdue(at(360)));
}

#[test]
fn a_job_has_one_chain_of_polls() {
    let mut scan = begun();
    assert!(!scan.polls_again(false, at(1)), "its message is in the queue");
    assert!(scan.polls_again(true, at(2)));
    assert!(!scan.polls_again(false, at(61)));
    assert!(scan.polls_again(false, at(62)), "the message is lost");
    assert!(!scan.polls_again(false, at(63)));
    assert!(scan.replace_job(job(1), job(2), at(200)));
    assert!(!scan.polls_again(false, at(201)));
}

#[test]
fn a_job_of_rows_since_a_time_does_not_answer_a_request_for_all() {
    let org = "00D5e000000KQ2eEAG".parse().unwrap();
    let task = |kind, requested_at| RefreshTask::new(org, kind, requested_at);
    let of_all = task(RefreshKind::Backfill, at(0));
    let since = RefreshTask { since: Some(at(-90)), ..of_all.clone() };
    let partial = BulkScan { from: Some(at(-90)), ..begun() };
    let asked = [&of_all, &since, &task(RefreshKind::Nightly, at(0)), &task(RefreshKind::Backfill, at(1))];
    assert_eq!(asked.map(|task| begun().is_for(task)), [true, true, true, false]);
    assert_eq!(asked.map(|task| partial.is_for(task)), [false, true, true, false]);
}

#[test]
fn shorter_pages_divide_a_page() {
    let mut scan = begun();
    for _ in 0..8 {
        scan.shorten_pages();
        assert_eq!(PAGE_ROWS % scan.page_rows, 0, "{}", scan.page_rows);
    }
    assert_eq!(scan.page_rows, MIN_PAGE_ROWS);
}

#[test]
fn a_checkpoint_is_not_that_of_a_scan_by_rest() {
    assert_eq!(crate::scan::Scan::resume(&begun().checkpoint().unwrap()), None);
}
