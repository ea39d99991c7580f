//! A client that a generator made from `/openapi-3.0.json`.
#![allow(clippy::all, reason = "nobody wrote it")]

include!(concat!(env!("OUT_DIR"), "/client.rs"));
