//! What becomes of deliveries that fail, and of endpoints that do.

mod attempts;
mod health;
mod letters;
mod management;
