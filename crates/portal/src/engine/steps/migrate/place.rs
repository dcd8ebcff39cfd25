//! Where a migration runs: on the host itself or in a container there. What is asked of either is the same.
use domain::manifest::{Component, Migrate, MigrateOn};
use domain::{ComponentName, HostName};
use store::NewLine;

use super::super::{StepError, Work};
use super::container::InContainer;
use super::host::OnHost;
use super::record::Record;

/// What a look for the migration finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It has not run.
    Absent,
    /// It runs or has run.
    There,
}

/// What is new of a migration.
pub(super) struct News {
    pub(super) lines: Vec<NewLine>,
    pub(super) end: Option<Ending>,
}

/// Why nothing more comes.
pub(super) enum Ending {
    Exit { success: bool, status: String },
    Unknown(String),
}

/// Where it runs.
pub(super) enum Place<'w> {
    Host(Box<OnHost>),
    Container(Box<InContainer<'w>>),
}

macro_rules! place {
    ($self:ident, $place:ident => $call:expr) => {
        match $self {
            Place::Host($place) => $call,
            Place::Container($place) => $call,
        }
    };
}

impl<'w> Place<'w> {
    pub(super) async fn open(
        work: &'w Work,
        name: &'w ComponentName,
        component: &'w Component,
        wanted: &Migrate,
        host: &HostName,
        record: &Record,
    ) -> Result<Self, StepError> {
        Ok(match wanted.on {
            MigrateOn::Host => {
                let place = OnHost::open(work, name, component, wanted, host, record).await?;
                Place::Host(Box::new(place))
            }
            MigrateOn::Container => {
                let place = InContainer::open(work, name, component, wanted, host, record).await?;
                Place::Container(Box::new(place))
            }
        })
    }

    pub(super) fn described(&self) -> String {
        place!(self, place => place.described())
    }

    pub(super) fn traces(&self) -> String {
        place!(self, place => place.traces())
    }

    pub(super) async fn look(&self) -> Result<Seen, StepError> {
        place!(self, place => place.look().await)
    }

    /// Does what can be repeated, before the start.
    pub(super) async fn prepare(&self) -> Result<String, StepError> {
        match self {
            Place::Host(place) => place.is_alone().await.map(|()| String::new()),
            Place::Container(place) => place.prepare().await,
        }
    }

    /// Starts it where it has not run.
    pub(super) async fn start(&self, image: &str, script: &str) -> Result<(), StepError> {
        match self {
            Place::Host(place) => place.start(script).await,
            Place::Container(place) => place.start(image, script).await,
        }
    }

    /// The next lines; the future can be dropped at any point.
    pub(super) async fn next(&mut self) -> Result<News, StepError> {
        place!(self, place => place.next().await)
    }

    pub(super) fn note(&self, record: &mut Record) {
        place!(self, place => place.note(record));
    }

    /// Says whether it is gone.
    pub(super) async fn terminate(&self) -> Result<bool, StepError> {
        place!(self, place => place.terminate().await)
    }

    pub(super) async fn all(&self) -> Result<Vec<NewLine>, StepError> {
        place!(self, place => place.all().await)
    }

    pub(super) async fn remove(&self) -> Result<(), StepError> {
        place!(self, place => place.remove().await)
    }
}
