//! The sample project's repository: a bare one, filled from `end2end/lab/sample`.
use crate::{
    error::LabError,
    folder::{Folder, make_folder, write_file},
    layout::{Environment, REPOSITORY},
    program::Program,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The first commits. Author and time are fixed, so their hashes only depend on the sample's content. Each can be deployed
/// from the third on, which is where `uat` and `main` stand.
const COMMITS: [Commit; 4] = [
    Commit {
        paths: &[
            ".gitignore",
            ".gitattributes",
            ".dockerignore",
            "README.md",
            "backend",
            ":(exclude)backend/apps/orders/admin.py",
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
        paths: &[".github"],
        author: "Devon Castillo <dev@meatscentral.example>",
        time: "2026-11-05T11:02:00+00:00",
        message: "Deploy development from GitHub Actions",
    },
    Commit {
        paths: &["."],
        author: "Lena Brandt <lena@meatscentral.example>",
        time: "2026-11-06T08:31:00+00:00",
        message: "Show orders in the admin",
    },
];

struct Commit {
    paths: &'static [&'static str],
    author: &'static str,
    time: &'static str,
    message: &'static str,
}

/// The branches as they were made, in the repository's own folder.
const MADE: &str = "lab-made";

/// What `ensure` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is as the sample is, or as people have pushed to it.
    Kept,
    /// There was none.
    Made,
    /// The sample has changed and nobody had pushed.
    MadeAgain,
}

/// Makes the repository if there is none, or if the sample is not what it was made from; once somebody has pushed to it,
/// it is theirs. `uat` and `main` stand one commit behind `development`, so that there is something to promote.
pub async fn ensure(folder: &Folder) -> Result<Done, LabError> {
    let bare = folder.file("git").join(format!("{REPOSITORY}.git"));
    let was_there = bare.exists();
    if was_there
        && branches(&bare).await? != fs::read_to_string(bare.join(MADE)).unwrap_or_default()
    {
        return Ok(Done::Kept);
    }
    // The same sample gives the same commits, so making it and looking is the simplest way to know.
    let making = make(folder, &bare).await?;
    let made = branches(&making).await?;
    if was_there && branches(&bare).await? == made {
        fs::remove_dir_all(&making).map_err(LabError::io("remove", &making))?;
        return Ok(Done::Kept);
    }
    write_file(&making.join(MADE), 0o644, made.as_bytes())?;
    if was_there {
        fs::remove_dir_all(&bare).map_err(LabError::io("remove", &bare))?;
    }
    fs::rename(&making, &bare).map_err(LabError::io("rename", &making))?;
    Ok(if was_there {
        Done::MadeAgain
    } else {
        Done::Made
    })
}

/// Every branch with its commit.
async fn branches(repository: &Path) -> Result<String, LabError> {
    let format = "--format=%(refname) %(objectname)";
    git(repository, &["for-each-ref", format]).run().await
}

async fn make(folder: &Folder, bare: &Path) -> Result<PathBuf, LabError> {
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
    Ok(making)
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

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = "git/meats-central/projectmeats-sample.git";

    fn write(folder: &Folder, path: &str, text: &str) {
        write_file(
            &folder.source.join("sample").join(path),
            0o644,
            text.as_bytes(),
        )
        .unwrap();
    }

    #[tokio::test]
    async fn a_changed_sample_is_taken_over_until_somebody_has_pushed() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder {
            lab: root.path().join("lab"),
            source: root.path().to_owned(),
            cache: root.path().to_owned(),
        };
        for path in [".gitignore", ".gitattributes", ".dockerignore", "README.md"] {
            write(&folder, path, "");
        }
        for path in ["backend/app", "frontend/app", ".github/workflow", "rest"] {
            write(&folder, path, "one");
        }
        assert_eq!(ensure(&folder).await.unwrap(), Done::Made);
        assert_eq!(ensure(&folder).await.unwrap(), Done::Kept);
        let bare = folder.file(BARE);
        let first = branches(&bare).await.unwrap();

        write(&folder, "backend/app", "two");
        assert_eq!(ensure(&folder).await.unwrap(), Done::MadeAgain);
        assert_ne!(branches(&bare).await.unwrap(), first);
        assert_eq!(ensure(&folder).await.unwrap(), Done::Kept);

        let push = ["update-ref", "refs/heads/development", "refs/heads/main"];
        git(&bare, &push).run().await.unwrap();
        let pushed = branches(&bare).await.unwrap();
        write(&folder, "backend/app", "three");
        assert_eq!(ensure(&folder).await.unwrap(), Done::Kept);
        assert_eq!(branches(&bare).await.unwrap(), pushed);
    }
}
