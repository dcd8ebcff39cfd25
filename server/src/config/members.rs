//! The rules that give roles: exactly one of team, organisation and login each.
use domain::policy::Role;
use domain::{Login, ProjectName};
use portal::{MemberRule, Who};
use serde::Deserialize;
use toml::Spanned;

use super::given::Reader;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    project: Spanned<String>,
    role: Spanned<String>,
    team: Option<Spanned<String>>,
    org: Option<Spanned<String>>,
    login: Option<Spanned<String>>,
}

/// Reads one `[[members]]`; faults are noted at the reader.
pub(super) fn rule(
    reader: &Reader<'_>,
    index: usize,
    member: Spanned<Member>,
) -> Option<MemberRule> {
    let at = member.span().start;
    let Member {
        project,
        role,
        team,
        org,
        login,
    } = member.into_inner();
    let key = |name: &str| format!("members[{index}].{name}");
    let given = |name: &str, text: Spanned<String>| reader.in_file(&key(name), text);
    let project = reader.parse(given("project", project), |text| match text {
        "*" => Ok(None),
        name => ProjectName::parse(name).map(Some).map_err(|error| {
            format!("{error}; write a project's name, or \"*\" for every project")
        }),
    });
    let role = reader.parse(given("role", role), str::parse::<Role>);
    let who = match (team, org, login) {
        (Some(team), None, None) => reader.parse(given("team", team), |text| match text.split_once('/') {
            Some((org, slug)) if is_name(org) && is_name(slug) => Ok(Who::Team(text.to_owned())),
            _ => Err(format!("`{text}` is not a team; write it as organisation/team, as in its address on GitHub")),
        }),
        (None, Some(org), None) => reader.parse(given("org", org), |text| match is_name(text) {
            true => Ok(Who::Org(text.to_owned())),
            false => Err(format!("`{text}` is not an organisation; write its name as in its address on GitHub")),
        }),
        (None, None, Some(login)) => reader.parse(given("login", login), |text| {
            Login::parse(text).map(Who::Login).map_err(|error| error.to_string())
        }),
        _ => {
            let message = "names nobody or several; write exactly one of `team`, `org` and `login`";
            reader.fault(at, &format!("members[{index}]"), message);
            None
        }
    };
    Some(MemberRule {
        project: project?,
        role: role?,
        who: who?,
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
