//! How far the clock of the domain was moved.

use crate::SeaStore;
use crate::error::store_error;
use async_trait::async_trait;
use caretrack_ports::{ClockRepository, StoreError};
use time::Duration;

#[async_trait]
impl ClockRepository for SeaStore {
    async fn clock_ahead(&self) -> Result<Duration, StoreError> {
        let read = |row: &sea_orm::QueryResult| row.try_get_by_index::<i64>(0).map_err(store_error);
        let ahead = self.read_one(self.sql("SELECT ahead FROM clock"), read).await?;
        Ok(Duration::microseconds(ahead.unwrap_or(0)))
    }
}
