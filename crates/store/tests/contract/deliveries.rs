//! What GitHub told: stored once, open until something came of it, and never two runs for one delivery.
use domain::audit::Change;
use domain::policy::{Action, Grant, allow};
use domain::push::{Came, DeliveryId, Push, Told};
use domain::{Ms, ProjectName, RunId};
use store::{NewDelivery, NewRun, StoreError};

use crate::world::*;

stories!(
    a_delivery_is_stored_once_and_stays_open_until_it_is_done,
    a_repository_with_many_deliveries_keeps_no_other_waiting,
    a_title_is_kept_to_the_letter,
    a_damaged_delivery_keeps_no_other_repository_waiting,
    a_delivery_that_starts_nothing_is_done_as_it_comes,
    of_two_portals_that_act_on_a_delivery_one_makes_the_run,
    what_came_of_a_delivery_is_told_project_by_project,
    a_delivery_is_repeated_for_one_project_under_a_name_of_its_own,
);

fn push(guid: &str) -> NewDelivery {
    let push = Push {
        reference: "refs/heads/main".into(),
        before: None,
        after: Some(sha('a')),
        commits: Some(vec![sha('a')]),
        title: "Refuse \\u0000 and \0 in names".into(),
        by: login("dev"),
    };
    NewDelivery {
        guid: guid.into(),
        event: "push".into(),
        repository: "Acme/Shop".into(),
        told: Told::Push(push),
    }
}

async fn take_in(world: &World, guid: &str, at: i64) -> DeliveryId {
    let (id, fresh) = world.store.take_in(&push(guid), Ms(at)).await.unwrap();
    assert!(fresh);
    id
}

async fn open(world: &World, at: i64) -> Vec<DeliveryId> {
    let open = world.store.open_deliveries(Ms(at)).await.unwrap();
    open.into_iter().map(|delivery| delivery.id).collect()
}

fn redeliver_grant() -> Grant {
    allow(&lena(), Some(&shop()), Action::Redeliver).unwrap()
}

/// Makes the run that a delivery leads to, as a push does.
async fn act(world: &World, delivery: DeliveryId) -> Result<RunId, StoreError> {
    let mut tx = world
        .store
        .audited(&deploy_grant("dev"), note(100))
        .await
        .unwrap();
    let plan = plan("dev");
    let new = NewRun {
        plan: &plan,
        retry_of: None,
        reused: &[],
    };
    let run = tx.insert_run(new).await?;
    tx.delivery_came(delivery, &env("dev"), run).await?;
    tx.commit(requested(run, "dev")).await?;
    Ok(run)
}

async fn a_delivery_is_stored_once_and_stays_open_until_it_is_done(world: World) {
    let store = &world.store;
    let first = take_in(&world, "one", 10).await;
    let again = store.take_in(&push("one"), Ms(20)).await.unwrap();
    assert_eq!(again, (first, false));
    let second = take_in(&world, "two", 30).await;
    let read = store.open_deliveries(Ms(30)).await.unwrap();
    assert_eq!(
        (
            read[0].guid.as_str(),
            read[0].repository.as_str(),
            read[0].tries
        ),
        ("one", "acme/shop", 0)
    );
    assert!(matches!(&read[0].told, Told::Push(push) if push.by == login("dev")));

    store.delivery_later(first, Ms(500)).await.unwrap();
    assert_eq!(open(&world, 40).await, [second]);
    store.delivery_done(second, Ms(50)).await.unwrap();
    assert_eq!(open(&world, 499).await, []);
    let later = store.open_deliveries(Ms(500)).await.unwrap();
    assert_eq!((later[0].id, later[0].tries), (first, 1));

    // Another portal, or the next life of this one, finds the same.
    let other = world.second().await;
    assert_eq!(other.open_deliveries(Ms(500)).await.unwrap(), later);
}

async fn a_repository_with_many_deliveries_keeps_no_other_waiting(world: World) {
    let store = &world.store;
    let first = take_in(&world, "one", 10).await;
    let second = take_in(&world, "two", 10).await;
    take_in(&world, "three", 10).await;
    let elsewhere = NewDelivery {
        repository: "acme/else".into(),
        ..push("four")
    };
    let (other, _) = store.take_in(&elsewhere, Ms(10)).await.unwrap();
    assert_eq!(open(&world, 10).await, [first, other]);
    store.delivery_done(first, Ms(20)).await.unwrap();
    assert_eq!(open(&world, 20).await, [second, other]);
}

async fn a_title_is_kept_to_the_letter(world: World) {
    take_in(&world, "one", 10).await;
    let open = world.store.open_deliveries(Ms(10)).await.unwrap();
    assert_eq!(open[0].told, push("one").told);
}

async fn a_damaged_delivery_keeps_no_other_repository_waiting(world: World) {
    let elsewhere = NewDelivery {
        repository: "acme/else".into(),
        ..push("one")
    };
    world.store.take_in(&elsewhere, Ms(10)).await.unwrap();
    let second = take_in(&world, "two", 10).await;
    world
        .sql("UPDATE delivery_in SET told_json = '{' WHERE guid = 'one'")
        .await
        .unwrap();
    assert_eq!(open(&world, 10).await, [second]);
}

async fn a_delivery_that_starts_nothing_is_done_as_it_comes(world: World) {
    let told = Told::Other {
        why: "GitHub says hello".into(),
    };
    let ping = NewDelivery {
        event: "ping".into(),
        told: told.clone(),
        ..push("one")
    };
    world.store.take_in(&ping, Ms(10)).await.unwrap();
    assert_eq!(open(&world, 10).await, []);
    let listed = world.store.deliveries("acme/shop", &shop(), None, 5).await;
    let listed = listed.unwrap();
    assert_eq!((&listed[0].told, listed[0].done), (&told, Some(Ms(10))));
}

async fn of_two_portals_that_act_on_a_delivery_one_makes_the_run(world: World) {
    let delivery = take_in(&world, "one", 10).await;
    let (one, two) = tokio::join!(act(&world, delivery), act(&world, delivery));
    let (made, refused) = match (one, two) {
        (Ok(run), Err(error)) | (Err(error), Ok(run)) => (run, error),
        both => panic!("{both:?}"),
    };
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    let runs = world
        .store
        .runs(&Default::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(runs.len(), 1, "the second run was not kept");
    let came = world.store.came_of(delivery, &shop()).await.unwrap();
    assert_eq!(came[&Some(env("dev"))], Came::Run { run: made });
    // Nor is the run forgotten for a reason that comes later.
    let why = Came::Blocked {
        why: "too late".into(),
    };
    let dev = env("dev");
    world
        .store
        .note_came(delivery, &shop(), Some(&dev), &why, Ms(200))
        .await
        .unwrap();
    let came = world.store.came_of(delivery, &shop()).await.unwrap();
    assert_eq!(came[&Some(dev)], Came::Run { run: made });
}

async fn what_came_of_a_delivery_is_told_project_by_project(world: World) {
    let store = &world.store;
    let other = ProjectName::parse("other").unwrap();
    let ids = [
        take_in(&world, "one", 10).await,
        take_in(&world, "two", 20).await,
    ];
    let ignored = Came::Ignored {
        why: "no environment follows it".into(),
    };
    let blocked = Came::Blocked {
        why: "a secret is missing".into(),
    };
    let dev = env("dev");
    store
        .note_came(ids[0], &shop(), None, &ignored, Ms(30))
        .await
        .unwrap();
    store
        .note_came(ids[0], &other, Some(&dev), &blocked, Ms(30))
        .await
        .unwrap();
    let run = Came::Run { run: RunId(1) };
    assert!(matches!(
        store
            .note_came(ids[0], &other, Some(&dev), &run, Ms(30))
            .await,
        Err(StoreError::OutsideGrant { .. })
    ));
    let of_shop = store
        .deliveries("ACME/shop", &shop(), None, 10)
        .await
        .unwrap();
    assert_eq!(
        of_shop.iter().map(|row| row.id).collect::<Vec<_>>(),
        [ids[1], ids[0]]
    );
    assert_eq!(of_shop[1].came, [(None, ignored)]);
    let of_other = store
        .deliveries("acme/shop", &other, Some(ids[1]), 10)
        .await
        .unwrap();
    assert_eq!(of_other.len(), 1);
    assert_eq!(of_other[0].came, [(Some(dev.clone()), blocked.clone())]);
    let last = store.last_pushes("Acme/Shop", &other).await.unwrap();
    assert_eq!(last.keys().collect::<Vec<_>>(), [&dev]);
    assert_eq!((&last[&dev].came, last[&dev].received), (&blocked, Ms(10)));
    let of_project_alone = store.last_pushes("acme/shop", &shop()).await.unwrap();
    assert!(of_project_alone.is_empty(), "{of_project_alone:?}");
    assert_eq!(
        store
            .deliveries("acme/else", &shop(), None, 10)
            .await
            .unwrap(),
        []
    );
}

async fn a_delivery_is_repeated_for_one_project_under_a_name_of_its_own(world: World) {
    let first = take_in(&world, "one", 10).await;
    world.store.delivery_done(first, Ms(20)).await.unwrap();
    let repeat = async |repository: &'static str| {
        let mut tx = world
            .store
            .audited(&redeliver_grant(), note(100))
            .await
            .unwrap();
        let again = tx.repeat_delivery(first, repository).await?;
        tx.commit(Change::DeliveryRepeated {
            delivery: first,
            again,
        })
        .await?;
        Ok::<_, StoreError>(again)
    };
    assert!(matches!(
        repeat("acme/else").await,
        Err(StoreError::NotFound(_))
    ));
    repeat("Acme/Shop").await.unwrap();
    repeat("acme/shop").await.unwrap();
    for name in ["one/shop.1", "one/shop.2"] {
        let open = world.store.open_deliveries(Ms(100)).await.unwrap();
        let [again] = &open[..] else {
            panic!("{open:?}");
        };
        assert_eq!((again.guid.as_str(), &again.project), (name, &Some(shop())));
        world.store.delivery_done(again.id, Ms(110)).await.unwrap();
    }
    let other = ProjectName::parse("other").unwrap();
    let seen = world
        .store
        .deliveries("acme/shop", &other, None, 10)
        .await
        .unwrap();
    assert_eq!(seen.len(), 1, "the other project does not see them");

    let mut tx = world
        .store
        .audited(&deploy_grant("dev"), note(100))
        .await
        .unwrap();
    assert!(matches!(
        tx.repeat_delivery(first, "acme/shop").await,
        Err(StoreError::OutsideGrant { .. })
    ));
}
