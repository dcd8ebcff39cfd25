//! Signs in as a person would, by GitHub's page, and keeps the session's cookie.
use adapters::http::Client;
use anyhow::{Context, Result, ensure};
use lab::Lab;

use crate::portal::url;

/// The program of a real one.
pub fn chromium() -> String {
    std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned())
}

/// A browser without a window.
pub struct Browser {
    http: Client,
    cookie: String,
}

impl Browser {
    /// Signs in.
    pub async fn of(lab: &Lab, login: &str) -> Result<Self> {
        let http = adapters::http::client()?;
        let begun = http.get(url("/auth/github")).send().await?;
        let sealed = cookies(&begun);
        let page = location(&begun)?;
        let asked: Vec<(String, String)> = page
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let form = asked
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain([("login", login)]);
        let form: Vec<(&str, &str)> = form.collect();
        let chosen = http
            .post(format!("{}/login/oauth/authorize", lab.github.url))
            .form(&form)
            .send()
            .await?;
        let mut back = location(&chosen)?;
        // The portal's public address is this machine's, whatever it is called.
        let (path, query) = (
            back.path().to_owned(),
            back.query().unwrap_or_default().to_owned(),
        );
        back.set_query(None);
        let signed_in = http
            .get(url(&format!("{path}?{query}")))
            .header("cookie", sealed)
            .send()
            .await?;
        let to = location(&signed_in).map(|to| to.path().to_owned());
        ensure!(
            to.as_deref().unwrap_or("/") != "/sign-in",
            "{login} is not let in"
        );
        Ok(Self {
            http,
            cookie: cookies(&signed_in),
        })
    }

    /// The session's cookie, `name=value`.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Loads a page's text.
    pub async fn read(&self, path: &str) -> Result<String> {
        let asked = self.http.get(url(path)).header("cookie", &self.cookie);
        let answer = asked.header("accept", "text/html").send().await?;
        ensure!(answer.status() == 200, "{path} answers {}", answer.status());
        Ok(answer.text().await?)
    }

    /// Loads something as a browser does: compressed, and to the last byte.
    pub async fn fetch(&self, path: &str) -> Result<Sent> {
        let asked = self.http.get(url(path)).header("cookie", &self.cookie);
        let answer = asked
            .header("accept", "text/html,*/*")
            .header("accept-encoding", "gzip, br")
            .send()
            .await?;
        ensure!(answer.status() == 200, "{path} answers {}", answer.status());
        let encoding = answer.headers().get("content-encoding");
        let encoding = encoding
            .map_or(Ok(""), |encoding| encoding.to_str())?
            .to_owned();
        let bytes = answer.bytes().await?.len();
        Ok(Sent { encoding, bytes })
    }
}

/// What an answer was on its way.
pub struct Sent {
    /// `br`, `gzip`, or nothing.
    pub encoding: String,
    /// So many bytes.
    pub bytes: usize,
}

fn location(answer: &reqwest::Response) -> Result<url::Url> {
    let to = answer
        .headers()
        .get("location")
        .context("not sent anywhere")?
        .to_str()?;
    Ok(answer.url().join(to)?)
}

/// What a browser would send back, without the cookies that are taken away.
fn cookies(answer: &reqwest::Response) -> String {
    let given = answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| cookie.to_str().ok());
    let kept = given
        .filter_map(|cookie| cookie.split(';').next())
        .filter(|pair| !pair.ends_with('='));
    kept.collect::<Vec<_>>().join("; ")
}
