//! The images that everything else is made of. Public ones (`python:3.12-slim`, …) are stood in for by Debian's packages under
//! the same names, so the lab needs a Debian mirror and npm's registry, and no image registry.
//!
//! Each image carries the hash of its recipe as a label; it is made again only when that changes. An image with such a
//! name but without the label is somebody's real one: it is used as it is.
use crate::{
    error::LabError,
    folder::{Folder, make_folder, read_file},
    program::{Program, docker},
    progress::Progress,
};
use futures::future::try_join_all;
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// The image of a droplet.
pub const DROPLET: &str = "fairlead-lab/droplet";
/// The image of a registry.
pub const REGISTRY: &str = "fairlead-lab/registry";
/// The image of the database server.
pub const POSTGRES: &str = "postgres:15";

const BASE: &str = "debian:bookworm-slim";
const SUITES: [&str; 3] = ["bookworm", "bookworm-updates", "bookworm-security"];
const LABEL: &str = "fairlead.lab.recipe";
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The npm that Node 18 ships with.
const NPM: &str = "npm@10.8.2";
/// What a droplet's virtualenv holds, under the name that its recipe knows it by.
const REQUIREMENTS: &str = "requirements.txt";

/// Recipe folder under `images/` and the tag that it makes.
const RECIPES: [(&str, &str); 6] = [
    ("droplet", DROPLET),
    ("registry", REGISTRY),
    ("postgres", POSTGRES),
    ("python", "python:3.12-slim"),
    ("node", "node:18-alpine"),
    ("nginx", "nginx:alpine"),
];

/// Makes every image that is missing or whose recipe changed, side by side.
pub async fn ensure(folder: &Folder, progress: Progress) -> Result<(), LabError> {
    let base = Base::plan().await?;
    let mut made = usize::from(base.ensure(folder, progress).await?);
    let builds = RECIPES.map(|(name, tag)| ensure_one(folder, progress, &base.recipe, name, tag));
    made += try_join_all(builds)
        .await?
        .into_iter()
        .filter(|made| *made)
        .count();
    if made == 0 {
        progress.say(format!("images: all {} are there", RECIPES.len() + 1));
    } else {
        docker([
            "image",
            "prune",
            "--force",
            "--filter",
            &format!("label={LABEL}"),
        ])
        .run()
        .await?;
    }
    Ok(())
}

/// How many of the images exist.
pub async fn count() -> (usize, usize) {
    let mut there = 0;
    let tags = RECIPES.iter().map(|(_, tag)| *tag).chain([BASE]);
    for tag in tags {
        there += usize::from(!matches!(label(tag).await, Found::Nothing));
    }
    (there, RECIPES.len() + 1)
}

/// Removes what was made here from an engine that is not the lab's own: the images above, and what was built from them
/// for the lab's registries. Says how many there were. Images that somebody else built on them stay.
pub async fn remove() -> Result<usize, LabError> {
    let filter = format!("label={LABEL}");
    let format = "{{.Repository}}:{{.Tag}}";
    let listed = docker(["image", "ls", "--filter", &filter, "--format", format])
        .run()
        .await?;
    let names: Vec<&str> = listed.lines().filter(|name| is_ours(name)).collect();
    if !names.is_empty() {
        docker([&["image", "rm"][..], &names].concat())
            .run()
            .await?;
    }
    docker(["image", "prune", "--force", "--filter", &filter])
        .run()
        .await?;
    Ok(names.len())
}

/// Whether an image that carries the label (what is built on a labelled one does, too) has a name that the lab or its
/// portal gave it.
fn is_ours(name: &str) -> bool {
    let recipes = RECIPES.iter().map(|(_, tag)| *tag);
    // The last one is every registry in the lab's network, also those that tests start beside the two.
    let prefixes = ["fairlead-lab/", "fairlead/", "10.77."];
    recipes.chain([BASE]).any(|tag| name == tag)
        || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

enum Found {
    Nothing,
    /// Not made by the lab.
    Foreign,
    Recipe(String),
}

async fn label(tag: &str) -> Found {
    match docker([
        "image",
        "inspect",
        tag,
        "--format",
        &format!("{{{{index .Config.Labels \"{LABEL}\"}}}}"),
    ])
    .run()
    .await
    {
        Err(_) => Found::Nothing,
        Ok(text) if text.is_empty() || text == "<no value>" => Found::Foreign,
        Ok(text) => Found::Recipe(text),
    }
}

async fn must_be_made(tag: &str, recipe: &str) -> bool {
    match label(tag).await {
        Found::Nothing => true,
        Found::Foreign => false,
        Found::Recipe(found) => found != recipe,
    }
}

/// The smallest Debian, from the mirrors that this machine uses, trusting what this machine trusts.
struct Base {
    sources: String,
    recipe: String,
}

impl Base {
    async fn plan() -> Result<Self, LabError> {
        let sources = sources().await?;
        let mut recipe = Sha256::new();
        recipe.update(&sources);
        // The file's place is no part of it: every checkout makes the same image.
        recipe.update(Self::arguments(Path::new("base.tar")).join(" "));
        recipe.update(Self::changes("").concat());
        recipe.update(read_file(Path::new(CA_BUNDLE))?);
        Ok(Self {
            sources,
            recipe: hex::encode(recipe.finalize()),
        })
    }

    async fn ensure(&self, folder: &Folder, progress: Progress) -> Result<bool, LabError> {
        if !must_be_made(BASE, &self.recipe).await {
            return Ok(false);
        }
        progress.say(format!(
            "making {BASE} from Debian packages (about half a minute)"
        ));
        let start = Instant::now();
        let tar = folder.file("base.tar");
        make_folder(&folder.lab, 0o755)?;
        let packed = Program::new("mmdebstrap", Self::arguments(&tar))
            .input(self.sources.as_bytes())
            .run()
            .await;
        if packed.is_err() {
            // What there is of it is of no use.
            let _ = fs::remove_file(&tar);
        }
        packed?;
        let tar_name = tar.to_string_lossy().into_owned();
        let mut import = vec!["import".to_owned()];
        for change in Self::changes(&self.recipe) {
            import.extend(["--change".to_owned(), change]);
        }
        import.extend([tar_name, BASE.to_owned()]);
        let imported = docker(import).run().await;
        fs::remove_file(&tar).map_err(LabError::io("remove", &tar))?;
        imported?;
        progress.say(format!(
            "made {BASE} ({:.0} s)",
            start.elapsed().as_secs_f32()
        ));
        Ok(true)
    }

    /// mmdebstrap does in 30 s what takes debootstrap 75 s: it unpacks all packages in one go.
    fn arguments(tar: &Path) -> Vec<String> {
        let mut args: Vec<String> = [
            "--quiet",
            "--variant=minbase",
            "--include=ca-certificates",
            "--format=tar",
        ]
        .map(str::to_owned)
        .into();
        args.push("--aptopt=Acquire::Languages \"none\"".into());
        // Stays in the image, so that the recipes' own installs try again, too.
        args.push("--aptopt=Acquire::Retries \"3\"".into());
        args.push("--dpkgopt=force-unsafe-io".into());
        for unread in ["doc", "man", "info", "locale"] {
            args.push(format!("--dpkgopt=path-exclude=/usr/share/{unread}/*"));
        }
        // Builds go through the same proxies as this machine; elsewhere these are Debian's own certificates.
        args.push(format!(
            "--customize-hook=copy-in {CA_BUNDLE} /etc/ssl/certs"
        ));
        args.extend([
            "bookworm".into(),
            tar.to_string_lossy().into_owned(),
            "-".into(),
        ]);
        args
    }

    fn changes(recipe: &str) -> Vec<String> {
        let mut changes = vec![format!("LABEL {LABEL}={recipe}"), "CMD [\"bash\"]".into()];
        for variable in [
            "SSL_CERT_FILE",
            "PIP_CERT",
            "REQUESTS_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS",
        ] {
            changes.push(format!("ENV {variable}={CA_BUNDLE}"));
        }
        changes
    }
}

/// This machine's own Debian 12 sources, as `sources.list` lines.
async fn sources() -> Result<String, LabError> {
    let format = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)";
    let ask = || {
        let args = ["indextargets", "--format", format, "Created-By: Packages"];
        Program::new("apt-get", args).run()
    };
    let mut all = ask().await?;
    // A fresh machine has sources and no lists, which says nothing about what the sources have.
    if all.is_empty() {
        let args = ["update", "-qq", "-o", "Acquire::Retries=3"];
        let update = Program::new("apt-get", args).run().await;
        update.map_err(|error| {
            LabError::Needs(format!(
                "apt has no package lists ({error}); get them with: sudo apt-get update"
            ))
        })?;
        all = ask().await?;
    }
    let mut lines: Vec<&str> = all
        .lines()
        .filter(|line| {
            let mut words = line.split_whitespace().skip(2);
            words.next().is_some_and(|suite| SUITES.contains(&suite))
                && words.next() == Some("main")
        })
        .collect();
    lines.dedup();
    if !lines.iter().any(|line| line.ends_with(" bookworm main")) {
        return Err(LabError::Needs(
            "the lab's images are made from Debian 12 packages, but apt has no source of them; add bookworm's `main` to /etc/apt/sources.list and run apt-get update".into(),
        ));
    }
    Ok(lines.join("\n") + "\n")
}

async fn ensure_one(
    folder: &Folder,
    progress: Progress,
    base: &str,
    name: &str,
    tag: &str,
) -> Result<bool, LabError> {
    let source = folder.source.join("images").join(name);
    let mut recipe = Sha256::new();
    recipe.update(base);
    recipe.update(if name == "node" { NPM } else { "" });
    for (file, bytes) in files_of(&source)? {
        recipe.update(file);
        recipe.update(bytes);
    }
    if name == "droplet" {
        recipe.update(read_file(&requirements(folder))?);
    }
    let recipe = hex::encode(recipe.finalize());
    if !must_be_made(tag, &recipe).await {
        return Ok(false);
    }
    let start = Instant::now();
    let made = matches!(name, "node" | "droplet");
    let context = match name {
        "node" => with_npm(folder, &source).await?,
        "droplet" => with_requirements(folder, &source)?,
        _ => source,
    };
    let label = format!("{LABEL}={recipe}");
    let build = docker(["build", "--quiet", "--label", &label, "--tag", tag, "."])
        .in_folder(&context)
        .run()
        .await;
    if made {
        fs::remove_dir_all(&context).map_err(LabError::io("remove", &context))?;
    }
    build?;
    progress.say(format!(
        "made {tag} ({:.0} s)",
        start.elapsed().as_secs_f32()
    ));
    Ok(true)
}

fn requirements(folder: &Folder) -> PathBuf {
    folder.source.join("sample/backend").join(REQUIREMENTS)
}

/// A copy of the recipe with the app's requirements beside it, which are outside of the recipe's folder.
fn with_requirements(folder: &Folder, source: &Path) -> Result<PathBuf, LabError> {
    let context = copy_of(folder, source, "droplet")?;
    let path = context.join(REQUIREMENTS);
    fs::write(&path, read_file(&requirements(folder))?).map_err(LabError::io("write", path))?;
    Ok(context)
}

/// A copy of a recipe that something is to be put beside.
fn copy_of(folder: &Folder, source: &Path, name: &str) -> Result<PathBuf, LabError> {
    let context = folder.file(name);
    make_folder(&context, 0o755)?;
    for (file, bytes) in files_of(source)? {
        let path = context.join(file);
        fs::write(&path, bytes).map_err(LabError::io("write", path))?;
    }
    Ok(context)
}

/// A copy of the recipe with npm's package beside it: the image has no npm yet to fetch it with.
async fn with_npm(folder: &Folder, source: &Path) -> Result<PathBuf, LabError> {
    let context = copy_of(folder, source, "npm")?;
    let packed = Program::new("npm", ["pack", "--silent", NPM])
        .in_folder(&context)
        .run()
        .await?;
    let from = context.join(packed.lines().last().unwrap_or_default());
    fs::rename(&from, context.join("npm.tgz")).map_err(LabError::io("rename", from))?;
    Ok(context)
}

/// The files of a folder without sub-folders, by name.
fn files_of(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, LabError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(LabError::io("list", folder))? {
        let path = entry.map_err(LabError::io("list", folder))?.path();
        let bytes = fs::read(&path).map_err(LabError::io("read", &path))?;
        files.push((
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            bytes,
        ));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_the_lab_and_its_portal_give_are_removed() {
        for name in [
            "debian:bookworm-slim",
            "python:3.12-slim",
            "fairlead-lab/droplet:latest",
            "fairlead/projectmeats-backend:0123",
            "10.77.0.2:5000/meatscentral/projectmeats-backend:dev-0123",
        ] {
            assert!(is_ours(name), "{name}");
        }
        for name in ["python:3.13-slim", "somebody/app:1", "<none>:<none>"] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
