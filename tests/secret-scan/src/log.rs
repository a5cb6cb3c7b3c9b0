//! The log of this process.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The crates whose lines are recorded at every level. The simulator and the local stack are not Ferry.
const OURS: &str = "oauth_callback=trace,onboarding=trace,token_broker=trace,outbound_message=trace,change_event=trace,record_upsert=trace,\
    record_events=trace,record_write=trace,record_read=trace,note_write=trace,file_write=trace,pipeline_refresh=trace,runtime=trace,\
    store=trace,salesforce=trace,org_simulator=off,local=off";

/// The most verbose `LOG_LEVEL` that the template allows.
const LIBRARIES: &str = "debug";

pub(crate) fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = EnvFilter::new(format!("{LIBRARIES},{OURS}"));
        let lines = tracing_subscriber::fmt::layer().json().with_writer(Log).with_filter(filter);
        // A test that has set its own subscriber searches its log itself.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines));
    });
}

pub(crate) fn add(text: &str) {
    let mut written = written();
    written.extend_from_slice(text.as_bytes());
    written.push(b'\n');
}

pub(crate) fn length() -> usize {
    written().len()
}

pub(crate) fn since(start: usize) -> String {
    String::from_utf8_lossy(written().get(start..).unwrap_or_default()).into_owned()
}

fn written() -> MutexGuard<'static, Vec<u8>> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Copy)]
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        written().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}
