//! The limits of the org, which a night reads.

use org_simulator::Effect;
use store::RefreshKind;

use crate::failures::fault;
use crate::harness::{ACCOUNT, TestContext, run};

#[test]
fn a_night_reads_the_limits_of_the_org_once() {
    run(async {
        let context = TestContext::connected().await;
        for kind in [RefreshKind::Backfill, RefreshKind::Poll, RefreshKind::Incremental] {
            context.refresh(kind).await;
        }
        let rest = context.task(RefreshKind::Nightly).for_object(ACCOUNT);
        assert!(context.work_on(&[rest]).await.is_empty());
        assert_eq!(context.deps.budgets.load_limits(context.org).await.unwrap(), None);

        context.refresh(RefreshKind::Nightly).await;
        let stored = context.deps.budgets.load_limits(context.org).await.unwrap().unwrap();
        let calls = stored.limits["DailyApiRequests"];
        assert!(calls.max > 0 && calls.remaining < calls.max, "{stored:?}");
        assert_eq!(stored.limits["DailyBulkV2QueryJobs"].max, stored.limits["DailyBulkV2QueryJobs"].remaining);
        assert_eq!(stored.limits.get("ConcurrentAsyncGetReportInstances"), None, "it is none of Ferry's");
    });
}

#[test]
fn a_night_goes_on_without_the_limits() {
    run(async {
        let context = TestContext::connected().await;
        let accounts = context.accounts(2);
        let code = "INSUFFICIENT_ACCESS".to_owned();
        context.simulator.fault(fault("limits", 100, Effect::Error { status: 403, code, message: "no".to_owned() }));
        context.refresh(RefreshKind::Nightly).await;
        context.assert_mirrored(&accounts).await;
    });
}
