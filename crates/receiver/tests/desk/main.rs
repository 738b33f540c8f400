//! The receiver, asked by a client that is nothing but a socket.

mod behaviours;
mod client;
mod command;
mod control;
mod counting;
mod signatures;
