//! Door 1: nothing is written without a grant that covers it and an audit event.
use domain::audit::{Chain, Change};
use domain::policy::{Action, allow};
use domain::{Ms, ProjectName};
use store::{NewRun, StoreError};

use crate::world::*;

stories!(
    a_transaction_that_is_dropped_leaves_nothing,
    a_grant_covers_its_own_environment_and_project_only,
    a_run_needs_the_manifest_that_it_was_planned_from,
    two_people_who_press_deploy_at_once_come_one_after_the_other,
);

async fn a_transaction_that_is_dropped_leaves_nothing(world: World) {
    let before = world.store.audit_heads().await.unwrap();
    let plan = plan("dev");
    let mut tx = world
        .store
        .audited(&deploy_grant("dev"), note(100))
        .await
        .unwrap();
    let id = tx
        .insert_run(NewRun {
            plan: &plan,
            retry_of: None,
            reused: &[],
        })
        .await
        .unwrap();
    drop(tx);
    assert!(matches!(
        world.store.load_run(id).await,
        Err(StoreError::NotFound("run"))
    ));
    assert_eq!(world.store.audit_heads().await.unwrap(), before);
    // And the lock is free again.
    world.run_at("dev", 200).await;
}

async fn a_grant_covers_its_own_environment_and_project_only(world: World) {
    let run = world.run_at("uat", 100).await;
    let mut tx = world
        .store
        .audited(&deploy_grant("dev"), note(200))
        .await
        .unwrap();
    let uat = plan("uat");
    let elsewhere = tx
        .insert_run(NewRun {
            plan: &uat,
            retry_of: None,
            reused: &[],
        })
        .await;
    assert!(
        matches!(elsewhere, Err(StoreError::OutsideGrant { .. })),
        "{elsewhere:?}"
    );
    assert!(matches!(
        tx.request_cancel(run).await,
        Err(StoreError::OutsideGrant { .. })
    ));
    let other = domain::plan::Plan {
        project: ProjectName::parse("other").unwrap(),
        ..plan("dev")
    };
    let foreign = tx
        .insert_run(NewRun {
            plan: &other,
            retry_of: None,
            reused: &[],
        })
        .await;
    assert!(
        matches!(foreign, Err(StoreError::OutsideGrant { .. })),
        "{foreign:?}"
    );
    assert!(matches!(
        tx.import_manifest(&shop(), "m2", "").await,
        Err(StoreError::OutsideGrant { .. })
    ));
    assert!(matches!(
        tx.upsert_person(&login("lena"), "Lena").await,
        Err(StoreError::OutsideGrant { .. })
    ));
    drop(tx);

    let sign_in = allow(&lena(), None, Action::SignIn).unwrap();
    let mut tx = world.store.audited(&sign_in, note(300)).await.unwrap();
    let dev = plan("dev");
    assert!(
        tx.insert_run(NewRun {
            plan: &dev,
            retry_of: None,
            reused: &[]
        })
        .await
        .is_err()
    );
    assert!(
        tx.upsert_person(&login("vera"), "Vera").await.is_err(),
        "one signs in for oneself"
    );
}

async fn a_run_needs_the_manifest_that_it_was_planned_from(world: World) {
    let unknown = domain::plan::Plan {
        manifest: "m-unknown".into(),
        ..plan("dev")
    };
    let mut tx = world
        .store
        .audited(&deploy_grant("dev"), note(100))
        .await
        .unwrap();
    let refused = tx
        .insert_run(NewRun {
            plan: &unknown,
            retry_of: None,
            reused: &[],
        })
        .await;
    assert!(
        matches!(refused, Err(StoreError::NotFound(_))),
        "{refused:?}"
    );
}

async fn two_people_who_press_deploy_at_once_come_one_after_the_other(world: World) {
    let press = async |at: i64| {
        let plan = plan("dev");
        let mut tx = world
            .store
            .audited(&deploy_grant("dev"), note(at))
            .await
            .unwrap();
        let queued = tx
            .queued_runs(&shop(), &env("dev"), plan.kind)
            .await
            .unwrap();
        let id = tx
            .insert_run(NewRun {
                plan: &plan,
                retry_of: None,
                reused: &[],
            })
            .await
            .unwrap();
        for old in &queued {
            tx.supersede(*old, id).await.unwrap();
        }
        tx.commit(requested(id, "dev")).await.unwrap();
    };
    tokio::join!(press(100), press(101), press(102), press(103));
    let lane = &world.store.lanes(&shop()).await.unwrap()[&env("dev")];
    assert_eq!(lane.queued.len(), 1, "the others were superseded");
    let trail = world
        .store
        .audit_page(&Chain::Project(shop()), None, 10)
        .await
        .unwrap();
    assert_eq!(
        trail.iter().map(|event| event.seq).collect::<Vec<_>>(),
        vec![5, 4, 3, 2, 1]
    );
    assert!(matches!(trail[4].what, Change::ManifestImported { .. }));
    assert_eq!(
        (&trail[0].actor, &trail[0].reason),
        (&lena().name, &note(0).reason)
    );
    assert!(trail.iter().all(|event| event.at <= Ms(103)));
}
