//! The sample project's repository: a bare one, filled from `end2end/lab/sample` on the first `up`.
use crate::{
    error::LabError,
    folder::{Folder, make_folder},
    layout::{Environment, REPOSITORY},
    program::Program,
};
use std::{fs, path::Path};

/// The first commits. Author and time are fixed, so their hashes only depend on the sample's content.
const COMMITS: [Commit; 3] = [
    Commit {
        paths: &[
            ".gitignore",
            ".gitattributes",
            ".dockerignore",
            "README.md",
            "backend",
        ],
        author: "Devon Castillo <dev@meatscentral.example>",
        time: "2026-11-02T09:14:00+00:00",
        message: "Add the orders API\n\nTenants share the schema; every query is filtered by the request's tenant.",
    },
    Commit {
        paths: &["frontend"],
        author: "Lena Brandt <lena@meatscentral.example>",
        time: "2026-11-03T15:40:00+00:00",
        message: "Add the web frontend\n\nIt reads its API address when it starts, so one image serves every environment.",
    },
    Commit {
        paths: &["."],
        author: "Devon Castillo <dev@meatscentral.example>",
        time: "2026-11-05T11:02:00+00:00",
        message: "Deploy development from GitHub Actions",
    },
];

struct Commit {
    paths: &'static [&'static str],
    author: &'static str,
    time: &'static str,
    message: &'static str,
}

/// Makes the repository if there is none; one that is there is left as people have pushed to it. Says whether it is new.
/// `uat` and `main` stand one commit behind `development`, so that there is something to promote.
pub async fn ensure(folder: &Folder) -> Result<bool, LabError> {
    let bare = folder.file("git").join(format!("{REPOSITORY}.git"));
    if bare.exists() {
        return Ok(false);
    }
    let making = bare.with_extension("making");
    let _ = fs::remove_dir_all(&making);
    make_folder(&making, 0o755)?;
    git(
        &making,
        &[
            "init",
            "--quiet",
            "--bare",
            "--initial-branch",
            Environment::Dev.branch(),
            ".",
        ],
    )
    .run()
    .await?;
    let sample = folder.source.join("sample").to_string_lossy().into_owned();
    let mut commits = Vec::new();
    for Commit {
        paths,
        author,
        time,
        message,
    } in &COMMITS
    {
        // Only what git keeps of the sample: its own ignore file leaves out what tools put there.
        let add = [&["--work-tree", &sample, "add", "--"][..], paths].concat();
        git(&making, &add).run().await?;
        let (name, email) = author.split_once(" <").unwrap_or((author, ""));
        let email = email.trim_end_matches('>');
        git(
            &making,
            &["--work-tree", &sample, "commit", "--quiet", "--file", "-"],
        )
        .env("GIT_AUTHOR_NAME", name)
        .env("GIT_AUTHOR_EMAIL", email)
        .env("GIT_AUTHOR_DATE", time)
        .env("GIT_COMMITTER_NAME", name)
        .env("GIT_COMMITTER_EMAIL", email)
        .env("GIT_COMMITTER_DATE", time)
        .input(*message)
        .run()
        .await?;
        commits.push(git(&making, &["rev-parse", "HEAD"]).run().await?);
    }
    for environment in [Environment::Uat, Environment::Prod] {
        git(
            &making,
            &["branch", environment.branch(), &commits[COMMITS.len() - 2]],
        )
        .run()
        .await?;
    }
    fs::rename(&making, &bare).map_err(LabError::io("rename", &making))?;
    Ok(true)
}

/// git on a bare repository, without the settings of this machine or its user.
fn git(repository: &Path, args: &[&str]) -> Program {
    let folder = repository.to_string_lossy();
    let git_dir = ["--git-dir", &folder];
    Program::new("git", git_dir.iter().chain(args))
        .in_folder(repository)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
}
