//! A migration in the host's own shell.
use std::time::Duration;

use adapters::redact::Redactor;
use adapters::ssh::{Detached, Following, Host, Phase, Source};
use domain::log::Stream;
use domain::manifest::{Component, Migrate};
use domain::{ComponentName, HostName};
use store::NewLine;

use super::super::deploy::env_file;
use super::super::{StepError, Work};
use super::place::{Ending, News, Seen};
use super::record::Record;
use super::script::Told;
use super::{called, variables};
use crate::now;

/// How long it may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(20);

pub(super) struct OnHost {
    host: Host,
    command: Detached,
    following: Following,
    secrets: Redactor,
    variables: Vec<(&'static str, String)>,
}

impl OnHost {
    pub(super) async fn open(
        work: &Work,
        name: &ComponentName,
        component: &Component,
        wanted: &Migrate,
        host: &HostName,
        record: &Record,
    ) -> Result<Self, StepError> {
        let host = work.scene.host(host).await?;
        // What the container will read, the migration reads too; its values must not be in the log. On a new host the
        // file may be one that the deploy writes.
        if let Some(path) = component.container.env_file.as_deref()
            && host.read_file(path).await?.is_some()
        {
            env_file::read(work, &host, Some(path)).await?;
        }
        let plan = &work.scene.plan;
        let group = format!("{}/{}/{name}", plan.project, plan.environment);
        let command = host
            .detached(called(plan, name, &work.scene.key))
            .in_group(group);
        Ok(Self {
            following: command.follow(record.on_host, work.log.redactor()),
            secrets: work.log.redactor(),
            variables: variables(work, wanted),
            host,
            command,
        })
    }

    pub(super) fn described(&self) -> String {
        format!("on host {}", self.host.name())
    }

    pub(super) fn traces(&self) -> String {
        format!("what it left is on the host, {}", self.command.folder())
    }

    pub(super) async fn look(&self) -> Result<Seen, StepError> {
        Ok(match self.command.look().await? {
            Phase::Absent => Seen::Absent,
            Phase::Running | Phase::Ended(_) | Phase::Unknown => Seen::There,
        })
    }

    /// A migration that an earlier run had to leave at work gets no second one beside it.
    pub(super) async fn is_alone(&self) -> Result<(), StepError> {
        match self.command.other().await? {
            None => Ok(()),
            Some(folder) => Err(StepError::advised(
                format!(
                    "a migration of an earlier run is still at work on host {}, {folder}",
                    self.host.name()
                ),
                "let it come to its end, or stop it on the host (`pid` there names its process group) and look at the database; then start a new run",
            )),
        }
    }

    pub(super) async fn start(&self, script: &str) -> Result<(), StepError> {
        self.command.start(&self.variables, script).await?;
        Ok(())
    }

    pub(super) async fn next(&mut self) -> Result<News, StepError> {
        news(&mut self.following).await
    }

    pub(super) fn note(&self, record: &mut Record) {
        record.on_host = self.following.cursor();
    }

    pub(super) async fn terminate(&self) -> Result<bool, StepError> {
        Ok(self.command.terminate(GRACE).await? != Phase::Running)
    }

    /// From the first one on, the lines that tell something besides the log, of one that has ended.
    pub(super) async fn all(&self) -> Result<Vec<NewLine>, StepError> {
        let mut following = (self.command).follow(Default::default(), self.secrets.clone());
        let mut lines = Vec::new();
        loop {
            let more = news(&mut following).await?;
            let told = more.lines.into_iter();
            lines.extend(told.filter(|line| Told::may_take(&line.text)));
            if more.end.is_some() {
                return Ok(lines);
            }
        }
    }

    pub(super) async fn remove(&self) -> Result<(), StepError> {
        Ok(self.command.forget().await?)
    }
}

async fn news(following: &mut Following) -> Result<News, StepError> {
    let news = following.next().await?;
    let line = |(source, text): (Source, bytes::Bytes)| NewLine {
        at: now(),
        stream: match source {
            Source::Stdout => Stream::Out,
            Source::Stderr => Stream::Err,
        },
        text: String::from_utf8_lossy(&text).into_owned(),
    };
    let end = match news.phase {
        Phase::Running => None,
        Phase::Ended(code) => Some(Ending::Exit {
            success: code == 0,
            status: format!("exit status {code}"),
        }),
        Phase::Unknown => Some(Ending::Unknown(
            "its processes are gone and left no exit status, as when the host was restarted".into(),
        )),
        Phase::Absent => Some(Ending::Unknown(
            "its folder is gone: somebody removed it on the host".into(),
        )),
    };
    Ok(News {
        lines: news.lines.into_iter().map(line).collect(),
        end,
    })
}
