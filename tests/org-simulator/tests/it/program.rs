//! The program: its output, and its log of unsupported requests.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

#[tokio::test]
async fn unsupported_requests_are_logged_on_standard_error() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_org-simulator"))
        .args(["--port", "0", "--seed", "none", "--orgs", "production,sandbox", "--no-send"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    let second = lines.next_line().await.unwrap().unwrap();
    assert!(first.contains("(production)") && second.contains("(sandbox)"), "{first} {second}");
    let url = first.rsplit(' ').next().unwrap().to_owned();
    let http = reqwest::Client::new();
    lines.next_line().await.unwrap();
    let link = lines.next_line().await.unwrap().unwrap();
    let page = http.get(link.strip_prefix("install link ").unwrap()).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Ferry Connector, namespace <code>ferry</code>, is not installed."), "{page}");
    let session = http.post(format!("{url}/_simulator/sessions")).json(&json!({"username": "admin@larkspur.example"}));
    let session: Value = session.send().await.unwrap().json().await.unwrap();
    let token = session["access_token"].as_str().unwrap();
    for (path, status) in [
        ("services/apexrest/outside", 404),
        ("services/data/v66.0/beside", 404),
        ("services/data/v66.0/query?q=SELECT+Id+FROM+User&twisted=1", 200),
    ] {
        let response = http.get(format!("{url}/{path}")).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
    }
    program.kill().await.unwrap();
    let mut said = String::new();
    program.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
    for name in ["/services/apexrest/outside", "beside", "twisted"] {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(!said.contains(token), "no token is written");
}
