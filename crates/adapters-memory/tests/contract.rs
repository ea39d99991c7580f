//! The contracts, against the memory store.

use async_trait::async_trait;
use caretrack_adapters_memory::MemoryStore;
use caretrack_port_contracts::{Backend, Fixture, run};
use std::process::ExitCode;
use std::sync::Arc;

struct Memory;

#[async_trait]
impl Fixture for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn open(&self) -> Arc<dyn Backend> {
        Arc::new(MemoryStore::default())
    }
}

fn main() -> ExitCode {
    run(vec![Arc::new(Memory)], Vec::new())
}
