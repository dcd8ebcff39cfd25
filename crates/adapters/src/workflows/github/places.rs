//! Which contexts and functions an expression may use where
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#context-availability>).

/// A place for expressions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// `github`, `env` and so on; none where no expression may stand.
    pub contexts: &'static [&'static str],
    /// `success()`, `failure()`, `always()`, `cancelled()`.
    pub status: bool,
    /// `hashFiles()`.
    pub files: bool,
}

const fn place(contexts: &'static [&'static str]) -> Place {
    Place {
        contexts,
        status: false,
        files: false,
    }
}

/// All contexts that there are.
pub(super) const ALL: &[&str] = &[
    "github", "env", "vars", "job", "jobs", "steps", "runner", "secrets", "strategy", "matrix",
    "needs", "inputs",
];

pub(super) const NOWHERE: Place = place(&[]);
pub(super) const RUN_NAME: Place = place(&["github", "inputs", "vars"]);
pub(super) const CONCURRENCY: Place = RUN_NAME;
pub(super) const CALL_DEFAULT: Place = RUN_NAME;
pub(super) const CALL_OUTPUT: Place = place(&["github", "inputs", "vars", "jobs"]);
pub(super) const WORKFLOW_ENV: Place = place(&["github", "inputs", "vars", "secrets"]);
pub(super) const STRATEGY: Place = place(&["github", "inputs", "vars", "needs"]);
pub(super) const JOB_IF: Place = Place {
    status: true,
    ..STRATEGY
};
pub(super) const JOB: Place = place(&["github", "inputs", "vars", "needs", "strategy", "matrix"]);
pub(super) const JOB_ENV: Place = place(&[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "secrets",
]);
pub(super) const JOB_DEFAULTS: Place = place(&[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "env",
]);
pub(super) const CREDENTIALS: Place = place(&[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "env", "secrets",
]);
pub(super) const ENVIRONMENT_URL: Place = place(&[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "steps", "job", "runner", "env",
]);
/// Of a container's `env` and of a job's `outputs`.
pub(super) const RUNNER: Place = place(&[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "secrets", "steps", "job", "runner",
    "env",
]);
pub(super) const STEP: Place = Place {
    files: true,
    ..RUNNER
};
pub(super) const STEP_IF: Place = Place {
    status: true,
    files: true,
    ..ENVIRONMENT_URL
};
