//! The store's contract: the same stories on SQLite in a temporary folder and on PostgreSQL at `$TEST_PG_URL`,
//! which `scripts/with-postgres CMD` sets. Without it the PostgreSQL half fails in CI and says so elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "clippy.toml allows these in tests, but not in the functions that stories are made of"
)]

mod audit;
mod deliveries;
mod door;
mod images;
mod leases;
mod logs;
mod messages;
mod migrations;
mod opening;
mod people;
mod runs;
mod small;
mod world;
