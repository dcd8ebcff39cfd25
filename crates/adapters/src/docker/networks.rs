//! Networks of the engine's own machine: made for a while, found by their labels, removed.

use std::collections::{BTreeMap, HashMap};

use bollard::{models::NetworkCreateRequest, query_parameters::ListNetworksOptionsBuilder};

use super::{
    engine::{Engine, QUICK, SLOW},
    error::DockerError,
    failure::About,
};

/// A network of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The full id.
    pub id: String,
    /// The name. It need not be the only one of its name.
    pub name: String,
}

impl Engine {
    /// Makes a bridge network and gives its id. Containers on it reach each other by name, and the world outside.
    ///
    /// Errors: [`DockerError::Conflict`] when the name is in use.
    pub async fn create_network(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<String, DockerError> {
        let created = self
            .call(SLOW, About::Network(name), async {
                let request = NetworkCreateRequest {
                    name: name.to_owned(),
                    driver: Some("bridge".to_owned()),
                    labels: Some(labels.clone().into_iter().collect()),
                    ..NetworkCreateRequest::default()
                };
                Ok(self.control.docker.create_network(request).await?)
            })
            .await?;
        Ok(created.id)
    }

    /// All networks that carry every one of these labels (`name` or `name=value`).
    pub async fn networks(&self, labels: &[&str]) -> Result<Vec<Network>, DockerError> {
        let options = ListNetworksOptionsBuilder::new()
            .filters(&HashMap::from([("label", labels.to_vec())]))
            .build();
        let found = self
            .call(QUICK, About::Engine, async {
                Ok(self.control.docker.list_networks(Some(options)).await?)
            })
            .await?;
        let network = |found: bollard::models::Network| Network {
            id: found.id.unwrap_or_default(),
            name: found.name.unwrap_or_default(),
        };
        Ok(found.into_iter().map(network).collect())
    }

    /// Removes a network; nothing happens when there is none.
    ///
    /// Errors: [`DockerError::Conflict`] while a container is on it.
    pub async fn remove_network(&self, network: &str) -> Result<(), DockerError> {
        let removed = self
            .call(SLOW, About::Network(network), async {
                Ok(self.control.docker.remove_network(network).await?)
            })
            .await;
        match removed {
            Err(DockerError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }
}
