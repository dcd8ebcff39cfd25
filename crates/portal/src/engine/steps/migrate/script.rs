//! The script that a migration is, and what its output tells besides the log.
//!
//! All of it runs in one shell, so that what prepares the shell is done once, and so that its end is the end of the whole.
//! The plan and the heads go to the same stream as everything else, behind a mark by which they are told apart.
use domain::manifest::Migrate;

/// The variable that names the folder to run in.
pub(super) const DIR: &str = "FAIRLEAD_DIR";

const FRONT: &str = r#"set -eu
if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi
fairlead_mark() {
  while IFS= read -r fairlead_line || [ -n "$fairlead_line" ]; do
    printf '::fairlead-%s::%s\n' "$1" "$fairlead_line"
  done
}
fairlead_check() { [ "$1" -eq 0 ] || exit "$1"; }
"#;

/// A shell that stops at the first failure; bash where there is one. `set -e` overlooks `false && true`, so the status of
/// each part is looked at, too.
pub(super) fn script(migrate: &Migrate) -> String {
    let Migrate {
        on: _,
        dir,
        before,
        run,
        plan,
        head,
        timeout: _,
    } = migrate;
    let mut text = FRONT.to_owned();
    if dir.is_some() {
        text.push_str(&format!("cd -- \"${DIR}\"\n"));
    }
    if let Some(before) = before {
        text.push_str(&format!("{before}\n\nfairlead_check $?\n"));
    }
    // A plan or a head that cannot be told does not hold up the migration: on an empty database there is no head.
    let head = |mark: &str| {
        let head = head.as_ref()?;
        Some(format!("(\n{head}\n\n) | fairlead_mark {mark} || true\n"))
    };
    let plan = plan.as_ref().map(|plan| {
        format!("{{ (\n{plan}\n\n) 2>&1 || echo \"(it ended with status $?)\"; }} | fairlead_mark plan || true\n")
    });
    match (head("before"), plan) {
        // Both only ask, and most of what each takes is the start of a program.
        (Some(head), Some(plan)) => text.push_str(&format!(
            "{{\n{head}}} &\nfairlead_asked=$!\n{plan}wait \"$fairlead_asked\" || true\n"
        )),
        (one, other) => text.extend(one.or(other)),
    }
    text.push_str(&format!("{run}\n\nfairlead_check $?\n"));
    text.extend(head("after"));
    text
}

/// What a migration told besides its log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Told {
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) plan: Vec<String>,
}

/// A head is shown in one line.
const LONGEST_HEAD: usize = 200;

/// What stands before each mark.
const SIGN: &str = "::fairlead-";

impl Told {
    /// Whether there may be something to take from a line.
    pub(super) fn may_take(line: &str) -> bool {
        line.contains(SIGN)
    }

    /// Takes what a line tells; gives what of it belongs into the log, where that is anything. A line without an end
    /// stands in front of the mark that came next.
    pub(super) fn take<'l>(&mut self, line: &'l str) -> Option<&'l str> {
        let marks = ["before", "plan", "after"];
        let found = marks.into_iter().find_map(|mark| {
            let (log, told) = line.split_once(&format!("{SIGN}{mark}::"))?;
            Some((mark, log, told))
        });
        let Some((mark, log, told)) = found else {
            return Some(line);
        };
        let head = match mark {
            "plan" => {
                self.plan.push(told.to_owned());
                None
            }
            "before" => Some(&mut self.before),
            _ => Some(&mut self.after),
        };
        let told = told.trim();
        if let Some(head) = head
            && !told.is_empty()
        {
            *head = Some(told.chars().take(LONGEST_HEAD).collect());
        }
        (!log.is_empty()).then_some(log)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use domain::manifest::{MigrateOn, Span};

    use super::*;

    fn migrate(before: &str, run: &str) -> Migrate {
        Migrate {
            on: MigrateOn::Host,
            dir: Some("/".into()),
            before: Some(before.into()),
            run: run.into(),
            plan: Some("echo will create; echo a table >&2; false".into()),
            head: Some("cat $heads 2>/dev/null | tail -n 1".into()),
            timeout: Span::seconds(1),
        }
    }

    /// The exit status, what goes into the log of the first stream, and what is told.
    fn run(shell: &str, migrate: &Migrate) -> (Option<i32>, Vec<String>, Told) {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(shell)
            .args(["-c", &script(migrate)])
            .env(DIR, migrate.dir.as_deref().unwrap())
            .env("heads", folder.path().join("heads"))
            .output()
            .unwrap();
        let mut told = Told::default();
        let text = String::from_utf8(output.stdout).unwrap();
        let log = text.lines().filter_map(|line| told.take(line));
        let log = log.map(str::to_owned).collect();
        (output.status.code(), log, told)
    }

    #[test]
    fn the_log_the_plan_and_the_heads_are_told_apart() {
        for shell in ["bash", "sh"] {
            let twice = "printf '%s\\n' '0001_initial' '0002_more' >$heads; pwd; printf 'no end'";
            let (status, log, told) = run(shell, &migrate("x=1", twice));
            assert_eq!(
                (status, &log[..]),
                (Some(0), &["/".into(), "no end".into()][..]),
                "{shell}"
            );
            let want = Told {
                before: None,
                after: Some("0002_more".into()),
                plan: ["will create", "a table", "(it ended with status 1)"]
                    .map(str::to_owned)
                    .into(),
            };
            assert_eq!(told, want, "{shell}");
        }
    }

    #[test]
    fn the_head_and_the_plan_are_asked_for_side_by_side_and_each_may_be_left_out() {
        let mut wanted = migrate("true", "echo ran");
        // Each needs what the other leaves.
        wanted.head =
            Some("touch $heads.1; until [ -e $heads.2 ]; do sleep 0.01; done; echo 0001".into());
        wanted.plan =
            Some("touch $heads.2; until [ -e $heads.1 ]; do sleep 0.01; done; echo none".into());
        let (status, log, told) = run("sh", &wanted);
        assert_eq!((status, &log[..]), (Some(0), &["ran".to_owned()][..]));
        assert_eq!(told.before.as_deref(), Some("0001"));
        assert_eq!(told.plan, ["none"]);
        for (head, plan) in [
            (None, None),
            (Some("echo 0001"), None),
            (None, Some("echo none")),
        ] {
            wanted.head = head.map(str::to_owned);
            wanted.plan = plan.map(str::to_owned);
            let (status, _, told) = run("sh", &wanted);
            assert_eq!(status, Some(0), "{head:?} {plan:?}");
            assert_eq!(told.before.is_some(), head.is_some());
            assert_eq!(told.plan.is_empty(), plan.is_none());
        }
    }

    #[test]
    fn it_stops_at_the_first_failure_and_keeps_its_status() {
        for shell in ["bash", "sh"] {
            for (before, command, status, log) in [
                ("(exit 4) && true", "echo ran", 4, &[][..]),
                ("false; true", "echo ran", 1, &[][..]),
                ("true", "echo ran; (exit 5); echo on", 5, &["ran"][..]),
                ("true", "echo ran && (exit 6) && true", 6, &["ran"][..]),
                ("true", "echo ran; exit 0", 0, &["ran"][..]),
            ] {
                let (found, lines, told) = run(shell, &migrate(before, command));
                assert_eq!(
                    (found, &lines[..]),
                    (
                        Some(status),
                        &log.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>()[..]
                    ),
                    "{shell}: {before}; {command}"
                );
                assert_eq!(told.after, None);
            }
        }
        let unset = migrate("echo $not_set", "echo ran");
        let (status, log, _) = run("bash", &unset);
        assert!(status != Some(0) && log.is_empty(), "{status:?} {log:?}");
        let piped = migrate("true", "false | true");
        assert_eq!(run("bash", &piped).0, Some(1));
    }

    #[test]
    fn a_folder_that_is_not_there_fails_before_anything_runs() {
        let wanted = Migrate {
            dir: Some("/no/such/folder".into()),
            ..migrate("echo before", "echo ran")
        };
        let (status, log, told) = run("bash", &wanted);
        assert_ne!(status, Some(0));
        assert_eq!((log.len(), told), (0, Told::default()));
    }
}
