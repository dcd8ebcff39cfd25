//! The Docker Engine, on this machine or on a host behind SSH: images, builds, containers, their logs and files, networks.
//!
//! An [`Engine`] speaks the Engine API through a [`Dial`], which opens byte streams to it and reconnects by itself. Typed
//! calls go through bollard. Some go straight over the same HTTP client: creating and inspecting a container, since
//! bollard writes both bodies, and with them the environment's secrets, to the debug log; container logs, where
//! bollard's decoder costs more than the engine's own work; and programs in a container, for which it wants a connection
//! of its own kind.
//!
//! Quirks of the library that are cured here, once: registry credentials in the wrong base64 alphabet, one time limit
//! for all calls, a non-zero exit reported as an error.

mod archive;
mod build;
mod containers;
mod context;
mod engine;
mod env_file;
mod error;
mod exec;
mod failure;
mod frames;
mod ignore;
mod images;
mod logs;
mod networks;
mod restart;
mod spec;
mod transport;

pub use archive::Extracted;
pub use build::BuildOptions;
pub use containers::{Container, Health, State};
pub use engine::{Engine, Version};
pub use env_file::{EnvFileError, parse_env_file};
pub use error::DockerError;
pub use exec::Executed;
pub use ignore::Ignore;
pub use images::{Image, registry_of, repository_of};
pub use logs::{LogCursor, LogLine, Logs};
pub use networks::Network;
pub use restart::RestartPolicy;
pub use spec::ContainerSpec;
pub use transport::{Dial, Io, Lane};
