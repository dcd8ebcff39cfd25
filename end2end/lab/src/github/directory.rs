//! Who is there, in which team, and what that lets them do.

/// What a team may do with its organisation's repositories; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Read and clone.
    Pull,
    /// Push as well.
    Push,
    /// Manage hooks as well.
    Admin,
}

impl Permission {
    /// GitHub's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Admin => "admin",
        }
    }
}

/// A team of an organisation; it has access to all of the organisation's repositories.
#[derive(Clone, Debug)]
pub struct Team {
    /// Login of the organisation, lower case.
    pub org: String,
    /// The team's name in addresses: `leads`.
    pub slug: String,
    /// The team's name for people: `Leads`.
    pub name: String,
    /// What its members may do.
    pub permission: Permission,
}

/// Somebody who can sign in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Login, lower case.
    pub login: String,
    /// Full name.
    pub name: String,
    /// Commits with this address are shown as theirs.
    pub email: String,
    /// Teams as `org/slug`.
    pub teams: Vec<String>,
}

/// All people and teams.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Every team.
    pub teams: Vec<Team>,
    /// Everybody, in the order of the sign-in page.
    pub people: Vec<Person>,
}

impl Directory {
    /// The lab's people: two leads, a developer and a viewer of `meats-central`, and somebody with no access at all.
    pub fn of_the_lab() -> Self {
        let team = |slug: &str, name: &str, permission| Team {
            org: "meats-central".into(),
            slug: slug.into(),
            name: name.into(),
            permission,
        };
        let person = |login: &str, name: &str, team: Option<&str>| Person {
            login: login.into(),
            name: name.into(),
            email: format!("{login}@meatscentral.example"),
            teams: team
                .map(|slug| format!("meats-central/{slug}"))
                .into_iter()
                .collect(),
        };
        Self {
            teams: vec![
                team("leads", "Leads", Permission::Admin),
                team("developers", "Developers", Permission::Push),
                team("viewers", "Viewers", Permission::Pull),
            ],
            people: vec![
                person("lena", "Lena Brandt", Some("leads")),
                person("ada", "Ada Okafor", Some("leads")),
                person("dev", "Devon Castillo", Some("developers")),
                person("vera", "Vera Lindqvist", Some("viewers")),
                person("omar", "Omar Haddad", None),
            ],
        }
    }

    pub(super) fn person(&self, login: &str) -> Option<&Person> {
        self.people
            .iter()
            .find(|person| person.login.eq_ignore_ascii_case(login))
    }

    pub(super) fn person_of_email(&self, email: &str) -> Option<&Person> {
        self.people
            .iter()
            .find(|person| person.email.eq_ignore_ascii_case(email))
    }

    pub(super) fn team(&self, org: &str, slug: &str) -> Option<&Team> {
        self.teams
            .iter()
            .find(|team| team.org.eq_ignore_ascii_case(org) && team.slug == slug)
    }

    pub(super) fn is_org(&self, org: &str) -> bool {
        self.teams
            .iter()
            .any(|team| team.org.eq_ignore_ascii_case(org))
    }

    pub(super) fn members<'a>(&'a self, team: &'a Team) -> impl Iterator<Item = &'a Person> {
        self.people.iter().filter(move |person| person.is_in(team))
    }

    pub(super) fn teams_of<'a>(&'a self, person: &'a Person) -> impl Iterator<Item = &'a Team> {
        self.teams.iter().filter(move |team| person.is_in(team))
    }

    /// Organisations of a person, each once.
    pub(super) fn orgs_of<'a>(&'a self, person: &'a Person) -> Vec<&'a str> {
        let mut orgs: Vec<&str> = self
            .teams_of(person)
            .map(|team| team.org.as_str())
            .collect();
        orgs.sort_unstable();
        orgs.dedup();
        orgs
    }

    /// What a person may do with the repositories of `owner`; `None` is nothing, and GitHub then denies that they exist.
    pub(super) fn permission(&self, person: &Person, owner: &str) -> Option<Permission> {
        self.teams_of(person)
            .filter(|team| team.org.eq_ignore_ascii_case(owner))
            .map(|team| team.permission)
            .max()
    }
}

impl Person {
    pub(super) fn is_in(&self, team: &Team) -> bool {
        self.teams.iter().any(|name| {
            name.split_once('/')
                .is_some_and(|(org, slug)| org == team.org && slug == team.slug)
        })
    }
}
