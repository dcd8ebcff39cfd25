//! What people are told of a host that could not be put back. A run may have left it in any state, and whoever reads
//! this may have changed it since: what is advised does no harm in any of them.
use domain::ComponentName;

use super::{BEFORE, label};

/// Where a run has left something, and what it is called there.
pub(super) struct Left<'l> {
    pub(super) host: &'l str,
    pub(super) component: &'l ComponentName,
    pub(super) serving: &'l str,
    /// The run's.
    pub(super) key: &'l str,
}

impl Left<'_> {
    /// After the old container was put aside, or may have been.
    pub(super) fn half_done(&self) -> String {
        let Self {
            host, serving, key, ..
        } = self;
        format!(
            "not all of it: the old container may still be stopped on host {host}, as {serving}{BEFORE}{key} or under its own \
             name. A new run puts that right; by hand it is `{}`, and then `docker update --restart` where it has lost its \
             restart policy",
            self.by_hand()
        )
    }

    /// Removes what has the serving name only where this run has made it: it may be the old container, which is back
    /// already or was never touched. For the same reason it is renamed only to a name that is free, which the engine
    /// sees to.
    fn by_hand(&self) -> String {
        let Self { serving, key, .. } = self;
        let run = label::RUN;
        format!(
            "docker ps -aq --filter label={run}={key} --filter 'name=^/?{serving}$' | xargs -r docker rm -f; \
             docker rename {serving}{BEFORE}{key} {serving}; docker start {serving}"
        )
    }

    /// Before any container was put aside.
    pub(super) fn untouched(&self) -> String {
        let Self {
            host,
            component,
            key,
            ..
        } = self;
        let (run, of) = (label::RUN, label::COMPONENT);
        format!(
            "not all of it: no container was put aside on host {host}, but what this run has made may still be there: what \
             `docker ps -a --filter label={run}={key} --filter label={of}={component}` lists, which a new run removes, and \
             files, with the ones before beside them as `….before-{key}`"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_removed_only_by_the_label_of_the_run_and_nothing_is_advised_where_none_was_touched()
     {
        let component = ComponentName::parse("backend").unwrap();
        let left = Left {
            host: "shop/dev/server",
            component: &component,
            serving: "pm-backend",
            key: "42-19a3f",
        };
        let told = left.half_done();
        let command = told.split('`').nth(1).unwrap();
        assert_eq!(
            command,
            "docker ps -aq --filter label=fairlead.run=42-19a3f --filter 'name=^/?pm-backend$' | xargs -r docker rm -f; \
             docker rename pm-backend.before-42-19a3f pm-backend; docker start pm-backend"
        );
        let told = left.untouched();
        for danger in ["docker rm", "docker rename", "stopped"] {
            assert!(!told.contains(danger), "{told}");
        }
    }
}
