//! The settings page: the manifest in force, what is wrong with the file, who may do what.
use domain::ProjectName;
use domain::policy::Actor;
use domain::view::{Member, Settings};

use crate::config::Who;
use crate::{Error, Portal, now};

impl Portal {
    /// A project's settings.
    pub async fn settings(&self, actor: &Actor, project: &ProjectName) -> Result<Settings, Error> {
        let in_force = self.visible_project(actor, project).await?;
        let now = now();
        let mut members = Vec::new();
        for person in self.parts().store.people(now).await? {
            let roles = person.memberships.iter();
            let here = roles
                .filter(|m| m.project.as_ref().is_none_or(|p| p == project))
                .map(|m| m.role)
                .max();
            if let Some(role) = here {
                members.push(Member {
                    login: person.login,
                    name: person.name,
                    role,
                    seen: person.seen,
                });
            }
        }
        let rules = self.parts().config.members.iter();
        let rules = rules
            .filter(|rule| rule.project.as_ref().is_none_or(|p| p == project))
            .map(|rule| {
                let who = match &rule.who {
                    Who::Team(team) => format!("team {team}"),
                    Who::Org(org) => format!("organisation {org}"),
                    Who::Login(login) => login.to_string(),
                };
                (who, rule.role)
            });
        Ok(Settings {
            project: project.clone(),
            title: in_force.manifest.title.clone(),
            manifest: in_force.source.to_string(),
            manifest_hash: in_force.hash,
            manifest_since: in_force.since,
            problems: in_force.problems,
            members,
            rules: rules.collect(),
            now,
        })
    }
}
