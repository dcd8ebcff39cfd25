//! Which images are known, by what they were built from.
use domain::release::TreeKey;
use domain::run::RunEvent;
use domain::step::{Outcome, StepKind};
use domain::{ComponentName, Ms};

use crate::world::*;

stories!(an_image_that_was_built_anew_is_known_beside_the_one_before,);

/// A run builds an image of this key, which `docr` takes as this digest.
async fn pushes(world: &World, at: i64, key: &TreeKey, image: char) {
    let mut planned = plan("dev");
    planned.steps[BUILD.index()].step = StepKind::Build {
        component: backend(),
        key: key.clone(),
    };
    make_run_of(&world.store, &planned, at).await;
    let claim = world.claim_at(at).await;
    let mut events = whole_run();
    for event in &mut events {
        if let RunEvent::StepSucceeded {
            outcome: Outcome::Pushed { digest: pushed, .. },
            ..
        } = event
        {
            *pushed = digest(image);
        }
    }
    world.append_all(&claim, at, &events).await;
}

async fn an_image_that_was_built_anew_is_known_beside_the_one_before(world: World) {
    let first = TreeKey("tree-1".into());
    let (older, newer) = (first.anew(Ms(50_000)), first.anew(Ms(90_000)));
    let newest = async |of: &TreeKey, component: &str| {
        let component = ComponentName::parse(component).unwrap();
        let found = world.store.built_anew(&shop(), &component, of).await;
        found.unwrap()
    };
    let image = async |key: &TreeKey| {
        let found = world.store.built(&shop(), &backend(), key, &["docr"]).await;
        found.unwrap()
    };
    pushes(&world, 20_000, &first, '1').await;
    // Its key begins with the same letters.
    let other = TreeKey("tree-12".into()).anew(Ms(95_000));
    pushes(&world, 40_000, &other, '2').await;
    assert_eq!(newest(&first, "backend").await, None);
    // They may come to a registry in another order than they were wanted in.
    pushes(&world, 60_000, &newer, '3').await;
    pushes(&world, 80_000, &older, '4').await;
    for of in [&first, &older, &newer] {
        assert_eq!(newest(of, "backend").await, Some(newer.clone()));
    }
    assert_eq!(newest(&first, "frontend").await, None);
    for (key, known) in [(&first, '1'), (&newer, '3'), (&older, '4')] {
        assert_eq!(image(key).await, Some(digest(known)), "{key:?}");
    }
}
