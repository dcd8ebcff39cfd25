//! JSON as GitHub's OpenAPI description has it, made from people and from what `git` says. Only shapes: no reads, no decisions.
//!
//! Every required field is there. What the lab cannot know (stars, forks, watchers) is zero or null, which is true of it.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    directory::{Directory, Permission, Person, Team},
    git::{Change, Commit, Entry, Ref, Repository, Signature},
};

/// Since when the lab's people and teams exist; a fixed date, so that answers do not change from run to run.
pub(super) const BEGINNING: &str = "2024-01-08T09:00:00Z";

/// Makes JSON whose links begin with the stand-in's address.
pub(super) struct Shape<'a> {
    pub(super) url: &'a str,
    pub(super) directory: &'a Directory,
}

/// A stable number for a name: GitHub's ids are numbers.
pub(super) fn id(name: &str) -> u32 {
    let hash = Sha256::digest(name.as_bytes());
    u32::from_be_bytes([0, hash[0], hash[1], hash[2]]) + 1000
}

fn node_id(kind: &str, name: &str) -> String {
    format!("{kind}_{:08x}", id(name))
}

impl Shape<'_> {
    fn api(&self, path: &str) -> String {
        format!("{}/api/v3/{path}", self.url)
    }

    fn avatar(&self, login: &str) -> String {
        format!("{}/avatars/u/{}", self.url, id(login))
    }

    /// `simple-user`, for a person or an organisation.
    pub(super) fn simple_user(&self, login: &str) -> Value {
        let user = self.api(&format!("users/{login}"));
        let kind = if self.directory.is_org(login) {
            "Organization"
        } else {
            "User"
        };
        json!({
            "login": login, "id": id(login), "node_id": node_id("U", login), "avatar_url": self.avatar(login), "gravatar_id": "",
            "url": user, "html_url": format!("{}/{login}", self.url),
            "followers_url": format!("{user}/followers"), "following_url": format!("{user}/following{{/other_user}}"),
            "gists_url": format!("{user}/gists{{/gist_id}}"), "starred_url": format!("{user}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{user}/subscriptions"), "organizations_url": format!("{user}/orgs"),
            "repos_url": format!("{user}/repos"), "events_url": format!("{user}/events{{/privacy}}"),
            "received_events_url": format!("{user}/received_events"), "type": kind, "user_view_type": "public", "site_admin": false,
        })
    }

    /// `private-user`: what somebody sees of themselves.
    pub(super) fn myself(&self, person: &Person) -> Value {
        let more = json!({
            "user_view_type": "private", "name": person.name, "company": null, "blog": "", "location": null, "email": person.email,
            "hireable": null, "bio": null, "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
            "created_at": BEGINNING, "updated_at": BEGINNING, "private_gists": 0, "total_private_repos": 0,
            "owned_private_repos": 0, "disk_usage": 0, "collaborators": 0, "two_factor_authentication": true,
        });
        joined(self.simple_user(&person.login), more)
    }

    /// `organization-simple`
    pub(super) fn org(&self, login: &str) -> Value {
        let org = self.api(&format!("orgs/{login}"));
        json!({
            "login": login, "id": id(login), "node_id": node_id("O", login), "url": org, "repos_url": format!("{org}/repos"),
            "events_url": format!("{org}/events"), "hooks_url": format!("{org}/hooks"), "issues_url": format!("{org}/issues"),
            "members_url": format!("{org}/members{{/member}}"), "public_members_url": format!("{org}/public_members{{/member}}"),
            "avatar_url": self.avatar(login), "description": null,
        })
    }

    /// `team-full`
    pub(super) fn team(&self, team: &Team, repositories: usize) -> Value {
        let (org, name) = (&team.org, format!("{}/{}", team.org, team.slug));
        let url = self.api(&format!("organizations/{}/team/{}", id(org), id(&name)));
        let organization = json!({
            "name": org, "html_url": format!("{}/{org}", self.url), "has_organization_projects": false, "has_repository_projects": false,
            "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0, "created_at": BEGINNING, "updated_at": BEGINNING,
            "archived_at": null, "type": "Organization",
        });
        json!({
            "id": id(&name), "node_id": node_id("T", &name), "url": url,
            "html_url": format!("{}/orgs/{org}/teams/{}", self.url, team.slug), "name": team.name, "slug": team.slug,
            "description": null, "privacy": "closed", "notification_setting": "notifications_enabled", "permission": team.permission.name(),
            "type": "organization", "members_url": format!("{url}/members{{/member}}"), "repositories_url": format!("{url}/repos"),
            "parent": null, "members_count": self.directory.members(team).count(), "repos_count": repositories,
            "created_at": BEGINNING, "updated_at": BEGINNING, "organization": joined(self.org(org), organization),
        })
    }

    /// `team-membership`; leads maintain their team.
    pub(super) fn membership(&self, team: &Team, login: &str) -> Value {
        let role = if team.permission == Permission::Admin {
            "maintainer"
        } else {
            "member"
        };
        let name = format!("{}/{}", team.org, team.slug);
        let url = format!(
            "organizations/{}/team/{}/memberships/{login}",
            id(&team.org),
            id(&name)
        );
        json!({ "url": self.api(&url), "role": role, "state": "active" })
    }

    /// `org-membership`
    pub(super) fn org_membership(&self, org: &str, login: &str) -> Value {
        let url = self.api(&format!("orgs/{org}"));
        json!({
            "url": format!("{url}/memberships/{login}"), "state": "active", "role": "member", "organization_url": url,
            "organization": self.org(org), "user": self.simple_user(login),
        })
    }

    /// `full-repository`
    pub(super) fn repository(&self, repository: &Repository, facts: &RepositoryFacts) -> Value {
        let (full_name, owner) = (repository.full_name(), repository.owner());
        let url = self.api(&format!("repos/{full_name}"));
        let html = format!("{}/{full_name}", self.url);
        let host = self.url.split("://").last().unwrap_or_default();
        let mut all = Map::new();
        for (key, rest) in LINKS {
            all.insert(key.into(), json!(format!("{url}{rest}")));
        }
        for key in [
            "forks",
            "forks_count",
            "open_issues",
            "open_issues_count",
            "watchers",
            "watchers_count",
            "stargazers_count",
            "subscribers_count",
            "network_count",
            "size",
        ] {
            all.insert(key.into(), json!(0));
        }
        for key in [
            "fork",
            "has_issues",
            "has_projects",
            "has_wiki",
            "has_pages",
            "has_discussions",
            "has_downloads",
            "archived",
            "disabled",
            "is_template",
            "allow_forking",
            "web_commit_signoff_required",
        ] {
            all.insert(key.into(), json!(false));
        }
        let may = |needed| facts.permission >= needed;
        joined(
            Value::Object(all),
            json!({
                "id": id(full_name), "node_id": node_id("R", full_name), "name": repository.name(), "full_name": full_name,
                "owner": self.simple_user(owner), "private": true, "visibility": "private", "html_url": html, "url": url,
                "description": null, "git_url": format!("git://{host}/{full_name}.git"), "ssh_url": format!("git@{host}:{full_name}.git"),
                "clone_url": format!("{html}.git"), "svn_url": html, "mirror_url": null, "homepage": null, "language": null, "license": null,
                "topics": [], "default_branch": facts.default_branch, "pushed_at": facts.pushed_at, "created_at": BEGINNING, "updated_at": facts.pushed_at,
                "permissions": {"admin": may(Permission::Admin), "maintain": may(Permission::Admin), "push": may(Permission::Push), "triage": may(Permission::Push), "pull": true},
            }),
        )
    }

    /// Name and address; the person with that address, or null.
    fn account(&self, signature: &Signature) -> Value {
        self.directory
            .person_of_email(&signature.email)
            .map_or(Value::Null, |person| self.simple_user(&person.login))
    }

    /// `commit`, without the files.
    pub(super) fn commit(&self, full_name: &str, commit: &Commit) -> Value {
        let (html, sha) = (format!("{}/{full_name}", self.url), &commit.sha);
        let api = |rest: &str, sha: &str| self.api(&format!("repos/{full_name}/{rest}/{sha}"));
        let git_user =
            |who: &Signature| json!({"name": who.name, "email": who.email, "date": who.date});
        let parents: Vec<Value> = commit
            .parents
            .iter()
            .map(|sha| json!({"sha": sha, "url": api("commits", sha), "html_url": format!("{html}/commit/{sha}")}))
            .collect();
        json!({
            "sha": sha, "node_id": format!("C_{sha}"), "url": api("commits", sha), "html_url": format!("{html}/commit/{sha}"),
            "comments_url": format!("{}/comments", api("commits", sha)),
            "commit": {
                "author": git_user(&commit.author), "committer": git_user(&commit.committer), "message": commit.message,
                "tree": {"sha": commit.tree, "url": api("git/trees", &commit.tree)}, "url": api("git/commits", sha), "comment_count": 0,
                "verification": {"verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null},
            },
            "author": self.account(&commit.author), "committer": self.account(&commit.committer), "parents": parents,
        })
    }

    /// `diff-entry`, without the patch.
    pub(super) fn file(&self, full_name: &str, sha: &str, change: &Change) -> Value {
        let Change {
            status,
            path,
            previous,
            blob,
            additions,
            deletions,
        } = change;
        let status = match status {
            'A' => "added",
            'D' => "removed",
            'R' => "renamed",
            'C' => "copied",
            'T' => "changed",
            _ => "modified",
        };
        let (html, path_in_url) = (format!("{}/{full_name}", self.url), escaped(path));
        let mut file = json!({
            "sha": blob, "filename": path, "status": status, "additions": additions, "deletions": deletions, "changes": additions + deletions,
            "blob_url": format!("{html}/blob/{sha}/{path_in_url}"), "raw_url": format!("{html}/raw/{sha}/{path_in_url}"),
            "contents_url": self.api(&format!("repos/{full_name}/contents/{path_in_url}?ref={sha}")),
        });
        if let Some(previous) = previous {
            file["previous_filename"] = json!(previous);
        }
        file
    }

    /// An entry of `git-tree`.
    pub(super) fn entry(&self, full_name: &str, entry: &Entry) -> Value {
        let Entry {
            mode,
            kind,
            sha,
            size,
            path,
        } = entry;
        let mut shaped = json!({"path": path, "mode": mode, "type": kind, "sha": sha});
        if let Some(size) = size {
            shaped["size"] = json!(size);
        }
        // A submodule is a commit of another repository and has no address here.
        if let Some(collection) = match kind.as_str() {
            "blob" => Some("blobs"),
            "tree" => Some("trees"),
            _ => None,
        } {
            shaped["url"] = json!(self.api(&format!("repos/{full_name}/git/{collection}/{sha}")));
        }
        shaped
    }

    /// `short-branch`; the lab protects none.
    pub(super) fn branch(&self, full_name: &str, name: &str, head: &Ref) -> Value {
        let url = self.api(&format!("repos/{full_name}/commits/{}", head.sha));
        json!({
            "name": name, "commit": {"sha": head.sha, "url": url}, "protected": false, "protection": unprotected(),
            "protection_url": self.api(&format!("repos/{full_name}/branches/{}/protection", escaped(name))),
        })
    }

    /// `branch-with-protection`
    pub(super) fn branch_alone(&self, full_name: &str, name: &str, head: &Commit) -> Value {
        let url = self.api(&format!("repos/{full_name}/branches/{}", escaped(name)));
        json!({
            "name": name, "commit": self.commit(full_name, head), "protected": false, "protection": unprotected(),
            "protection_url": format!("{url}/protection"),
            "_links": {"self": url, "html": format!("{}/{full_name}/tree/{}", self.url, escaped(name))},
        })
    }
}

/// What only the repository itself can tell.
pub(super) struct RepositoryFacts {
    pub(super) default_branch: String,
    pub(super) pushed_at: String,
    pub(super) permission: Permission,
}

fn unprotected() -> Value {
    json!({"enabled": false, "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []}})
}

/// A path inside an address: everything escaped but the slashes.
fn escaped(path: &str) -> String {
    let part = |part| {
        url::form_urlencoded::byte_serialize(str::as_bytes(part))
            .collect::<String>()
            .replace('+', "%20")
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn joined(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

/// Links of a repository: field, and what follows its address.
const LINKS: [(&str, &str); 36] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
];
