//! Names that lead back to themselves.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Paths that come back to where they began, as `a → b → a`; a name stands in one of them at most.
pub(super) fn cycles<'n>(edges: Vec<(&'n str, Vec<&'n str>)>) -> Vec<Vec<&'n str>> {
    let edges: BTreeMap<&str, Vec<&str>> = edges.into_iter().collect();
    let mut cycles: Vec<Vec<&str>> = Vec::new();
    for start in edges.keys() {
        if !cycles.iter().flatten().any(|name| name == start) {
            cycles.extend(cycle_through(&edges, start));
        }
    }
    cycles
}

/// The shortest path from `start` back to it.
fn cycle_through<'n>(
    edges: &BTreeMap<&'n str, Vec<&'n str>>,
    start: &'n str,
) -> Option<Vec<&'n str>> {
    let mut paths = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop_front() {
        for next in path
            .last()
            .and_then(|last| edges.get(last))
            .into_iter()
            .flatten()
        {
            let longer = || path.iter().chain([next]).copied().collect();
            if *next == start {
                return Some(longer());
            }
            if seen.insert(*next) {
                paths.push_back(longer());
            }
        }
    }
    None
}
