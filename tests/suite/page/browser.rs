//! A headless Chromium, spoken to over a pipe in its DevTools protocol: JSON messages that end with
//! a zero byte, in by descriptor 3, out by descriptor 4. One browser serves all stories, each in a
//! tab of its own.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::harness::{PATIENCE, Process, process_runs};

/// A page in the browser.
pub struct Tab {
    session: String,
}

struct Browser {
    _process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    calls: u64,
    /// What the browser told of each tab, by its session.
    events: HashMap<String, Vec<Value>>,
}

impl Tab {
    /// A tab at `url`. `None`, with a word on standard error, where there is no Chromium.
    pub fn open(url: &str) -> Option<Tab> {
        let mut browser = browser()?;
        let target = browser.call(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let to = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call(None, "Target.attachToTarget", to);
        drop(browser);
        let session = attached["sessionId"].as_str().expect("a session").to_owned();
        let tab = Tab { session };
        for domain in ["Page", "Runtime", "Log"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        // All tabs but one would be hidden otherwise, and the page rests while it is.
        tab.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        tab.look_as(1280, "light");
        tab.call("Page.navigate", json!({ "url": url }));
        Some(tab)
    }

    /// How wide the window is, and which colours its owner likes.
    pub fn look_as(&self, width: u32, theme: &str) {
        let size = json!({
            "width": width,
            "height": if width < 600 { 844 } else { 900 },
            "deviceScaleFactor": if width < 600 { 2 } else { 1 },
            "mobile": width < 600,
        });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let features = json!([
            { "name": "prefers-color-scheme", "value": theme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// The value of a JavaScript expression.
    #[track_caller]
    pub fn eval(&self, expression: &str) -> Value {
        let asked = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true
        });
        let told = self.call("Runtime.evaluate", asked);
        assert!(told.get("exceptionDetails").is_none(), "{expression}: {told}");
        told["result"]["value"].clone()
    }

    /// The text of the first element that `selector` finds; empty without one.
    pub fn text(&self, selector: &str) -> String {
        let told = self.eval(&format!("document.querySelector({selector:?})?.textContent ?? ''"));
        told.as_str().expect("a text").to_owned()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&self, expression: &str) {
        let start = std::time::Instant::now();
        while self.eval(expression) != json!(true) {
            assert!(
                start.elapsed() < PATIENCE,
                "did not come true: {expression}\nThe page says:\n{}\nThe browser says: {:?}",
                self.eval("document.body.innerText").as_str().unwrap_or_default(),
                self.complaints()
            );
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
    }

    /// Types `text` where `selector` is, instead of what was there.
    pub fn type_into(&self, selector: &str, text: &str) {
        self.eval(&format!("document.querySelector({selector:?}).select()"));
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key that types nothing.
    pub fn press(&self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            let code = if key == "ArrowDown" { 40 } else { 0 };
            let event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Exceptions, errors and warnings, those of the Content-Security-Policy among them.
    pub fn complaints(&self) -> Vec<String> {
        self.eval("0");
        let browser = browser().expect("it was there");
        let events = browser.events.get(&self.session);
        let told = events.into_iter().flatten().filter(|event| is_complaint(event));
        told.map(|event| event["params"].to_string()).collect()
    }

    /// Writes what can be seen, all the way down, to `target/page/NAME.png`.
    pub fn picture(&self, name: &str) {
        let size = self.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let clip = json!({
            "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1
        });
        let asked = json!({ "format": "png", "clip": clip, "captureBeyondViewport": true });
        let told = self.call("Page.captureScreenshot", asked);
        let bytes = from_base64(told["data"].as_str().expect("a picture"));
        let directory = target().join("page");
        fs::create_dir_all(&directory).expect("a directory of ours");
        fs::write(directory.join(format!("{name}.png")), bytes).expect("a file of ours");
    }

    fn call(&self, method: &str, parameters: Value) -> Value {
        browser().expect("it was there").call(Some(&self.session), method, parameters)
    }
}

fn is_complaint(event: &Value) -> bool {
    let is_bad = |level: &Value| matches!(level.as_str(), Some("error" | "warning" | "assert"));
    match event["method"].as_str() {
        Some("Runtime.exceptionThrown") => true,
        Some("Runtime.consoleAPICalled") => is_bad(&event["params"]["type"]),
        Some("Log.entryAdded") => is_bad(&event["params"]["entry"]["level"]),
        _ => false,
    }
}

impl Browser {
    fn start(program: &str) -> Browser {
        let profile = fresh_profile();
        let mut process = Process::start("bash", |command| {
            // Its own chatter must not mix with the protocol's.
            let script = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";
            command.args(["-c", script, "bash", program, "--headless=new"]);
            command.args(FLAGS).arg(format!("--user-data-dir={}", profile.display()));
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
        })
        .expect("bash is there");
        let (input, output) = process.pipes().expect("both are pipes");
        let output = BufReader::new(output);
        Browser { _process: process, input, output, calls: 0, events: HashMap::new() }
    }

    #[track_caller]
    fn call(&mut self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let sent = write!(self.input, "{message}\0").and_then(|()| self.input.flush());
        sent.expect("Chromium listens");
        loop {
            let mut bytes = Vec::new();
            let read = self.output.read_until(0, &mut bytes).expect("Chromium answers");
            assert!(read > 0, "Chromium ended");
            let mut told: Value = serde_json::from_slice(&bytes[..read - 1]).expect("JSON");
            if told["id"] == json!(self.calls) {
                assert!(told.get("error").is_none(), "{method}: {told}");
                return told["result"].take();
            }
            if let Some(session) = told["sessionId"].as_str() {
                self.events.entry(session.to_owned()).or_default().push(told);
            }
        }
    }
}

/// The one browser, started when the first story asks for it; it ends with the test program.
fn browser() -> Option<MutexGuard<'static, Browser>> {
    static BROWSER: OnceLock<Option<Mutex<Browser>>> = OnceLock::new();
    let browser = BROWSER.get_or_init(|| match program() {
        Some(program) => Some(Mutex::new(Browser::start(&program))),
        None => {
            eprintln!("SKIPPED: no Chromium runs here, so the page is not tried (set CHROMIUM)");
            None
        }
    });
    let locked = browser.as_ref()?.lock();
    // A story that failed leaves the browser as good as it was.
    Some(locked.unwrap_or_else(PoisonError::into_inner))
}

/// One that says its version: Ubuntu has a program of this name that only tells of snaps.
fn program() -> Option<String> {
    let named = std::env::var("CHROMIUM").ok();
    let known = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let runs = |program: &String| {
        let told = Command::new(program).arg("--version").stdin(Stdio::null()).output();
        told.is_ok_and(|told| {
            let version = String::from_utf8_lossy(&told.stdout).into_owned();
            told.status.success() && version.contains("Chrom")
        })
    };
    named.into_iter().chain(known.map(str::to_owned)).find(runs)
}

/// A directory for what the browser keeps; those of test programs that have ended are removed.
fn fresh_profile() -> PathBuf {
    let place = target().join("tmp").join("browsers");
    for old in fs::read_dir(&place).into_iter().flatten().flatten() {
        let owner = old.file_name().to_str().and_then(|name| name.parse().ok());
        if owner.is_none_or(|owner| !process_runs(owner)) {
            let _ = fs::remove_dir_all(old.path());
        }
    }
    let mine = place.join(std::process::id().to_string());
    fs::create_dir_all(&mine).expect("a directory of ours");
    mine
}

fn target() -> PathBuf {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().expect("target/tmp is in target").to_owned()
}

fn from_base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|&byte| byte != b'=').map(digit).collect();
    let whole = |chunk: &[u8]| {
        let number = chunk.iter().fold(0_u32, |number, &digit| number << 6 | u32::from(digit));
        let number = number << (6 * (4 - chunk.len()));
        number.to_be_bytes()[1..chunk.len()].to_vec()
    };
    digits.chunks(4).flat_map(whole).collect()
}

const FLAGS: [&str; 13] = [
    "--remote-debugging-pipe",
    // It needs rights that root and containers lack, and we visit nobody but ourselves.
    "--no-sandbox",
    "--disable-gpu",
    // Containers have little of it.
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--disable-breakpad",
    "--force-color-profile=srgb",
    "--no-proxy-server",
];
