//! What is counted, for Prometheus.
//!
//! By `prometheus-client`, the Prometheus project's own crate: it is small, its registry is a value that is passed
//! on (no global recorder), and label sets are types.
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    area: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AreaLabel {
    area: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    project: String,
    environment: String,
    step: String,
    state: &'static str,
}

/// The metrics of this process.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<AreaLabel, Histogram>,
    viewers: Gauge,
    unfinished: Family<StateLabel, Gauge>,
    finished: Family<StateLabel, Counter>,
    step_seconds: Family<StepLabels, Histogram>,
    log_lines: Counter<u64, AtomicU64>,
    memory: Gauge,
}

/// From a cached file to a page that waits for git.
fn request_buckets() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ])
}

/// From a tag to a long build.
fn step_buckets() -> Histogram {
    Histogram::new([
        0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0,
    ])
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("fairlead");
        let metrics = Self {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(request_buckets),
            viewers: Gauge::default(),
            unfinished: Family::default(),
            finished: Family::default(),
            step_seconds: Family::new_with_constructor(step_buckets),
            log_lines: Counter::default(),
            memory: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register(
            "http_requests",
            "Answered requests",
            metrics.requests.clone(),
        );
        let help = "Time until an answer began";
        registry.register_with_unit(
            "http_request_duration",
            help,
            Unit::Seconds,
            metrics.request_seconds.clone(),
        );
        registry.register("live_viewers", "Open websockets", metrics.viewers.clone());
        registry.register(
            "runs_unfinished",
            "Runs that have not ended, by state; the queue's length is `queued`",
            metrics.unfinished.clone(),
        );
        registry.register(
            "runs_finished",
            "Runs that ended since the portal started, by state",
            metrics.finished.clone(),
        );
        let help = "How long the steps of runs took that ended since the portal started";
        registry.register_with_unit(
            "step_duration",
            help,
            Unit::Seconds,
            metrics.step_seconds.clone(),
        );
        registry.register(
            "log_lines_stored",
            "Log lines stored since the portal started, as of this look",
            metrics.log_lines.clone(),
        );
        registry.register_with_unit(
            "process_resident_memory",
            "Memory of the process",
            Unit::Bytes,
            metrics.memory.clone(),
        );
        Self {
            registry,
            ..metrics
        }
    }

    /// Counts an answered request.
    pub(super) fn request(
        &self,
        area: &'static str,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        // Anybody can send a method of their own making; each label value costs memory.
        let method = match *method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::HEAD => "HEAD",
            _ => "other",
        };
        self.requests
            .get_or_create(&RequestLabels {
                area,
                method,
                status: status.as_u16(),
            })
            .inc();
        self.request_seconds
            .get_or_create(&AreaLabel { area })
            .observe(took.as_secs_f64());
    }

    /// Counts a viewer for as long as the answer lives.
    pub(crate) fn viewer(&self) -> Viewer {
        self.viewers.inc();
        Viewer(self.viewers.clone())
    }

    /// How many runs are in an unfinished state.
    pub(super) fn unfinished(&self, state: &'static str, count: usize) {
        self.unfinished
            .get_or_create(&StateLabel { state })
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts a run that has ended.
    pub(super) fn finished(&self, state: &'static str) {
        self.finished.get_or_create(&StateLabel { state }).inc();
    }

    /// Counts a step that has ended.
    pub(super) fn step(
        &self,
        project: &str,
        environment: &str,
        step: String,
        state: &'static str,
        seconds: f64,
    ) {
        let labels = StepLabels {
            project: project.to_owned(),
            environment: environment.to_owned(),
            step,
            state,
        };
        self.step_seconds.get_or_create(&labels).observe(seconds);
    }

    /// Counts stored lines.
    pub(super) fn log_lines(&self, more: u64) {
        self.log_lines.inc_by(more);
    }

    /// Everything as text.
    pub(super) fn text(&self) -> Result<String, std::fmt::Error> {
        self.memory.set(resident_bytes().unwrap_or_default());
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// An open websocket.
pub(crate) struct Viewer(Gauge);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The process's resident memory (proc(5), `VmRSS`), where the system tells it.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
