//! Runs the `dev` binary: its errors, and Ctrl-C.

#![expect(clippy::unwrap_used, reason = "a failed helper fails the test")]

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

fn dev(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dev"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Returns what a failing command prints on standard error.
fn error_of(arguments: &[&str]) -> String {
    let output = dev(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_error_for_a_port_in_use_names_the_option() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();

    let expected = |server: &str, option: &str| {
        format!("cargo dev: could not start {server}: port {port} is in use; choose another port with {option}\n")
    };

    let error = error_of(&["--port", &port, "--simulator-port", "0", "--emulator-port", "0"]);
    assert_eq!(error, expected("the HTTP API", "--port"));

    let error = error_of(&["--port", "0", "--simulator-port", &port, "--emulator-port", "0"]);
    assert_eq!(error, expected("the Salesforce org", "--simulator-port"));
}

#[test]
fn a_failed_build_is_reported_in_one_line() {
    let output = dev(&["demo", "--json"]).env("CARGO", "false").output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let step: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(step["step"], "stack-started");
    assert_eq!(step["ok"], false);
    let expected =
        "could not build the functions: cargo printed no error; run `cargo build --workspace` to see all errors";
    assert_eq!(step["error"], expected);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("cargo dev demo: stack-started: {expected}\n"));
}

#[test]
fn ctrl_c_stops_every_server() {
    let mut running = dev(&["--port", "0", "--simulator-port", "0", "--emulator-port", "0"]).spawn().unwrap();
    let ready = addresses(&mut running);
    assert_eq!(ready.len(), 3, "{ready:?}");
    assert!(ready.iter().all(|address| TcpStream::connect(address).is_ok()));

    let interrupt = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();

    assert!(interrupt.success());
    assert_eq!(running.wait().unwrap().code(), Some(0));
    assert!(ready.iter().all(|address| TcpStream::connect(address).is_err()));
}

/// Reads the output until the stack is ready, and returns the addresses in the table.
fn addresses(running: &mut Child) -> Vec<String> {
    let output = BufReader::new(running.stdout.take().unwrap());
    let lines = output.lines().map(Result::unwrap).take_while(|line| !line.starts_with("Ready in "));
    let table = lines.filter(|line| line.starts_with('│'));
    let urls = table.filter_map(|line| line.split("http://").nth(1)?.split(' ').next().map(str::to_owned));
    urls.collect()
}
