//! What GitHub told. A delivery is stored before it is answered, and stays open until something came of it for every
//! project that it concerns, so a portal that dies in between goes on with it.
use std::collections::BTreeMap;

use domain::policy::Action;
use domain::push::{Came, DeliveryId, DeliveryRow, Push, Told};
use domain::{EnvName, Ms, ProjectName, RunId};
use sqlx::FromRow;

use crate::db::{on, rd};
use crate::{Store, StoreError, Tx, json};

/// A delivery to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// GitHub's name for it, by which one that comes twice is known.
    pub guid: String,
    /// `push`, `ping`, …
    pub event: String,
    /// The repository, `owner/name`; empty where it names none.
    pub repository: String,
    /// What is kept of it.
    pub told: Told,
}

/// A delivery about which something is still to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDelivery {
    /// Its number.
    pub id: DeliveryId,
    /// Its name.
    pub guid: String,
    /// The repository, in lower case.
    pub repository: String,
    /// What is kept of it.
    pub told: Told,
    /// How often it was tried in vain.
    pub tries: i64,
    /// The only project that it is for, where somebody asked for it again.
    pub project: Option<ProjectName>,
}

/// The newest push of which something came for an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastPush {
    /// The push.
    pub push: Push,
    /// When it came, or was asked for again.
    pub received: Ms,
    /// What came of it there.
    pub came: Came,
}

/// Among how many deliveries of a repository the newest of each environment is looked for.
const RECENT: i64 = 50;

#[derive(FromRow)]
struct RawDelivery {
    id: i64,
    guid: String,
    event: String,
    told_json: String,
    received_ms: i64,
    done_ms: Option<i64>,
    again_of: Option<i64>,
}

impl Store {
    /// Stores a delivery and gives its number, and whether it is new. One that starts nothing is done with that.
    pub async fn take_in(
        &self,
        new: &NewDelivery,
        now: Ms,
    ) -> Result<(DeliveryId, bool), StoreError> {
        let told = json::to_text(&new.told)?;
        let done = matches!(new.told, Told::Other { .. }).then_some(now.0);
        let mut open = self.main.begin().await?;
        let (id, fresh): (i64, bool) = on!(&mut open, |conn| {
            let made: Option<(i64,)> = sqlx::query_as(
                "INSERT INTO delivery_in (guid, event, repository, told_json, received_ms, tries, next_ms, done_ms)
                 VALUES ($1, $2, $3, $4, $5, 0, $5, $6) ON CONFLICT (guid) DO NOTHING RETURNING id",
            )
            .bind(&new.guid)
            .bind(&new.event)
            .bind(new.repository.to_lowercase())
            .bind(told)
            .bind(now.0)
            .bind(done)
            .fetch_optional(&mut *conn)
            .await?;
            match made {
                Some((id,)) => (id, true),
                None => {
                    let known: (i64,) =
                        sqlx::query_as("SELECT id FROM delivery_in WHERE guid = $1")
                            .bind(&new.guid)
                            .fetch_one(conn)
                            .await?;
                    (known.0, false)
                }
            }
        });
        open.commit().await?;
        Ok((DeliveryId(id), fresh))
    }

    /// Deliveries about which something is to be done now, in the order in which they came. Of each repository the
    /// earliest one, so that one with many keeps no other waiting. A damaged one keeps nobody else's waiting either: the
    /// operator is told, and it stays.
    pub async fn open_deliveries(&self, now: Ms) -> Result<Vec<OpenDelivery>, StoreError> {
        type Row = (i64, String, String, String, i64, Option<String>);
        let rows: Vec<Row> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT id, guid, repository, told_json, tries, project FROM delivery_in
                 WHERE id IN (SELECT MIN(id) FROM delivery_in WHERE done_ms IS NULL AND next_ms <= $1
                 GROUP BY repository) ORDER BY id",
            )
            .bind(now.0)
            .fetch_all(pool)
            .await?
        });
        let read = |(id, guid, repository, told, tries, project): Row| {
            Ok::<_, StoreError>(OpenDelivery {
                id: DeliveryId(id),
                guid,
                repository,
                told: json::from_text("a delivery", &told)?,
                tries,
                project: project
                    .map(|project| json::word("the project of a delivery", &project))
                    .transpose()?,
            })
        };
        let undamaged = rows.into_iter().filter_map(|row| {
            let id = row.0;
            let read = read(row);
            read.inspect_err(|error| tracing::error!(%error, id, "a delivery waits for ever"))
                .ok()
        });
        Ok(undamaged.collect())
    }

    /// What has come of a delivery for a project so far.
    pub async fn came_of(
        &self,
        delivery: DeliveryId,
        project: &ProjectName,
    ) -> Result<BTreeMap<Option<EnvName>, Came>, StoreError> {
        let rows: Vec<(String, String)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT environment, came_json FROM delivery_came WHERE delivery = $1 AND project = $2",
            )
            .bind(delivery.0)
            .bind(project.as_str())
            .fetch_all(pool)
            .await?
        });
        rows.into_iter().map(came).collect()
    }

    /// Notes why nothing came of a delivery. What is known already stays.
    pub async fn note_came(
        &self,
        delivery: DeliveryId,
        project: &ProjectName,
        environment: Option<&EnvName>,
        came: &Came,
        now: Ms,
    ) -> Result<(), StoreError> {
        if let Came::Run { .. } = came {
            return Err(StoreError::OutsideGrant {
                granted: "a note of why nothing came of a delivery".into(),
                wanted: "a run".into(),
            });
        }
        let came = json::to_text(came)?;
        let mut open = self.main.begin().await?;
        on!(&mut open, |conn| {
            sqlx::query(INSERT_CAME)
                .bind(delivery.0)
                .bind(project.as_str())
                .bind(environment.map_or("", EnvName::as_str))
                .bind(came)
                .bind(now.0)
                .execute(conn)
                .await?;
        });
        open.commit().await
    }

    /// Closes a delivery: everything was done about it.
    pub async fn delivery_done(&self, delivery: DeliveryId, now: Ms) -> Result<(), StoreError> {
        let mut open = self.main.begin().await?;
        on!(&mut open, |conn| {
            sqlx::query("UPDATE delivery_in SET done_ms = $2 WHERE id = $1 AND done_ms IS NULL")
                .bind(delivery.0)
                .bind(now.0)
                .execute(conn)
                .await?;
        });
        open.commit().await
    }

    /// Puts a delivery off that could not be acted on.
    pub async fn delivery_later(&self, delivery: DeliveryId, next: Ms) -> Result<(), StoreError> {
        let mut open = self.main.begin().await?;
        on!(&mut open, |conn| {
            sqlx::query("UPDATE delivery_in SET tries = tries + 1, next_ms = $2 WHERE id = $1")
                .bind(delivery.0)
                .bind(next.0)
                .execute(conn)
                .await?;
        });
        open.commit().await
    }

    /// The deliveries of a repository, newest first, with what came of them for a project; those before a number,
    /// where one is given.
    pub async fn deliveries(
        &self,
        repository: &str,
        project: &ProjectName,
        before: Option<DeliveryId>,
        limit: i64,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let rows: Vec<RawDelivery> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT id, guid, event, told_json, received_ms, done_ms, again_of FROM delivery_in
                 WHERE repository = $1 AND id < $2 AND (project IS NULL OR project = $3) ORDER BY id DESC LIMIT $4",
            )
            .bind(repository.to_lowercase())
            .bind(before.map_or(i64::MAX, |before| before.0))
            .bind(project.as_str())
            .bind(limit)
            .fetch_all(pool)
            .await?
        });
        let mut deliveries = Vec::new();
        for raw in rows {
            let id = DeliveryId(raw.id);
            deliveries.push(DeliveryRow {
                id,
                guid: raw.guid,
                event: raw.event,
                told: json::from_text("a delivery", &raw.told_json)?,
                received: Ms(raw.received_ms),
                done: raw.done_ms.map(Ms),
                again_of: raw.again_of.map(DeliveryId),
                came: self.came_of(id, project).await?.into_iter().collect(),
            });
        }
        Ok(deliveries)
    }

    /// The newest push of which something came for each environment of a project. Environments to which none of the
    /// repository's last deliveries led are absent.
    pub async fn last_pushes(
        &self,
        repository: &str,
        project: &ProjectName,
    ) -> Result<BTreeMap<EnvName, LastPush>, StoreError> {
        let rows: Vec<(String, String, String, i64)> = rd!(&self.main, |pool| {
            sqlx::query_as(
                "SELECT c.environment, c.came_json, d.told_json, d.received_ms FROM delivery_in d
                 JOIN delivery_came c ON c.delivery = d.id
                 WHERE d.id IN (SELECT id FROM delivery_in WHERE repository = $1 ORDER BY id DESC LIMIT $3)
                 AND c.project = $2 AND c.environment <> '' ORDER BY d.id",
            )
            .bind(repository.to_lowercase())
            .bind(project.as_str())
            .bind(RECENT)
            .fetch_all(pool)
            .await?
        });
        let mut last = BTreeMap::new();
        for (environment, came, told, received) in rows {
            let Told::Push(push) = json::from_text("a delivery", &told)? else {
                continue;
            };
            let pushed = LastPush {
                push,
                received: Ms(received),
                came: json::from_text("what came of a delivery", &came)?,
            };
            last.insert(
                json::word("the environment of a delivery", &environment)?,
                pushed,
            );
        }
        Ok(last)
    }
}

const INSERT_CAME: &str =
    "INSERT INTO delivery_came (delivery, project, environment, came_json, at_ms)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (delivery, project, environment) DO NOTHING";

impl Tx {
    /// Notes that the delivery led to this run, in the commit that makes the run. [`StoreError::Conflict`] if something
    /// came of it already: then there must be no second run.
    pub async fn delivery_came(
        &mut self,
        delivery: DeliveryId,
        environment: &EnvName,
        run: RunId,
    ) -> Result<(), StoreError> {
        let Some(project) = self.grant.project().cloned() else {
            return self.covered(false, || format!("a run for delivery {delivery}"));
        };
        self.covers_run(&project, environment)?;
        let came = json::to_text(&Came::Run { run })?;
        let rows = on!(&mut self.open, |conn| {
            sqlx::query(INSERT_CAME)
                .bind(delivery.0)
                .bind(project.as_str())
                .bind(environment.as_str())
                .bind(came)
                .bind(self.note.at.0)
                .execute(conn)
                .await?
                .rows_affected()
        });
        if rows == 1 {
            Ok(())
        } else {
            Err(StoreError::Conflict("the delivery was acted on already"))
        }
    }

    /// Makes a new delivery, for the grant's project alone, that repeats one of this repository.
    /// [`StoreError::NotFound`] if there is none, or none that is about a push.
    pub async fn repeat_delivery(
        &mut self,
        delivery: DeliveryId,
        repository: &str,
    ) -> Result<DeliveryId, StoreError> {
        let project = match self.grant.project() {
            Some(project) if *self.grant.action() == Action::Redeliver => project.clone(),
            _ => {
                self.covered(false, || format!("delivery {delivery}"))?;
                return Err(StoreError::NotFound("delivery"));
            }
        };
        let id: Option<(i64,)> = on!(&mut self.open, |conn| {
            sqlx::query_as(
                "INSERT INTO delivery_in (guid, event, repository, told_json, received_ms, tries, next_ms, again_of, project)
                 SELECT d.guid || '/' || $4 || '.' || (SELECT COUNT(*) + 1 FROM delivery_in r WHERE r.again_of = d.id
                 AND r.project = $4), d.event, d.repository, d.told_json, $3, 0, $3, d.id, $4
                 FROM delivery_in d WHERE d.id = $1 AND d.repository = $2 AND d.event = 'push'
                 AND (d.project IS NULL OR d.project = $4) RETURNING id",
            )
            .bind(delivery.0)
            .bind(repository.to_lowercase())
            .bind(self.note.at.0)
            .bind(project.as_str())
            .fetch_optional(conn)
            .await?
        });
        id.map(|(id,)| DeliveryId(id))
            .ok_or(StoreError::NotFound("delivery of a push"))
    }
}

fn came((environment, came): (String, String)) -> Result<(Option<EnvName>, Came), StoreError> {
    let environment = match environment.as_str() {
        "" => None,
        name => Some(json::word("the environment of a delivery", name)?),
    };
    Ok((
        environment,
        json::from_text("what came of a delivery", &came)?,
    ))
}
