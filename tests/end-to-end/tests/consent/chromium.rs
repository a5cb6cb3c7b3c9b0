//! A headless Chromium, driven over the Chrome DevTools Protocol through its pipe: JSON, with a zero byte after each message.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Patient, for machines that do a lot beside.
const PATIENCE: Duration = Duration::from_secs(60);

/// The browser reads its commands from file descriptor 3 and answers on 4.
const START: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

/// A browser with one page. It ends when dropped.
pub(crate) struct Chromium {
    _process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: String,
    last_id: u64,
    events: VecDeque<Value>,
    /// Errors and warnings of the page: blocked by its policy, failed, thrown or written to the console.
    complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

/// A key that moves through a page.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key {
    Tab,
    Enter,
    Down,
}

impl Chromium {
    /// Starts it. `None` where there is none, which is said aloud.
    pub(crate) async fn start() -> Option<Self> {
        let Some(program) = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(installed) else {
            // The macros that print are caught by the harness, and this is not.
            let _ =
                writeln!(std::io::stderr(), "skipped: there is no chromium on this machine to look at the pages with");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new("sh")
            .args(["-c", START])
            .arg(program)
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-first-run",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-proxy-server",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (commands, answers) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut browser = Self {
            _process: process,
            commands,
            answers,
            session: String::new(),
            last_id: 0,
            events: VecDeque::new(),
            complaints: Vec::new(),
            _profile: profile,
        };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        Some(browser)
    }

    /// Calls a method of the protocol.
    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut message = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.commands.write_all(format!("{message}\0").as_bytes()).await.unwrap();
        loop {
            let mut message = self.message().await;
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.note(message);
        }
    }

    async fn message(&mut self) -> Value {
        let mut bytes = Vec::new();
        let read = self.answers.read_until(0, &mut bytes);
        tokio::time::timeout(PATIENCE, read).await.expect("the browser answers").unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser is gone");
        serde_json::from_slice(&bytes).unwrap()
    }

    fn note(&mut self, message: Value) {
        let params = &message["params"];
        let entry = &params["entry"];
        match message["method"].as_str().unwrap_or_default() {
            // That a page has a status of its own is meant.
            "Log.entryAdded" if entry["source"] == "network" => {}
            "Log.entryAdded" => self.complaints.push(entry["text"].to_string()),
            "Runtime.consoleAPICalled" => self.complaints.push(params["args"].to_string()),
            "Runtime.exceptionThrown" => self.complaints.push(params["exceptionDetails"].to_string()),
            _ => self.events.push_back(message),
        }
    }

    /// Waits until a page that was gone to is there, with all that it loads.
    async fn arrived(&mut self) {
        loop {
            while let Some(event) = self.events.pop_front() {
                if event["method"] == "Page.loadEventFired" {
                    return;
                }
            }
            let message = self.message().await;
            self.note(message);
        }
    }

    /// Goes to an address, as a person who types it.
    pub(crate) async fn open(&mut self, url: &str) {
        self.events.clear();
        self.call("Page.navigate", json!({ "url": url })).await;
        self.arrived().await;
    }

    /// What an expression is on the page.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "userGesture": true});
        let mut answer = self.call("Runtime.evaluate", params).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Clicks on the button or link that begins with this text, with the mouse, and waits for the next page.
    pub(crate) async fn click(&mut self, text: &str) {
        let place = format!(
            "(() => {{ const all = [...document.querySelectorAll('button, a')]; \
             const one = all.find(one => one.textContent.trim().startsWith({text:?})); if (!one) return null; \
             one.scrollIntoView({{block: 'center'}}); const box = one.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let place = self.evaluate(&place).await;
        assert!(place.is_array(), "there is no {text:?} to click on: {}", self.text().await);
        self.events.clear();
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", params).await;
        }
        self.arrived().await;
    }

    /// Presses a key.
    pub(crate) async fn press(&mut self, key: Key) {
        let (name, code, text) = match key {
            Key::Tab => ("Tab", 9, ""),
            Key::Enter => ("Enter", 13, "\r"),
            Key::Down => ("ArrowDown", 40, ""),
        };
        let kind = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        let key = json!({"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code, "text": text});
        self.call("Input.dispatchKeyEvent", key).await;
        let key = json!({"type": "keyUp", "key": name, "code": name, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", key).await;
    }

    /// Presses Enter on what has the focus, and waits for the next page.
    pub(crate) async fn go_on(&mut self) {
        self.events.clear();
        self.press(Key::Enter).await;
        self.arrived().await;
    }

    /// What can be read on the page.
    pub(crate) async fn text(&mut self) -> String {
        self.evaluate("document.body.innerText").await.as_str().unwrap().to_owned()
    }

    pub(crate) async fn url(&mut self) -> String {
        self.evaluate("location.href").await.as_str().unwrap().to_owned()
    }

    /// Gives the window a width and the person a taste.
    pub(crate) async fn appear(&mut self, width: u32, scheme: &str) {
        let window = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", window).await;
        let taste = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", taste).await;
    }

    /// A picture of the whole page, as a PNG.
    pub(crate) async fn picture(&mut self) -> Vec<u8> {
        use base64::Engine as _;
        let params = json!({"format": "png", "captureBeyondViewport": true});
        let metrics = self.call("Page.getLayoutMetrics", json!({})).await;
        let size = &metrics["cssContentSize"];
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        let mut params = params;
        params["clip"] = clip;
        let picture = self.call("Page.captureScreenshot", params).await;
        base64::prelude::BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    /// What the page complained of since it was last asked.
    pub(crate) fn take_complaints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.complaints)
    }
}

fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
