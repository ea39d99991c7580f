//! How journeys are run: engines, servers, a client, and waiting without sleeping blindly.

pub mod api;
pub mod check;
pub mod data;
pub mod document;
pub mod issuer;
pub mod journey;
pub mod program;
pub mod server;
pub mod tenant;
pub mod wait;

pub use api::{Answer, Api, Call};
pub use check::*;
pub use data::{Data, Engine};
pub use journey::{Journey, Need, run};
pub(crate) use journey::{journey, tenant_journey};
pub use server::{Launch, Server};
pub use tenant::Tenant;
pub use wait::until;
