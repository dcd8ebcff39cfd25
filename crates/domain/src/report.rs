//! What a step leaves for people besides its log: findings, test results, and texts to look at.
use serde::{Deserialize, Serialize};

use crate::StepId;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The step fails.
    Error,
    /// People should look.
    Warning,
}

impl Level {
    /// The level in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
        }
    }
}

/// Something that was found in a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The file, relative to the repository.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// The rule's short name, such as `key-duplicates`.
    pub rule: String,
    /// How bad it is.
    pub level: Level,
    /// What is wrong, and what was expected.
    pub message: String,
}

/// How tests went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TestReport {
    /// How many passed.
    pub passed: u32,
    /// How many failed or broke.
    pub failed: u32,
    /// How many were left out.
    pub skipped: u32,
    /// Those that failed, in order, at most [`TestReport::MOST`].
    pub failures: Vec<FailedTest>,
}

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTest {
    /// Its name, with what it belongs to.
    pub name: String,
    /// What it said, shortened; empty where the output does not tell.
    pub message: String,
}

impl TestReport {
    /// Most failures that are kept by name.
    pub const MOST: usize = 200;

    /// Both together.
    pub fn and(mut self, other: TestReport) -> TestReport {
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.skipped = self.skipped.saturating_add(other.skipped);
        self.failures.extend(other.failures);
        self.failures.truncate(Self::MOST);
        self
    }
}

/// What an artifact holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "holds", content = "content", rename_all = "kebab-case")]
pub enum Content {
    /// Shown as annotations.
    Findings(Vec<Finding>),
    /// Shown as test results.
    Tests(TestReport),
    /// Shown as it is, such as a rendered configuration; redacted.
    Text(String),
}

impl Content {
    /// What it is in one word, as stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Content::Findings(_) => "findings",
            Content::Tests(_) => "tests",
            Content::Text(_) => "text",
        }
    }
}

/// Something that a step left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The step.
    pub step: StepId,
    /// A file's name, one of a kind within the step: `findings.json`, `pm-frontend.conf`.
    pub name: String,
    /// What it holds.
    pub content: Content,
}
