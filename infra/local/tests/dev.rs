//! Runs the `dev` binary: its errors, the commands that it prints, and Ctrl-C.

#![expect(clippy::unwrap_used, reason = "a failed helper fails the test")]

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running `dev`, which does not outlive a test that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended in a test that passes.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

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
fn a_token_needs_a_running_stack_and_a_tenant() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);

    let error = error_of(&["token", "--tenant", "acme", "--port", &port]);

    let expected = format!("no stack runs on port {port}; start one with `cargo dev`, or choose its port with --port");
    assert_eq!(error, format!("cargo dev: could not get a token: {expected}\n"));
}

#[test]
fn the_printed_commands_work_and_ctrl_c_stops_every_server() {
    let mut running = Running(dev(&["--port", "0", "--simulator-port", "0", "--emulator-port", "0"]).spawn().unwrap());
    let printed = output_until_ready(&mut running.0);
    let ready = addresses(&printed);
    assert_eq!(ready.len(), 3, "{printed:?}");
    assert!(ready.iter().all(|address| TcpStream::connect(address).is_ok()));

    let outputs = run_printed_commands(&printed);
    assert!(outputs.contains(r#""status":202"#), "the install was not announced: {outputs}");
    assert!(outputs.contains("/connect/"), "there is no connect link: {outputs}");
    assert!(outputs.contains(r#"{"orgs":"#), "there is no list of orgs: {outputs}");

    let interrupt = Command::new("kill").args(["-INT", &running.0.id().to_string()]).status().unwrap();

    assert!(interrupt.success());
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    assert!(ready.iter().all(|address| TcpStream::connect(address).is_err()));
}

/// Reads the output until the stack is ready, and returns its lines.
fn output_until_ready(running: &mut Child) -> Vec<String> {
    let output = BufReader::new(running.stdout.take().unwrap());
    output.lines().map(Result::unwrap).take_while(|line| !line.starts_with("Ready in ")).collect()
}

/// Returns the addresses in the table.
fn addresses(printed: &[String]) -> Vec<String> {
    let table = printed.iter().filter(|line| line.starts_with('│'));
    let urls = table.filter_map(|line| line.split("http://").nth(1)?.split(' ').next().map(str::to_owned));
    urls.collect()
}

/// Runs the printed commands as they are in one shell, but for the demo, and returns what they print. Each of them has to succeed.
///
/// `cargo dev` and `cargo ferry` run the binaries that the stack built.
fn run_printed_commands(printed: &[String]) -> String {
    let dev = Path::new(env!("CARGO_BIN_EXE_dev"));
    let commands = printed.iter().filter(|line| line.starts_with("  ") && line.trim() != "cargo dev demo");
    let commands: Vec<_> = commands.map(String::as_str).collect();
    assert!(commands.iter().any(|line| line.contains("cargo ferry")), "{printed:?}");
    let folder = dev.parent().unwrap().display();
    let script = format!(
        "set -eu\ncurl() {{ command curl --fail \"$@\"; echo; }}\ncargo() {{ name=$1; shift; \"{folder}/$name\" \"$@\"; }}\n{}\n",
        commands.join("\n")
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stdout}{stderr}");
    stdout
}
