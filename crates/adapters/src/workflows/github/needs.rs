//! Jobs that need one another in a circle.
use super::super::yaml::Node;

/// Most circles that are told.
const MOST: usize = 20;

/// A job and the nodes that name what it needs.
pub(super) type Needs<'n> = (&'n str, Vec<&'n Node>);

/// Every circle once, as long as there are few: the node that closes it, and the jobs on the way, the first again at
/// the end.
pub(super) fn cycles<'n>(jobs: &[Needs<'n>]) -> Vec<(&'n Node, Vec<&'n str>)> {
    let place = |id: &str| {
        jobs.iter()
            .position(|(job, _)| job.eq_ignore_ascii_case(id))
    };
    let mut cycles = Vec::new();
    let mut done = vec![false; jobs.len()];
    'jobs: for first in 0..jobs.len() {
        // The way from `first`: each job with how many of its needs were followed.
        let mut way: Vec<(usize, usize)> = Vec::new();
        if !done[first] {
            way.push((first, 0));
        }
        while let Some((job, followed)) = way.last_mut() {
            let here = *job;
            let Some(node) = jobs[here].1.get(*followed) else {
                done[here] = true;
                way.pop();
                continue;
            };
            *followed += 1;
            let Some(next) = node.text().and_then(place) else {
                continue;
            };
            if let Some(start) = way.iter().position(|(job, _)| *job == next) {
                let mut circle: Vec<&str> =
                    way[start..].iter().map(|(job, _)| jobs[*job].0).collect();
                circle.push(jobs[next].0);
                cycles.push((*node, circle));
                if cycles.len() == MOST {
                    break 'jobs;
                }
            } else if !done[next] {
                way.push((next, 0));
            }
        }
    }
    cycles
}
