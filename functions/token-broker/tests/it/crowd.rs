use std::path::Path;

use bench::Crowd;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_callers_at_eight_brokers_cost_one_refresh() {
    let crowd = Crowd::start(Path::new(env!("CARGO_BIN_EXE_token-broker")), 8).await.unwrap();

    let outcomes = crowd.refresh_at_once(500).await.unwrap();

    assert_eq!((outcomes.waits.len(), outcomes.refreshes, outcomes.revocations), (500, 1, 0), "{outcomes:?}");
    let [token] = outcomes.tokens.as_slice() else { panic!("{} tokens", outcomes.tokens.len()) };
    assert!(crowd.accepts(token).await.unwrap(), "the token that all callers got is accepted");
    // Each caller reads the vault once, each broker up to three times more for the refresh.
    let (vault, stored) = (outcomes.aws_requests["GetSecretValue"], outcomes.aws_requests["PutSecretValue"]);
    assert!(vault <= 500 + 3 * 8 && stored == 1, "{:?}", outcomes.aws_requests);

    let again = crowd.refresh_at_once(16).await.unwrap();
    assert_eq!((again.refreshes, again.revocations), (1, 0), "the rotated refresh token was stored");
}
