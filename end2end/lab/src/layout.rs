//! The lab's map: what exists, by which name, at which address. The same on every machine.
use std::net::Ipv4Addr;

/// The network of all containers.
pub const NETWORK: &str = "fairlead-lab";
/// Its range.
pub const SUBNET: &str = "10.77.0.0/16";
/// The machine itself, as the containers see it.
pub const GATEWAY: &str = "10.77.0.1";
/// Where the database answers.
pub const POSTGRES: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 4);
/// Where the GitHub stand-in listens.
pub const GITHUB: &str = "127.0.0.1:7100";
/// Where the Slack sink listens.
pub const SLACK: &str = "127.0.0.1:7101";
/// The sample project's repository.
pub const REPOSITORY: &str = "meats-central/projectmeats-sample";

/// A registry: its name in the manifest, its address, and the namespace that the sample project has there.
#[derive(Debug)]
pub struct RegistryPlace {
    /// `docr` or `ghcr`.
    pub name: &'static str,
    /// Its address; the port is 5000.
    pub address: Ipv4Addr,
    /// The first part of the image names.
    pub namespace: &'static str,
    /// Who logs in; without a name it is the token again, as with DigitalOcean's registry.
    pub account: Option<&'static str>,
    /// The secret that holds the name.
    pub user_secret: &'static str,
    /// The secret that holds the token.
    pub token_secret: &'static str,
}

impl RegistryPlace {
    /// The name to log in with.
    pub fn username<'a>(&self, token: &'a str) -> &'a str {
        self.account.unwrap_or(token)
    }
}

/// The two registries of the sample project.
pub const REGISTRIES: [RegistryPlace; 2] = [
    RegistryPlace {
        name: "docr",
        address: Ipv4Addr::new(10, 77, 0, 2),
        namespace: "meatscentral",
        account: None,
        user_secret: "DO_ACCESS_TOKEN",
        token_secret: "DO_ACCESS_TOKEN",
    },
    RegistryPlace {
        name: "ghcr",
        address: Ipv4Addr::new(10, 77, 0, 3),
        namespace: "meats-central",
        account: Some("meats-central-bot"),
        user_secret: "GHCR_USER",
        token_secret: "GHCR_TOKEN",
    },
];

/// An environment of the sample project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Environment {
    /// For developers.
    Dev,
    /// For acceptance.
    Uat,
    /// For customers.
    Prod,
}

impl Environment {
    /// In promotion order.
    pub const ALL: [Self; 3] = [Self::Dev, Self::Uat, Self::Prod];

    /// `dev`, `uat` or `prod`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Uat => "uat",
            Self::Prod => "prod",
        }
    }

    /// What the app calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Dev => "development",
            Self::Uat => "uat",
            Self::Prod => "production",
        }
    }

    /// The branch that is deployed to it.
    pub fn branch(self) -> &'static str {
        match self {
            Self::Dev => "development",
            Self::Uat => "uat",
            Self::Prod => "main",
        }
    }

    /// Its database, and the user that owns it.
    pub fn database(self) -> String {
        format!("projectmeats_{}", self.name())
    }

    fn block(self) -> u8 {
        match self {
            Self::Dev => 1,
            Self::Uat => 2,
            Self::Prod => 3,
        }
    }

    /// The part of the network that its droplets are in.
    pub fn subnet(self) -> String {
        format!("10.77.{}.0/24", self.block())
    }
}

/// What a droplet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signs `django` in by password; runs the API.
    Backend,
    /// Signs `root` in by key; runs the web server.
    Frontend,
}

/// One of the six servers.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Whose.
    pub environment: Environment,
    /// What for.
    pub kind: Kind,
}

impl Place {
    /// Every droplet, backends first within an environment.
    pub fn all() -> impl Iterator<Item = Self> {
        Environment::ALL.into_iter().flat_map(|environment| {
            [Kind::Backend, Kind::Frontend].map(|kind| Self { environment, kind })
        })
    }

    /// `dev-backend`, …
    pub fn name(self) -> String {
        let kind = match self.kind {
            Kind::Backend => "backend",
            Kind::Frontend => "frontend",
        };
        format!("{}-{kind}", self.environment.name())
    }

    /// The container's name.
    pub fn container(self) -> String {
        container(&self.name())
    }

    /// `10.77.1.10` for `dev-backend`, `10.77.1.20` for `dev-frontend`, …
    pub fn address(self) -> Ipv4Addr {
        let last = match self.kind {
            Kind::Backend => 10,
            Kind::Frontend => 20,
        };
        Ipv4Addr::new(10, 77, self.environment.block(), last)
    }
}

/// The name of a container of the lab.
pub fn container(name: &str) -> String {
    format!("fairlead-lab-{name}")
}
