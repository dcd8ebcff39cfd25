//! Migrations that are half-way when something happens: the portal dies, or comes back without its secrets, or the
//! migration itself breaks off on a real database.
use domain::RunId;
use domain::log::Stream;
use domain::run::StepState;
use domain::step::Outcome;
use faults::process::{Orders, Process};
use faults::world::{ended, kind, lead, origin, step, until};
use faults::{App, Spec, World};

use crate::migrations::{
    SLOW, count, in_container, it_blocks_the_deploy, nothing_is_left, nothing_is_lost_or_doubled,
    on_host, outcome, set,
};

const PORTAL: &str = "crash::the_portal_that_the_other_tests_kill";
/// Says what nothing else in a run's logs says: a push tells of layers that wait.
const WAITING: &str = "echo held at the gate\nwhile ! [ -e go ]; do sleep 0.1; done\necho gone";

/// Asks for a run, whose portal dies `lives_on` milliseconds after the log held `said`.
pub async fn killed(world: &World, said: &str, lives_on: u64) -> RunId {
    let orders = Orders {
        folder: world.folder().to_path_buf(),
        deploy: Some(world.request()),
        die_said: Some(said.into()),
        lives_on,
        ..Orders::default()
    };
    let mut process = Process::start(PORTAL, &orders);
    let run = process.says("run").await.expect("the portal takes it");
    assert!(process.wait().await, "it was to be killed");
    RunId(run)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_that_comes_back_without_its_secrets_says_that_a_migration_may_be_at_work() {
    let mut world = World::new(Spec::new("no-secrets", 18_286)).await;
    let migrate = on_host(&world, WAITING, "");
    set(&mut world, migrate).await;
    world.repository.commit(&App::fine("v1"));
    let run = killed(&world, "held at the gate", 0).await;
    std::fs::remove_file(world.folder().join("secrets.env")).unwrap();
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let id = step(&portal.run(&lead(), run).await.unwrap(), kind::migrate);
    until(&portal, run, |view| {
        matches!(view.steps[id.index()].state, StepState::Retrying { .. })
    })
    .await;
    // A cancellation does not make the run forget it.
    portal.cancel(&lead(), origin(), run).await.unwrap();
    let run = ended(&portal, run).await;
    let failure = run.failed(kind::migrate, &["secrets.env cannot be read", "create it"]);
    let undone = failure.undone.as_deref().unwrap_or_default();
    assert!(undone.contains("may be at work there still"), "{undone}");
    // It is where that says.
    let folder = undone.split("look into ~/").nth(1).unwrap_or_default();
    let folder = format!("/home/django/{}", folder.split(',').next().unwrap());
    let at_work = format!("pgrep -g $(cat {folder}/pid)");
    world.droplet.shell(&at_work).await;
    let go = format!("touch {}/go", world.place());
    world.droplet.shell(&go).await;
    engine.stop().await;
    world.droplet.shell(&format!("rm -rf {folder}")).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_during_a_migration_in_a_container_neither_ends_nor_repeats_it() {
    let spec = Spec {
        container: "volumes = [\"/home/django/faults-killed-box:/data\"]",
        ..Spec::new("killed-box", 18_287)
    };
    let mut world = World::new(spec).await;
    set(&mut world, in_container(SLOW, "")).await;
    let moments = [
        ("starting the migration", 0),
        ("starting the migration", 300),
        ("line 5", 0),
        ("line 25", 1200),
    ];
    for (n, (said, lives_on)) in moments.into_iter().enumerate() {
        let version = ["v1", "v2", "v3", "v4"][n];
        world.repository.commit(&App::fine(version));
        let run = killed(&world, said, lives_on).await;
        let portal = world.portal().await;
        let engine = portal.start_engine();
        let run = ended(&portal, run).await;
        engine.stop().await;
        run.succeeded();
        nothing_is_lost_or_doubled(&run);
        assert_eq!(count(&world).await, n + 1, "{said}: {}", run.story());
        assert_eq!(world.serves().await.as_deref(), Some(version));
        nothing_is_left(&world).await;
    }
    world.close().await;
}

/// A Django project with one migration, and a program that asks its database.
const PROJECT: &str = r#"mkdir -p half/migrations
: >half/__init__.py
: >half/migrations/__init__.py
cat >settings.py <<'END'
import dj_database_url, dotenv
url = dotenv.dotenv_values("/home/django/ProjectMeats/backend/.env")["DATABASE_URL"]
DATABASES = {"default": dj_database_url.parse(url)}
DATABASES["default"]["OPTIONS"] = {"options": "-c search_path=faults_half_way"}
INSTALLED_APPS = ["half"]
SECRET_KEY = "none"
END
cat >half/migrations/0001_initial.py <<'END'
from django.db import migrations
class Migration(migrations.Migration):
    operations = [migrations.RunSQL("CREATE TABLE one (id integer)")]
END
cat >ask.py <<'END'
import psycopg, settings, sys
with psycopg.connect(settings.url, autocommit=True) as database:
    for line in sys.argv[1:]:
        found = database.execute(line)
        if found.description: print(*[row[0] for row in found], sep=",")
END
"#;
/// A second one, which breaks off after its first statement.
const SECOND: &str = r#"cat >half/migrations/0002_second.py <<'END'
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = [("half", "0001_initial")]
    operations = [
        migrations.RunSQL("CREATE TABLE two (id integer)"),
        migrations.RunSQL("ALTER TABLE three ADD COLUMN name text"),
    ]
END
"#;
const MENDED: &str = "sed -i 's/TABLE three/TABLE two/' half/migrations/0002_second.py";
const PREPARED: &str = "source /home/django/ProjectMeats/venv/bin/activate; export DJANGO_SETTINGS_MODULE=settings PYTHONPATH=.";
const HEAD: &str =
    "python ask.py 'SELECT name FROM faults_half_way.django_migrations ORDER BY id DESC LIMIT 1'";
const TABLES: &str = r#"python ask.py "SELECT tablename FROM pg_tables WHERE schemaname = 'faults_half_way' ORDER BY 1""#;
const DROP: &str = "'DROP SCHEMA IF EXISTS faults_half_way CASCADE'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_django_migration_that_breaks_off_leaves_the_database_and_the_app_as_they_were() {
    let mut world = World::new(Spec::new("half-way", 18_288)).await;
    let more = format!(r#", before = "{PREPARED}", head = "{HEAD}""#);
    let migrate = on_host(&world, "django-admin migrate --noinput", &more);
    set(&mut world, migrate.clone()).await;
    as_django(&world, PROJECT).await;
    let new = format!("python ask.py {DROP} 'CREATE SCHEMA faults_half_way'");
    as_django(&world, &new).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let first = world.deploy_first(&portal).await;
    let [one, two] = ["0001_initial", "0002_second"].map(|head| Some(head.to_owned()));
    let (before, after) = (None, one.clone());
    assert_eq!(outcome(&first), &Outcome::Migrated { before, after });

    as_django(&world, SECOND).await;
    let says = ["ended with exit status 1", "half migrated"];
    let run = it_blocks_the_deploy(&mut world, &portal, migrate, &says).await;
    let lines = run.lines(run.step(kind::migrate), Stream::Err);
    let why = r#"relation "three" does not exist"#;
    assert!(
        lines.iter().any(|line| line.contains(why)),
        "{}",
        run.story()
    );
    // Django does each migration in a transaction: the statement that worked is undone, too.
    assert_eq!(as_django(&world, HEAD).await, "0001_initial");
    assert_eq!(as_django(&world, TABLES).await, "django_migrations,one");

    as_django(&world, MENDED).await;
    let mended = world.deploy(&portal, &App::fine("v2")).await;
    mended.succeeded();
    let (before, after) = (one, two);
    assert_eq!(outcome(&mended), &Outcome::Migrated { before, after });
    assert_eq!(as_django(&world, TABLES).await, "django_migrations,one,two");
    engine.stop().await;
    as_django(&world, &format!("python ask.py {DROP}")).await;
    world.close().await;
}

/// A shell line in the world's folder, as the account that migrates.
async fn as_django(world: &World, line: &str) -> String {
    let line = format!("cd {} && {PREPARED}\n{line}", world.place());
    let user = ["runuser", "-u", "django", "--", "bash", "-euc", &line];
    world.droplet.run(&user).await
}
