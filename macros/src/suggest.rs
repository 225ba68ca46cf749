//! "Did you mean ..?": finds the known word that is nearest to a misspelled word.

/// The known word that is nearest to `given`, or `None` if all are far away. One error is allowed for each three letters, and
/// three errors at most.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|word| (distance(&given, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= (word.chars().count().max(3) / 3).min(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// How many errors turn one word into the other. An error is a letter that is inserted, left out, changed, or swapped with its
/// neighbour.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // Row `i` of the table has the distances of the first `i` letters of `a`. The last two rows are enough.
    let mut second_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (i, letter_a) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut last_b = None;
        for (j, letter_b) in b.iter().copied().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let changed = at(&last, j) + usize::from(letter_a != letter_b);
            let mut best = changed.min(at(&last, j + 1) + 1).min(at(&next, j) + 1);
            if last_a == Some(letter_b) && last_b == Some(letter_a) {
                best = best.min(at(&second_last, j.wrapping_sub(1)) + 1);
            }
            next.push(best);
            last_b = Some(letter_b);
        }
        second_last = std::mem::replace(&mut last, next);
        last_a = Some(letter_a);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["alias", "default", "identity", "keep", "merge", "rename"];
        for (given, expected) in [
            ("mege", Some("merge")),
            ("identiy", Some("identity")),
            ("idnetity", Some("identity")),
            ("Rename", Some("rename")),
            ("kepe", Some("keep")),
            ("flatten", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known), expected, "{given}");
        }
    }
}
