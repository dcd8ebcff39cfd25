//! Where a push goes, and which pushes start nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

mod common;

use std::collections::BTreeSet;

use common::{env, example, sha};
use domain::Login;
use domain::push::{Came, Push, Routed, only_ignored};

fn push(reference: &str) -> Push {
    Push {
        reference: reference.into(),
        before: Some(sha('a')),
        after: Some(sha('b')),
        commits: None,
        title: "Weigh cuts".into(),
        by: Login::parse("dev").unwrap(),
    }
}

fn why(routed: Routed) -> String {
    match routed {
        Routed::Nowhere(Came::Ignored { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_branch_leads_to_the_environments_that_follow_it() {
    let mut manifest = example();
    let dev = (env("dev"), None);
    assert_eq!(
        push("refs/heads/development").route(&manifest),
        Routed::Environments(vec![dev.clone()])
    );
    let mut second = manifest.environments[&env("dev")].clone();
    second.deploy_on_push = false;
    manifest.environments.insert(env("second"), second);
    let Routed::Environments(routed) = push("refs/heads/development").route(&manifest) else {
        panic!("two environments follow it");
    };
    assert_eq!(routed[0], dev);
    assert!(
        matches!(&routed[1], (name, Some(Came::Ignored { why })) if *name == env("second") && why.contains("deploy_on_push"))
    );
}

#[test]
fn other_branches_tags_and_deleted_branches_lead_nowhere() {
    let manifest = example();
    let other = why(push("refs/heads/feature/development").route(&manifest));
    assert_eq!(
        other,
        "no environment follows the branch `feature/development`"
    );
    // A tag may be called like a branch.
    let tag = why(push("refs/tags/development").route(&manifest));
    assert_eq!(tag, "`refs/tags/development` is not a branch");
    let deleted = Push {
        after: None,
        ..push("refs/heads/development")
    };
    assert_eq!(
        why(deleted.route(&manifest)),
        "the branch `development` was deleted"
    );
}

#[test]
fn a_push_of_ignored_files_alone_starts_nothing_and_says_which() {
    let ignore = example().on_push.ignore;
    let said = |files: &[&str]| {
        let changed: BTreeSet<String> = files.iter().map(ToString::to_string).collect();
        only_ignored(&ignore, &changed)
    };
    for (files, words) in [
        (&["README.md"][..], "only `README.md` was changed, which"),
        (
            &["a/b.md", "docs/x.png"],
            "only `a/b.md` and one more file were changed, which",
        ),
        (
            &["a.md", "b.md", "c.md"],
            "only `a.md` and 2 more files were changed, which",
        ),
    ] {
        let Some(Came::Ignored { why }) = said(files) else {
            panic!("{files:?} starts something");
        };
        assert_eq!(why, format!("{words} `[on_push] ignore` covers"));
    }
    for files in [&["README.md", "backend/app.py"][..], &["docs"], &[]] {
        assert_eq!(said(files), None, "{files:?}");
    }
    let changed = BTreeSet::from(["README.md".to_owned()]);
    assert_eq!(only_ignored(&[], &changed), None);
}
