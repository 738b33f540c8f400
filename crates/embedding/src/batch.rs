//! Which texts go together.

use std::collections::VecDeque;

/// Takes from the front what goes into one request: at most `size` different texts and `chars` characters, and at least one. The
/// same text several times counts once.
pub fn take_batch<T>(queue: &mut VecDeque<T>, text: impl Fn(&T) -> &str, size: usize, chars: usize) -> Vec<T> {
    let mut batch: Vec<T> = Vec::new();
    let mut different = std::collections::HashSet::new();
    let mut total = 0_usize;
    while let Some(next) = queue.front() {
        let content = text(next);
        if !different.contains(content) {
            let length = content.chars().count();
            if !batch.is_empty() && (different.len() >= size || total + length > chars) {
                break;
            }
            total += length;
            different.insert(content.to_owned());
        }
        batch.extend(queue.pop_front());
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batches(texts: &[&str], size: usize, chars: usize) -> Vec<usize> {
        let mut queue: VecDeque<&str> = texts.iter().copied().collect();
        std::iter::from_fn(|| Some(take_batch(&mut queue, |text| text, size, chars).len()).filter(|n| *n > 0)).collect()
    }

    #[test]
    fn by_number_and_by_length() {
        assert_eq!(batches(&["a", "b", "c", "d", "e"], 2, 100), [2, 2, 1]);
        assert_eq!(batches(&["aaa", "bbb", "cc", "dddddddddd", "e"], 9, 6), [2, 1, 1, 1]);
        assert_eq!(batches(&["a", "a", "b", "a", "c"], 2, 100), [4, 1]);
        assert_eq!(batches(&["ñññ", "ñññ2"], 9, 6), [1, 1]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_reordered(texts in prop::collection::vec("[a-d]{0,8}", 0..60), size in 1_usize..8, chars in 1_usize..20) {
            let mut queue: VecDeque<String> = texts.iter().cloned().collect();
            let mut seen = Vec::new();
            while !queue.is_empty() {
                let batch = take_batch(&mut queue, |text| text, size, chars);
                prop_assert!(!batch.is_empty());
                let different: std::collections::HashSet<&String> = batch.iter().collect();
                prop_assert!(different.len() <= size);
                seen.extend(batch);
            }
            prop_assert_eq!(seen, texts);
        }
    }
}
