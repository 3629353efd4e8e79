//! The word that somebody meant who wrote another.

/// The known word that is nearest to a mistyped one, if any is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let limit = (word.chars().count() / 3).max(1);
    let with_distance = known.into_iter().map(|known| (distance(&word, &plain(known)), known));
    let (distance, found) = with_distance.min_by_key(|(distance, _)| *distance)?;
    (distance <= limit).then_some(found)
}

/// ` (did you mean `x`?)`, or nothing.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|known| format!(" (did you mean `{known}`?)")).unwrap_or_default()
}

/// Capitals, blanks, hyphens and underscores are the same mistake.
fn plain(word: &str) -> String {
    word.trim().to_lowercase().replace([' ', '-'], "_")
}

/// How many letters are put in, left out, changed, or exchanged with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            next[j] = changed.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_and_a_far_one_is_not() {
        let known = ["scheme", "subject", "amount", "currency", "INTDATE"];
        for (word, meant) in [
            ("schema", Some("scheme")),
            ("amuont", Some("amount")),
            ("ammount", Some("amount")),
            ("IntDate", Some("INTDATE")),
            ("curency", Some("currency")),
            ("pigeon", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(hint("schema", known), " (did you mean `scheme`?)");
        assert_eq!(hint("pigeon", known), "");
    }
}
