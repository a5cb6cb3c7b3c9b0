//! A headless Chromium, controlled over the pipe of the Chrome DevTools Protocol: JSON with a zero byte after each message.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The time after which the browser must have responded. It is long, for busy machines.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The shell command that starts the browser, which reads commands from file descriptor 3 and writes responses to 4.
const START: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

/// A browser with one page. It ends when dropped.
pub(crate) struct Chromium {
    _process: Child,
    commands: ChildStdin,
    responses: BufReader<ChildStdout>,
    session: String,
    last_id: u64,
    events: VecDeque<Value>,
    /// Errors and warnings of the page: resources that its policy blocks, failures, exceptions and console messages.
    problems: Vec<String>,
    _profile: tempfile::TempDir,
}

/// A key for moving through a page.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key {
    Tab,
    Enter,
    Down,
}

impl Chromium {
    /// Starts a browser. Prints a note and returns `None` if none is installed.
    pub(crate) async fn start() -> Option<Self> {
        let Some(program) = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(installed) else {
            // Unlike the printing macros, this is shown although the test harness captures output.
            let _ = writeln!(
                std::io::stderr(),
                "skipped: Chromium is not installed, so the pages are not checked in a browser"
            );
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
        let (commands, responses) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut browser = Self {
            _process: process,
            commands,
            responses,
            session: String::new(),
            last_id: 0,
            events: VecDeque::new(),
            problems: Vec::new(),
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
            self.store(message);
        }
    }

    async fn message(&mut self) -> Value {
        let mut bytes = Vec::new();
        let read = self.responses.read_until(0, &mut bytes);
        tokio::time::timeout(TIMEOUT, read).await.expect("the browser responds").unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser has ended");
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Stores a problem of the page, or an event of the protocol.
    fn store(&mut self, message: Value) {
        let params = &message["params"];
        let entry = &params["entry"];
        match message["method"].as_str().unwrap_or_default() {
            // The log reports every error status, and some pages have one on purpose.
            "Log.entryAdded" if entry["source"] == "network" => {}
            "Log.entryAdded" => self.problems.push(entry["text"].to_string()),
            "Runtime.consoleAPICalled" => self.problems.push(params["args"].to_string()),
            "Runtime.exceptionThrown" => self.problems.push(params["exceptionDetails"].to_string()),
            _ => self.events.push_back(message),
        }
    }

    /// Waits until the next page is loaded with all its resources.
    async fn wait_for_load(&mut self) {
        loop {
            while let Some(event) = self.events.pop_front() {
                if event["method"] == "Page.loadEventFired" {
                    return;
                }
            }
            let message = self.message().await;
            self.store(message);
        }
    }

    /// Navigates to a URL.
    pub(crate) async fn open(&mut self, url: &str) {
        self.events.clear();
        self.call("Page.navigate", json!({ "url": url })).await;
        self.wait_for_load().await;
    }

    /// Returns the value of a JavaScript expression on the page.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "userGesture": true});
        let mut result = self.call("Runtime.evaluate", params).await;
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].take()
    }

    /// Clicks with the mouse on the button or link whose text begins with `text`, and waits for the next page.
    pub(crate) async fn click(&mut self, text: &str) {
        let place = format!(
            "(() => {{ const all = [...document.querySelectorAll('button, a')]; \
             const one = all.find(one => one.textContent.trim().startsWith({text:?})); if (!one) return null; \
             one.scrollIntoView({{block: 'center'}}); const box = one.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let place = self.evaluate(&place).await;
        assert!(place.is_array(), "the page has no button or link {text:?}: {}", self.text().await);
        self.events.clear();
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", params).await;
        }
        self.wait_for_load().await;
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

    /// Presses Enter on the element with the focus, and waits for the next page.
    pub(crate) async fn press_enter(&mut self) {
        self.events.clear();
        self.press(Key::Enter).await;
        self.wait_for_load().await;
    }

    /// Returns the visible text of the page.
    pub(crate) async fn text(&mut self) -> String {
        self.evaluate("document.body.innerText").await.as_str().unwrap().to_owned()
    }

    pub(crate) async fn url(&mut self) -> String {
        self.evaluate("location.href").await.as_str().unwrap().to_owned()
    }

    /// Sets the width of the window and the preferred color scheme.
    pub(crate) async fn set_display(&mut self, width: u32, scheme: &str) {
        let window = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", window).await;
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", media).await;
    }

    /// Takes a screenshot of the whole page, as a PNG.
    pub(crate) async fn screenshot(&mut self) -> Vec<u8> {
        use base64::Engine as _;
        let params = json!({"format": "png", "captureBeyondViewport": true});
        let metrics = self.call("Page.getLayoutMetrics", json!({})).await;
        let size = &metrics["cssContentSize"];
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        let mut params = params;
        params["clip"] = clip;
        let screenshot = self.call("Page.captureScreenshot", params).await;
        base64::prelude::BASE64_STANDARD.decode(screenshot["data"].as_str().unwrap()).unwrap()
    }

    /// Returns the problems of the page since the last call.
    pub(crate) fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }
}

fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
