//! The engine's life: how it starts, what ends it, what it survives, when it keeps silent.

mod clones;
mod commands;
mod crash;
mod databases;
mod dumps;
mod idle;
mod leaving;
mod secrets;
mod start;
mod takeover;
mod update;
mod upgrade;
