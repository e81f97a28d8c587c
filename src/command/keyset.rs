//! Pages that are cut by a time and an id, which no other item has.

/// One page of a list.
#[derive(Debug, Clone)]
pub struct KeysetPage<T, P> {
    /// Its items.
    pub items: Vec<T>,
    /// The place of the last one, when more follow.
    pub next: Option<P>,
}

impl<T, P> KeysetPage<T, P> {
    /// How many items to read: one more than the page has tells whether there is another page.
    pub(super) fn limit(size: usize) -> i64 {
        i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// The page of what was read up to that limit.
    pub(super) fn cut(mut items: Vec<T>, size: usize, place: impl Fn(&T) -> P) -> Self {
        let more = items.len() > size;
        items.truncate(size);
        let next = if more { items.last().map(place) } else { None };
        Self { items, next }
    }
}
