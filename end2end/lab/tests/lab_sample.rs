//! The sample project passes its own tests, in the images that the lab and the portal build from it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]
use std::{path::Path, process::Command};

/// What a program said, both channels in one, and whether it went well.
fn docker(args: &[&str]) -> (bool, String) {
    let output = Command::new("docker")
        .args(args)
        // As the lab builds: the classic builder is in every engine.
        .env("DOCKER_BUILDKIT", "0")
        .env("DOCKER_HOST", format!("unix://{}", lab::DOCKER_SOCKET))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Builds a dockerfile of the sample up to a stage, and runs a command in it; what that said.
fn run_in(half: &str, stage: &[&str], command: &[&str]) -> String {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample");
    let sample = sample.to_string_lossy();
    let dockerfile = format!("{sample}/{half}/dockerfile");
    let tag = format!("fairlead-lab/sample-{half}");
    let build = ["build", "--file", &dockerfile, "--tag", &tag];
    let (built, said) = docker(&[&build, stage, &[&sample]].concat());
    assert!(built, "{half}: {said}");
    let (passed, said) = docker(&[&["run", "--rm", &tag], command].concat());
    assert!(passed, "{half}: {command:?}: {said}");
    said
}

#[test]
fn the_backend_passes_its_tests_in_the_image_that_is_deployed() {
    let test = ["python", "manage.py", "test", "apps/", "--verbosity=2"];
    let said = run_in("backend", &[], &test);
    assert!(
        said.contains("Ran ") && !said.contains("Ran 0 tests"),
        "{said}"
    );
}

#[test]
fn the_frontend_passes_its_tests_and_its_types_are_right_on_node_18() {
    let stage = ["--target", "build"];
    let said = run_in("frontend", &stage, &["npm", "run", "test:ci"]);
    assert!(said.contains("passed"), "{said}");
    run_in("frontend", &stage, &["npm", "run", "type-check"]);
}
