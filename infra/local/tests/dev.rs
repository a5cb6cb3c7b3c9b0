//! `cargo dev` as a person uses it.

#![expect(clippy::unwrap_used, reason = "what a helper finds wrong fails the test")]

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

fn dev(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dev"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn refused(arguments: &[&str]) -> String {
    let output = dev(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_taken_port_is_one_sentence_that_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();

    let told = refused(&["--port", &port, "--simulator-port", "0", "--emulator-port", "0"]);
    assert_eq!(told, format!("cargo dev: port {port} for the HTTP API is taken; choose another with --port\n"));

    let told = refused(&["--port", "0", "--simulator-port", &port, "--emulator-port", "0"]);
    assert_eq!(
        told,
        format!("cargo dev: port {port} for the Salesforce org is taken; choose another with --simulator-port\n")
    );
}

#[test]
fn a_failed_build_is_one_sentence() {
    let output = dev(&["demo", "--json"]).env("CARGO", "false").output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let step: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(step["step"], "stack-started");
    assert_eq!(step["ok"], false);
    let expected = "the functions did not build (cargo gave no reason); `cargo build --workspace` shows all of it";
    assert_eq!(step["error"], expected);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("cargo dev demo: stack-started: {expected}\n"));
}

#[test]
fn ctrl_c_stops_every_child() {
    let mut running = dev(&["--port", "0", "--simulator-port", "0", "--emulator-port", "0"]).spawn().unwrap();
    let ready = addresses(&mut running);
    assert_eq!(ready.len(), 3, "{ready:?}");
    assert!(ready.iter().all(|address| TcpStream::connect(address).is_ok()));

    let interrupt = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();

    assert!(interrupt.success());
    assert_eq!(running.wait().unwrap().code(), Some(0));
    assert!(ready.iter().all(|address| TcpStream::connect(address).is_err()));
}

/// The addresses of the table, read until the stack says that it is ready.
fn addresses(running: &mut Child) -> Vec<String> {
    let output = BufReader::new(running.stdout.take().unwrap());
    let lines = output.lines().map(Result::unwrap).take_while(|line| !line.starts_with("Ready in "));
    let table = lines.filter(|line| line.starts_with('│'));
    let urls = table.filter_map(|line| line.split("http://").nth(1)?.split(' ').next().map(str::to_owned));
    urls.collect()
}
