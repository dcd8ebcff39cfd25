//! Checks the workflow files at the run's commit; an error fails the run before anything is built.
use adapters::git::{Entry, GitError, Mirror};
use adapters::workflows::{self, WorkflowFile};
use domain::Sha;
use domain::report::{Content, Finding, Level};
use domain::step::Outcome;

use super::{StepError, Work};

/// Under which name the findings are left.
const FINDINGS: &str = "findings";
/// Most files that are read: far more than any team has.
const MOST_FILES: usize = 1_000;
/// Most bytes that they may have together, because they are all in memory at once.
const MOST_BYTES: usize = 32 << 20;

pub(super) async fn lint(work: &Work, folder: &str) -> Result<Outcome, StepError> {
    let sha = &work.scene.plan.commit.sha;
    let mirror = work.scene.portal.mirror(&work.scene.manifest).await?;
    let files = files(work, &mirror, sha, folder).await?;
    let count = files.len();
    // It may take a moment with files that somebody made large on purpose.
    let linted = tokio::task::spawn_blocking(move || workflows::lint(&files));
    let findings = linted.await.map_err(|error| {
        StepError::fatal(format!("the workflow files cannot be checked: {error}"))
    })?;
    for finding in &findings {
        work.log.say(sentence(finding));
    }
    let errors: Vec<&Finding> = at(&findings, Level::Error).collect();
    let warnings = at(&findings, Level::Warning).count();
    let failed = errors.first().map(|first| {
        let (here, these) = match errors.len() {
            1 => ("1 error".to_owned(), "it"),
            many => (format!("{many} errors"), "they"),
        };
        StepError::advised(
            format!("{here} in the workflow files in {folder}: {}", sentence(first)),
            format!("nothing was built; {these} must be mended in a new commit, which can then be deployed"),
        )
    });
    work.leave(FINDINGS, Content::Findings(findings)).await?;
    match failed {
        Some(failed) => Err(failed),
        None => {
            work.log.say(format!(
                "{count} workflow files without an error, {warnings} warnings"
            ));
            Ok(Outcome::Linted {
                warnings: u32::try_from(warnings).unwrap_or(u32::MAX),
            })
        }
    }
}

fn at(findings: &[Finding], level: Level) -> impl Iterator<Item = &Finding> {
    findings
        .iter()
        .filter(move |finding| finding.level == level)
}

fn sentence(finding: &Finding) -> String {
    let Finding {
        file,
        line,
        column,
        rule,
        level,
        message,
    } = finding;
    format!(
        "{file}:{line}:{column} {} {rule}: {message}",
        level.as_str()
    )
}

/// The YAML files in the folder and below it at the commit.
async fn files(
    work: &Work,
    mirror: &Mirror,
    sha: &Sha,
    folder: &str,
) -> Result<Vec<WorkflowFile>, StepError> {
    let folder = folder.trim_matches('/');
    let entries = mirror.list(sha, folder).await?.ok_or_else(|| {
        StepError::advised(
            format!("commit {} holds no folder `{folder}`", sha.short()),
            "correct `workflows` under `[lint]` in the manifest, or commit the folder",
        )
    })?;
    let mut names = Vec::new();
    for Entry { path, is_file } in entries {
        match workflows::is_yaml(&path) {
            true if is_file => names.push(path),
            true => work.log.say(format!(
                "{folder}/{path} is a link or a submodule, which is not followed"
            )),
            false => {}
        }
    }
    if names.len() > MOST_FILES {
        let told = format!("`{folder}` holds {} workflow files", names.len());
        return Err(StepError::advised(
            told,
            format!("{MOST_FILES} are the limit"),
        ));
    }
    let mut files = Vec::new();
    let mut bytes = 0;
    for name in names {
        let path = format!("{folder}/{name}");
        let mut content = match mirror.file_at(sha, &path).await {
            // What is too large to be read is too large to be linted: the linter says so, and where.
            Err(GitError::TooLarge { .. }) => vec![b' '; workflows::LARGEST + 1],
            read => read?.unwrap_or_default(),
        };
        content.truncate(workflows::LARGEST + 1);
        content.shrink_to_fit();
        bytes += content.len();
        if bytes > MOST_BYTES {
            return Err(StepError::advised(
                format!(
                    "the workflow files in `{folder}` are larger than {MOST_BYTES} bytes together"
                ),
                "that is the limit; take out of the folder what is no workflow",
            ));
        }
        files.push(WorkflowFile {
            path,
            below: name.contains('/'),
            content,
        });
    }
    Ok(files)
}
