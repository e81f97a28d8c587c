//! Many things at once, and never more than so many.

use std::future::Future;
use tokio::task::JoinSet;

/// Does a job for each item, at most `most` of them at a time; answers in the order of their ends.
pub(crate) async fn at_once<I: IntoIterator, F>(
    most: usize,
    items: I,
    job: impl Fn(I::Item) -> F,
) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut done = Vec::new();
    for item in items {
        if running.len() == most {
            done.push(running.join_next().await.unwrap().unwrap());
        }
        running.spawn(job(item));
    }
    while let Some(ended) = running.join_next().await {
        done.push(ended.unwrap());
    }
    done
}
