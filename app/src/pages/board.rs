//! What runs where: the environments of a project from left to right, in the order of promotion.
use std::ops::ControlFlow;
use std::time::Duration;

use domain::view::{Board, Me};
use domain::{EnvName, ProjectName};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api;
use crate::error::UiError;
use crate::live::{Link, LinkState, follow};
use crate::parts::deploy::deploy_panel;
use crate::parts::dialog::Dialog;
use crate::parts::frame::project_in_address;
use crate::parts::icon::Icon;
use crate::parts::lane::LaneView;
use crate::parts::states::{Empty, Skeleton, TroublePage};
use crate::parts::when::Clock;

/// After so long a board that could not be loaded is asked for again.
const AGAIN: Duration = Duration::from_secs(3);

/// What `/` shows.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
enum Home {
    /// A project.
    Board(Box<Board>),
    /// The choice between several.
    Projects(Me),
}

async fn load(project: Option<ProjectName>) -> Result<Home, UiError> {
    let me = api::session::me().await?;
    let project = match (project, me.projects.as_slice()) {
        (Some(project), _) => project,
        (None, [(only, _)]) => only.clone(),
        (None, _) => return Ok(Home::Projects(me)),
    };
    let board = api::board::board(project).await?;
    Ok(Home::Board(Box::new(board)))
}

/// The page.
#[component]
pub fn BoardPage() -> impl IntoView {
    let project = project_in_address();
    let home = Resource::new(move || project.get(), load);
    view! {
        <Suspense fallback=|| view! { <Skeleton lines=8/> }>
            {move || Suspend::new(async move {
                match home.await {
                    Ok(Home::Board(board)) => view! { <BoardView board=*board/> }.into_any(),
                    Ok(Home::Projects(me)) => view! { <Projects me/> }.into_any(),
                    Err(error) => view! { <TroublePage error/> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Projects(me: Me) -> impl IntoView {
    let none = me.projects.is_empty();
    let projects = me.projects.into_iter().map(|(project, role)| {
        view! {
            <li><a class="project-card" href=format!("/?project={project}")><strong>{project.to_string()}</strong> <span class="muted">{role.to_string()}</span></a></li>
        }
    });
    view! {
        <leptos_meta::Title text="Projects"/>
        <h1>"Projects"</h1>
        <ul class="projects">{projects.collect_view()}</ul>
        {none.then(|| view! {
            <Empty title="There is no project that you can see">
                <p>"A project is one TOML file in the portal's projects folder. Whoever runs the portal can add it, or give you a role."</p>
            </Empty>
        })}
    }
}

/// The board, kept up to date.
#[component]
fn BoardView(board: Board) -> impl IntoView {
    Clock::start(board.now);
    let project = board.project.clone();
    let shown = Shown {
        board: RwSignal::new(board),
        asked: StoredValue::new(0),
        answered: StoredValue::new(0),
    };
    let board = shown.board;
    let title = Memo::new(move |_| board.with(|board| board.title.clone()));
    let url = Memo::new(move |_| board.with(|board| board.repository_url.clone()));
    let names = Memo::new(move |_| {
        board.with(|board| {
            let names = board.lanes.iter().map(|lane| lane.environment.clone());
            names.collect::<Vec<_>>()
        })
    });
    let link = RwSignal::new(Link::Idle);
    let of = project.clone();
    Effect::new(move || {
        let address = format!("/live/board?project={of}");
        follow(
            of.clone(),
            move || address.clone(),
            link,
            // There is one message: something changed.
            move |_| {
                shown.load_again();
                Ok(ControlFlow::Continue(()))
            },
        );
    });
    let open = RwSignal::new(false);
    let wanted = RwSignal::new(None::<EnvName>);
    let of = project.clone();
    let lane = move |name: EnvName| {
        let first = board.with_untracked(|board| {
            board
                .lanes
                .iter()
                .find(|lane| lane.environment == name)
                .cloned()
        })?;
        let deploy = format!("/deploy/{of}/{name}");
        let (of, to) = (name.clone(), name);
        let lane = Memo::new(move |_| {
            board
                .with(|board| {
                    board
                        .lanes
                        .iter()
                        .find(|lane| lane.environment == of)
                        .cloned()
                })
                .unwrap_or_else(|| first.clone())
        });
        let on_deploy = Callback::new(move |()| {
            wanted.set(Some(to.clone()));
            open.set(true);
        });
        Some(view! { <LaneView lane repository_url=url.get_untracked() deploy on_deploy/> })
    };
    let dialog_title = Signal::derive(move || {
        let to = wanted.get();
        to.map(|to| format!("Deploy {} to {to}", title.get()))
            .unwrap_or_default()
    });
    view! {
        <leptos_meta::Title text=title/>
        <div class="page-head">
            <h1>{title}</h1>
            <a class="muted" href=url rel="external">{move || repository(&url.get())}</a>
            <LinkState link/>
        </div>
        {move || board.with(problems)}
        <div class="lanes"><For each=move || names.get() key=EnvName::clone let(name)>{lane(name)}</For></div>
        <Dialog open id="deploy-title" title=dialog_title>
            {let project = project.clone(); move || wanted.get().map(|environment| {
                let project = project.clone();
                view! {
                    <Suspense fallback=|| view! { <Skeleton lines=6/> }>
                        {move || Suspend::new(deploy_panel(project.clone(), environment.clone()))}
                    </Suspense>
                }
            })}
        </Dialog>
    }
}

/// The board that is shown, and the questions for a newer one.
#[derive(Clone, Copy)]
struct Shown {
    board: RwSignal<Board>,
    asked: StoredValue<u32>,
    /// The newest question whose answer was taken; those before it do not count any more.
    answered: StoredValue<u32>,
}

impl Shown {
    /// Loads the board again. Where that fails it is tried again, unless something newer came meanwhile.
    fn load_again(self) {
        let Some(asked) = self.asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        }) else {
            return; // the page was left
        };
        let project = self.board.with_untracked(|board| board.project.clone());
        spawn_local(async move {
            let answer = api::board::board(project).await;
            match answer {
                Ok(newer)
                    if self
                        .answered
                        .try_get_value()
                        .is_some_and(|last| last < asked) =>
                {
                    self.answered.set_value(asked);
                    self.board.set(newer);
                }
                // Who may not see it any more is told so by the connection.
                Ok(_) | Err(UiError::SignedOut | UiError::Denied(_) | UiError::NotFound(_)) => {}
                Err(_) => set_timeout(
                    move || {
                        if self.asked.try_get_value() == Some(asked) {
                            self.load_again();
                        }
                    },
                    AGAIN,
                ),
            }
        });
    }
}

/// `owner/name` of a repository's page.
fn repository(url: &str) -> String {
    let mut parts: Vec<&str> = url.trim_end_matches('/').rsplit('/').take(2).collect();
    parts.reverse();
    parts.join("/")
}

/// What is wrong with the manifest's file; the last good one is in force, unless it was taken away.
fn problems(board: &Board) -> Option<impl IntoView + use<>> {
    let count = board.manifest_problems.len();
    let first = board.manifest_problems.first()?.to_string();
    let words = if count == 1 {
        "a problem".to_owned()
    } else {
        format!("{count} problems")
    };
    let so = if board.manifest_removed {
        "so nothing is deployed"
    } else {
        "so the last good one stays in force"
    };
    Some(view! {
        <div class="notice notice-warn" role="status">
            {Icon::Warning.draw()}
            <p>
                "The manifest's file has " {words} ", " {so} ". " <code>{first}</code> " "
                <a href=format!("/settings?project={}", board.project)>"All of it"</a>
            </p>
        </div>
    })
}
