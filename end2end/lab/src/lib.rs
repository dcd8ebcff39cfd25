//! The lab: real targets on one machine, for the tests and the demo. Nothing of it is in the product's binary.
//!
//! | what | where | who gets in |
//! |---|---|---|
//! | six droplets: sshd, Docker engine, nginx | 10.77.{1,2,3}.{10,20}, backend and frontend of dev, uat, prod | `django` by password, `root` by key |
//! | two registries | 10.77.0.2:5000, 10.77.0.3:5000 | basic authentication |
//! | PostgreSQL | 10.77.0.4:5432 | each environment's droplets, into their own database |
//! | GitHub and Slack stand-ins | 127.0.0.1:7100, 127.0.0.1:7101 | as with the real ones |
//!
//! [`Lab::load`] gives tests the passwords and fingerprints of the running lab. There is one lab on a machine: a second
//! checkout's `up` is refused while the first one's runs, and replaces its containers when it was stopped.
pub mod container;
pub mod credentials;
pub mod description;
pub mod down;
pub mod engine;
pub mod error;
mod faults;
pub mod folder;
pub mod github;
pub mod images;
mod insecure;
pub mod layout;
pub mod portal_files;
pub mod process;
pub mod program;
pub mod progress;
pub mod repository;
pub mod servers;
pub mod serving;
pub mod slack;
pub mod standins;
pub mod up;

pub use description::Lab;
pub use error::LabError;

/// Where the machine's Docker engine listens.
pub const DOCKER_SOCKET: &str = "/var/run/docker.sock";
/// The same as `docker` takes it.
const DOCKER_HOST: &str = "unix:///var/run/docker.sock";
