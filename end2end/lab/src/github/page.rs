//! The sign-in page: a choice of people, in plain HTML that works with a keyboard, a screen reader and without JavaScript.

use super::{directory::Directory, oauth::Asked};

/// Asks who signs in.
pub(super) fn choose(directory: &Directory, asked: &Asked) -> String {
    let mut buttons = String::new();
    for person in &directory.people {
        let teams: Vec<String> = directory
            .teams_of(person)
            .map(|team| format!("{} of {}", team.name, team.org))
            .collect();
        let teams = if teams.is_empty() {
            "In no team".into()
        } else {
            teams.join(", ")
        };
        let initials: String = person
            .name
            .split(' ')
            .filter_map(|word| word.chars().next())
            .collect();
        buttons.push_str(&format!(
            r#"<li><button name="login" value="{login}"><span class="face" aria-hidden="true">{initials}</span><span><strong>{name}</strong> <span class="login">{login}</span><br><small>{teams}</small></span></button></li>"#,
            login = escape(&person.login),
            name = escape(&person.name),
            initials = escape(&initials),
            teams = escape(&teams),
        ));
    }
    let scopes = asked
        .scope
        .as_deref()
        .unwrap_or_default()
        .split([' ', ','])
        .filter(|scope| !scope.is_empty());
    let scopes: Vec<String> = scopes
        .map(|scope| format!("<code>{}</code>", escape(scope)))
        .collect();
    let scopes = if scopes.is_empty() {
        "public information only".into()
    } else {
        scopes.join(" ")
    };
    let body = format!(
        r#"<h1>Who signs in?</h1><p>An application asks for your identity and for: {scopes}</p>
<form method="post" action="/login/oauth/authorize">{hidden}<ul>{buttons}</ul><p><button class="cancel" name="login" value="">Cancel</button></p></form>"#,
        hidden = hidden(asked),
    );
    document("Sign in", &body)
}

/// Says why the question cannot be put.
pub(super) fn refusal(why: &str) -> String {
    document(
        "Sign-in refused",
        &format!(
            "<h1>This sign-in cannot go on</h1><p role=\"alert\">{}</p>",
            escape(why)
        ),
    )
}

fn hidden(asked: &Asked) -> String {
    let Asked {
        client_id,
        redirect_uri,
        scope,
        state,
        code_challenge,
        code_challenge_method,
    } = asked;
    let optional = [
        ("redirect_uri", redirect_uri),
        ("scope", scope),
        ("state", state),
        ("code_challenge", code_challenge),
        ("code_challenge_method", code_challenge_method),
    ];
    let given = optional
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)));
    std::iter::once(("client_id", client_id))
        .chain(given)
        .map(|(name, value)| {
            format!(
                r#"<input type="hidden" name="{name}" value="{}">"#,
                escape(value)
            )
        })
        .collect()
}

fn document(title: &str, body: &str) -> String {
    format!(
        r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title} · GitHub stand-in of the lab</title><style>{STYLE}</style></head>
<body><main>{body}</main><footer>This is the lab's stand-in for GitHub. The people are made up; there are no passwords.</footer></body></html>"#
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--card:#fff;--back:#f6f8fa;--face:#0a5ec2;--hover:#eef4fb}
@media(prefers-color-scheme:dark){:root{--ink:#f0f6fc;--soft:#a3adb8;--line:#3d444d;--card:#151b23;--back:#0d1117;--face:#1f6feb;--hover:#1c2836}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;padding:8vh 1rem 2rem;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:26rem;margin:auto;padding:1.5rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}
h1{margin:0 0 .25rem;font-size:1.375rem}p{margin:.25rem 0 1rem;color:var(--soft)}ul{list-style:none;margin:0 0 1rem;padding:0;display:grid;gap:.5rem}
button{font:inherit;color:inherit;cursor:pointer;border:1px solid var(--line);border-radius:.5rem;background:var(--card)}
button:hover{background:var(--hover)}button:focus-visible{outline:3px solid var(--face);outline-offset:2px}
li button{display:flex;gap:.75rem;align-items:center;width:100%;padding:.625rem .75rem;text-align:left}
.face{flex:none;width:2.5rem;height:2.5rem;border-radius:50%;display:grid;place-items:center;background:var(--face);color:#fff;font-size:.875rem;font-weight:600}
.login,small{color:var(--soft)}.cancel{padding:.375rem 1rem}code{font-size:.875em}
footer{max-width:26rem;margin:1rem auto 0;color:var(--soft);font-size:.875rem;text-align:center}";
