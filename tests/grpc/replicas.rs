//! Two replicas over one database.

use crate::service::Service;

pub(crate) async fn both() -> [Service; 2] {
    let service = Service::start().await;
    let replica = service.replica().await;
    [service, replica]
}

pub(crate) async fn audited([service, replica]: [Service; 2]) {
    replica.stop().await;
    service.audited().await;
}
