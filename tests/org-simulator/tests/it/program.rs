//! The program: its output, and its log of unsupported requests.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
#[cfg(unix)]
use tokio::process::Child;
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

/// Runs the program with these arguments until it ends by itself.
async fn fails(arguments: &[&str]) -> (Option<i32>, String) {
    let program = Command::new(env!("CARGO_BIN_EXE_org-simulator")).args(arguments).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(60), program).await.unwrap().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn exit_codes_and_errors_are_those_of_the_help_text() {
    let dir = tempfile::tempdir().unwrap();
    let faults = dir.path().join("faults.json");
    std::fs::write(&faults, "[\n{\"effect\": {\"kind\": \"unavailable\"}, \"tims\": 1}]").unwrap();
    let (faults, folder) = (faults.to_str().unwrap(), dir.path().to_str().unwrap());
    for (arguments, code, parts) in [
        (["--port", "0", "--faults", faults], 1, ["`tims`", "line 2"]),
        (["--port", "0", "--package", folder], 1, ["could not read", "sfdx-project.json"]),
        (["--port", "0", "--record", folder], 1, ["the file to record to is invalid", "directory"]),
        (["--port", "0", "--seed", "no-such-seed"], 2, ["no-such-seed", "--seed"]),
    ] {
        let (ended, error) = fails(&arguments).await;
        assert_eq!(ended, Some(code), "{arguments:?}: {error}");
        assert!(parts.iter().all(|part| error.contains(part)), "{arguments:?}: {error}");
    }
}

/// Returns the lines that a started program prints until it waits for its end.
#[cfg(unix)]
async fn printed_at_start(program: &mut Child) -> Vec<String> {
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut printed = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let is_last = line.starts_with("Ctrl-C");
        printed.push(line);
        if is_last {
            break;
        }
    }
    printed
}

/// Sends a signal, and returns the exit code of the program.
#[cfg(unix)]
async fn ended_by(signal: &str, program: &mut Child) -> Option<i32> {
    let sent = Command::new("kill").args([signal, &program.id().unwrap().to_string()]).status().await.unwrap();
    assert!(sent.success());
    tokio::time::timeout(Duration::from_secs(60), program.wait()).await.unwrap().unwrap().code()
}

#[cfg(unix)]
#[tokio::test]
async fn each_signal_that_ends_the_program_saves_the_state() {
    let dir = tempfile::tempdir().unwrap();
    for signal in ["-INT", "-TERM"] {
        let state = dir.path().join(format!("state{signal}.json"));
        let mut program = Command::new(env!("CARGO_BIN_EXE_org-simulator"))
            .args(["--port", "0", "--seed", "none", "--no-send", "--state"])
            .arg(&state)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        printed_at_start(&mut program).await;
        assert_eq!(ended_by(signal, &mut program).await, Some(0), "{signal}");
        let saved: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
        assert!(saved.is_object(), "{signal}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_package_faults_and_a_record_work_together() {
    let dir = tempfile::tempdir().unwrap();
    let (faults, record) = (dir.path().join("faults.json"), dir.path().join("requests.jsonl"));
    std::fs::write(&faults, r#"{"path": "/services/data/*/limits", "effect": {"kind": "unavailable"}}"#).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_org-simulator"))
        .args(["--port", "0", "--seed", "none", "--no-send", "--package"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/salesforce"))
        .arg("--faults")
        .arg(&faults)
        .arg("--record")
        .arg(&record)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let printed = printed_at_start(&mut program).await;
    assert!(printed.iter().any(|line| line == "installed field Account.Ferry_External_Id__c"), "{printed:?}");
    let url = printed.iter().find_map(|line| line.strip_prefix("org ")?.rsplit_once(' ')).unwrap().1;
    let http = reqwest::Client::new();
    let limits = http.get(format!("{url}/services/data/v66.0/limits")).send().await.unwrap();
    assert_eq!(limits.status().as_u16(), 503);
    assert_eq!(ended_by("-INT", &mut program).await, Some(0));
    let line: Value = serde_json::from_str(std::fs::read_to_string(&record).unwrap().trim()).unwrap();
    assert_eq!(line["response"]["status"], 503);
    let mut said = String::new();
    program.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
    assert!(said.contains("classes/PostInstall.cls-meta.xml"), "{said}");
}
