//! The trouble during a run: faults of Salesforce, outages, locked records, ended sessions and grants.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use org_simulator::{Effect, FaultRule};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::plan::Plan;
use super::{Rig, salesforce};
use crate::odd_answers::odd_answers;

/// The share of the calls that each kind of fault affects.
const SHARE: f64 = 0.012;
/// The pause between two acts.
const STEP: Duration = Duration::from_millis(250);
/// The largest number of acts for which a record stays locked, an outage lasts, or a rep does not connect again.
const MAX_STEPS: u32 = 12;

/// The counts of the trouble that was made.
#[derive(Default)]
pub(super) struct Trouble {
    pub(super) faults: u64,
    pub(super) reconnected: usize,
    /// Records whose value was seen to decrease.
    pub(super) overtaken: Vec<String>,
}

/// An act that is undone after some steps.
enum Act {
    Locked(String),
    Outage,
    EndedGrant(usize),
}

/// Makes trouble until the rig is calm, then undoes all of it. Looks at the values of the records at each step.
pub(super) async fn make(plan: Plan, rig: &Rig<'_>) -> Result<Trouble> {
    let simulator = &rig.org.simulator;
    let mut random = StdRng::seed_from_u64(plan.seed ^ 0x7A0B);
    let (mut trouble, mut acts, mut seen) = (Trouble::default(), Vec::new(), BTreeMap::new());
    add_faults(simulator, plan, plan.seed);
    while !rig.calm.load(Ordering::Acquire) {
        let accounts = rig.org.accounts().await?;
        trouble.overtaken.extend(decreased(&accounts, &mut seen));
        undo(plan, rig, &mut acts, &mut trouble, false).await?;
        let steps = random.random_range(1..=MAX_STEPS);
        match random.random_range(0..100) {
            0..12 => {
                let ids: Vec<&String> = accounts.values().flatten().map(|(id, _)| id).collect();
                if !ids.is_empty() {
                    let id = ids[random.random_range(0..ids.len())].clone();
                    simulator.lock_record(&id)?;
                    acts.push((steps, Act::Locked(id)));
                }
            }
            12..15 if !acts.iter().any(|(_, act)| matches!(act, Act::Outage)) => {
                trouble.faults += used(simulator);
                simulator.clear_faults();
                let path = Some(paths(plan).to_owned());
                simulator.fault(FaultRule { path, ..FaultRule::new(Effect::Unavailable) });
                acts.push((steps, Act::Outage));
            }
            15..19 => {
                let rep = random.random_range(0..rig.org.reps.len());
                if !acts.iter().any(|(_, act)| matches!(act, Act::EndedGrant(ended) if *ended == rep)) {
                    simulator.revoke_grants(&rig.org.reps[rep].username)?;
                    acts.push((steps, Act::EndedGrant(rep)));
                }
            }
            19..22 => {
                let rep = random.random_range(0..rig.org.reps.len());
                simulator.expire_sessions(&rig.org.reps[rep].username)?;
            }
            _ => {}
        }
        tokio::time::sleep(STEP).await;
    }
    trouble.faults += used(simulator);
    undo(plan, rig, &mut acts, &mut trouble, true).await?;
    simulator.clear_faults();
    Ok(trouble)
}

/// Undoes the acts whose time has come, or all.
async fn undo(plan: Plan, rig: &Rig<'_>, acts: &mut Vec<(u32, Act)>, trouble: &mut Trouble, all: bool) -> Result<()> {
    let simulator = &rig.org.simulator;
    for (steps, act) in std::mem::take(acts) {
        if steps > 0 && !all {
            acts.push((steps - 1, act));
            continue;
        }
        match act {
            Act::Locked(id) => simulator.unlock_record(&id)?,
            Act::Outage => {
                trouble.faults += used(simulator);
                simulator.clear_faults();
                // Other numbers than before, or the faults would hit the same calls after each outage.
                add_faults(simulator, plan, plan.seed + trouble.faults);
            }
            Act::EndedGrant(rep) => {
                // The consent itself may meet a fault, and the user tries again.
                for _ in 0..5 {
                    if salesforce::connect(rig.connected, rep, &rig.org.reps[rep]).await.is_ok() {
                        trouble.reconnected += 1;
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

fn used(simulator: &org_simulator::Simulator) -> u64 {
    simulator.faults().iter().map(|fault| fault.used).sum()
}

/// Returns a line for each record whose value is smaller than one that was seen before.
fn decreased(accounts: &BTreeMap<String, Vec<(String, u64)>>, seen: &mut BTreeMap<String, u64>) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, rows) in accounts {
        for (_, value) in rows {
            let before = seen.insert(key.clone(), *value).unwrap_or_default();
            if *value < before {
                lines.push(format!("overtaken: {key} was {before} and became {value}"));
            }
        }
    }
    lines
}

/// Returns the paths that faults affect. A note is created by `composite` itself, records by what is below it.
fn paths(plan: Plan) -> &'static str {
    if plan.is_short { "/services/data/v66.0/*/**" } else { "/services/data/v66.0/**" }
}

/// Adds a fault rule for each kind of failure of Ferry's calls.
fn add_faults(simulator: &org_simulator::Simulator, plan: Plan, seed: u64) {
    let effects = [
        Effect::Unavailable,
        Effect::InternalError,
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::UnableToLockRow,
        Effect::ConcurrentLimitExceeded,
        Effect::Truncate { keep_bytes: None },
        Effect::MalformedJson,
        Effect::Delay { delay_ms: 1_500 },
        Effect::DelayBefore { delay_ms: 3_000 },
    ];
    for (number, effect) in (0..).zip(effects.into_iter().chain(odd_answers())) {
        let path = Some(paths(plan).to_owned());
        let probability = Some(SHARE);
        simulator.fault(FaultRule { path, probability, seed: seed * 100 + number, ..FaultRule::new(effect) });
    }
    // Commits that take longer than a function waits are slow: a few of them are enough.
    let path = Some(if plan.is_short { "/services/data/v66.0/composite/sobjects/**" } else { paths(plan) }.to_owned());
    let late = Effect::DelayBefore { delay_ms: 35_000 };
    simulator.fault(FaultRule { path, skip: 20, times: Some(1), ..FaultRule::new(late) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_value_than_before_is_reported() {
        let accounts = |value| BTreeMap::from([("key".to_owned(), vec![("001".to_owned(), value)])]);
        let mut seen = BTreeMap::new();
        assert!(decreased(&accounts(2), &mut seen).is_empty());
        assert!(decreased(&accounts(2), &mut seen).is_empty());
        assert_eq!(decreased(&accounts(1), &mut seen), ["overtaken: key was 2 and became 1"]);
    }
}
