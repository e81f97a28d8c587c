//! The nearest known name to a misspelt one, for the person who writes a policy.

/// ` (did you mean `x`?)`, or nothing when no known name is near.
pub(super) fn hint<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|name| (distance(written, name), name))
        .min()
        .filter(|(edits, name)| edits.saturating_mul(2) <= name.len())
        .map(|(_, name)| format!(" (did you mean `{name}`?)"))
        .unwrap_or_default()
}

/// Edits of one letter that turn one name into the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut next = vec![above.saturating_add(1)];
        for ((other, diagonal), up) in to.chars().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            let change = diagonal.saturating_add(usize::from(letter != other));
            next.push(change.min(up.saturating_add(1)).min(left.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(hint("unusd", ["used", "unused", "bought"]), " (did you mean `unused`?)");
        assert_eq!(hint("weather", ["used", "unused", "bought"]), "");
        assert_eq!(hint("", []), "");
    }
}
