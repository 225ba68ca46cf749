//! Merge rules: what becomes of a field that two requests change at the same moment.
//!
//! `#[session(merge = "..")]` names a rule, or a function `fn(base: T, theirs: T, ours: T) -> T`. Here `base` is the value
//! that was loaded, `theirs` is what another request has stored since, and `ours` is what this request wants to store. A
//! field without a rule is replaced: the request that commits last wins. Each rule is a trait, so a type of yours can have
//! it too.
//!
//! | rule | trait | result |
//! |---|---|---|
//! | `add` | [`MergeAdd`] | theirs, plus what we added |
//! | `max`, `min` | [`MergeMax`], [`MergeMin`] | the larger, the smaller |
//! | `append` | [`MergeAppend`] | theirs, then the items that we appended |
//! | `union` | [`MergeUnion`] | what either has, without what either removed |
//! | `keys` | [`MergeKeys`] | each key merged separately |
//! | `reject` | | the second commit fails with a 409 |
//!
//! ```
//! #[derive(http_session::Session)]
//! struct Draft {
//!     #[session(merge = longest)]
//!     text: String,
//! }
//!
//! fn longest(_base: String, theirs: String, ours: String) -> String {
//!     if theirs.len() > ours.len() { theirs } else { ours }
//! }
//! ```
//!
//! A merge function may run several times for one commit: once for each time that the store reports a conflict.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

/// Counters: `merge = "add"`. For whole numbers of up to 64 bits, `f32`, `f64` and `Duration`. A type of yours may
/// implement it.
///
/// ```
/// use http_session::Session;
/// use http_session::merge::MergeAdd;
///
/// #[derive(Session)]
/// struct Visit {
///     #[session(merge = "add")]
///     spent: Cents,
/// }
///
/// #[derive(Default, PartialEq, serde::Serialize, serde::Deserialize)]
/// struct Cents(u64);
///
/// impl MergeAdd for Cents {
///     fn merge_add(base: Self, theirs: Self, ours: Self) -> Self {
///         Self(u64::merge_add(base.0, theirs.0, ours.0))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`merge = \"add\"` does not work on `{Self}`",
    label = "this type cannot be counted up",
    note = "`add` is for numbers and `Duration`; implement `MergeAdd` for `{Self}` or choose another rule"
)]
pub trait MergeAdd: Sized {
    /// `theirs` plus the difference between `ours` and `base`. Whole numbers and `Duration` saturate.
    ///
    /// ```
    /// use http_session::merge::MergeAdd;
    ///
    /// // Loaded 5; another request has stored 7; we counted to 6.
    /// assert_eq!(u64::merge_add(5, 7, 6), 8);
    /// ```
    #[must_use]
    fn merge_add(base: Self, theirs: Self, ours: Self) -> Self;
}

macro_rules! merge_add_integer {
    ($($integer:ty)*) => {$(
        impl MergeAdd for $integer {
            fn merge_add(base: Self, theirs: Self, ours: Self) -> Self {
                let sum = theirs as i128 + (ours as i128 - base as i128);
                sum.clamp(Self::MIN as i128, Self::MAX as i128) as Self
            }
        }
    )*};
}

merge_add_integer!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

macro_rules! merge_add_float {
    ($($float:ty)*) => {$(
        impl MergeAdd for $float {
            fn merge_add(base: Self, theirs: Self, ours: Self) -> Self {
                theirs + (ours - base)
            }
        }
    )*};
}

merge_add_float!(f32 f64);

impl MergeAdd for Duration {
    fn merge_add(base: Self, theirs: Self, ours: Self) -> Self {
        match ours.checked_sub(base) {
            Some(added) => theirs.saturating_add(added),
            None => theirs.saturating_sub(base.saturating_sub(ours)),
        }
    }
}

/// High-water marks: `merge = "max"`. For every type that is `PartialOrd`.
#[diagnostic::on_unimplemented(
    message = "`merge = \"max\"` does not work on `{Self}`",
    label = "values of this type have no order",
    note = "`max` needs `PartialOrd`"
)]
pub trait MergeMax: Sized {
    /// The larger of `theirs` and `ours`. If they have no order, as with NaN, it is `ours`.
    #[must_use]
    fn merge_max(base: Self, theirs: Self, ours: Self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: PartialOrd> MergeMax for T {
    fn merge_max(_base: Self, theirs: Self, ours: Self) -> Self {
        if theirs > ours { theirs } else { ours }
    }
}

/// Low-water marks: `merge = "min"`. For every type that is `PartialOrd`.
///
/// Give a number a large default, such as `#[session(merge = "min", default = u32::MAX)]`. For an `Option`, `None` is the
/// smallest value.
#[diagnostic::on_unimplemented(
    message = "`merge = \"min\"` does not work on `{Self}`",
    label = "values of this type have no order",
    note = "`min` needs `PartialOrd`"
)]
pub trait MergeMin: Sized {
    /// The smaller of `theirs` and `ours`. If they have no order, as with NaN, it is `ours`.
    #[must_use]
    fn merge_min(base: Self, theirs: Self, ours: Self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: PartialOrd> MergeMin for T {
    fn merge_min(_base: Self, theirs: Self, ours: Self) -> Self {
        if theirs < ours { theirs } else { ours }
    }
}

/// Lists that grow at the end: `merge = "append"`. For `Vec`, `VecDeque` and `String`. A type of yours may implement it.
#[diagnostic::on_unimplemented(
    message = "`merge = \"append\"` does not work on `{Self}`",
    label = "nothing can be appended to this type",
    note = "`append` is for `Vec`, `VecDeque` and `String`; implement `MergeAppend` for `{Self}` or choose another rule"
)]
pub trait MergeAppend: Sized {
    /// `theirs`, then the items that we appended to `base`. If we replaced the list and they appended to it: `ours`, then
    /// their items. If both replaced it: `ours`.
    ///
    /// ```
    /// use http_session::merge::MergeAppend;
    ///
    /// assert_eq!(Vec::merge_append(vec![1], vec![1, 2], vec![1, 3]), [1, 2, 3]);
    /// ```
    #[must_use]
    fn merge_append(base: Self, theirs: Self, ours: Self) -> Self;
}

impl<T: PartialEq> MergeAppend for Vec<T> {
    fn merge_append(base: Self, mut theirs: Self, mut ours: Self) -> Self {
        if ours.starts_with(&base) {
            theirs.extend(ours.drain(base.len()..));
            theirs
        } else {
            if theirs.starts_with(&base) {
                ours.extend(theirs.drain(base.len()..));
            }
            ours
        }
    }
}

impl<T: PartialEq> MergeAppend for VecDeque<T> {
    fn merge_append(base: Self, theirs: Self, ours: Self) -> Self {
        Vec::merge_append(base.into(), theirs.into(), ours.into()).into()
    }
}

impl MergeAppend for String {
    fn merge_append(base: Self, mut theirs: Self, mut ours: Self) -> Self {
        if let Some(tail) = ours.strip_prefix(base.as_str()) {
            theirs.push_str(tail);
            theirs
        } else {
            if let Some(tail) = theirs.strip_prefix(base.as_str()) {
                ours.push_str(tail);
            }
            ours
        }
    }
}

/// Sets: `merge = "union"`. For `HashSet` and `BTreeSet`. A type of yours may implement it.
#[diagnostic::on_unimplemented(
    message = "`merge = \"union\"` does not work on `{Self}`",
    label = "this type is not a set",
    note = "`union` is for `HashSet` and `BTreeSet`; implement `MergeUnion` for `{Self}` or choose another rule"
)]
pub trait MergeUnion: Sized {
    /// The items that either request has, without those that either removed.
    ///
    /// ```
    /// use std::collections::BTreeSet;
    /// use http_session::merge::MergeUnion;
    ///
    /// // They added 3; we removed 1.
    /// let merged = BTreeSet::merge_union([1, 2].into(), [1, 2, 3].into(), [2].into());
    /// assert_eq!(merged, [2, 3].into());
    /// ```
    #[must_use]
    fn merge_union(base: Self, theirs: Self, ours: Self) -> Self;
}

impl<T: Eq + Hash, S: BuildHasher> MergeUnion for HashSet<T, S> {
    fn merge_union(base: Self, mut theirs: Self, ours: Self) -> Self {
        for removed in base.iter().filter(|item| !ours.contains(*item)) {
            theirs.remove(removed);
        }
        theirs.extend(ours.into_iter().filter(|item| !base.contains(item)));
        theirs
    }
}

impl<T: Ord> MergeUnion for BTreeSet<T> {
    fn merge_union(base: Self, mut theirs: Self, ours: Self) -> Self {
        for removed in base.iter().filter(|item| !ours.contains(*item)) {
            theirs.remove(removed);
        }
        theirs.extend(ours.into_iter().filter(|item| !base.contains(item)));
        theirs
    }
}

/// Maps whose keys merge separately: `merge = "keys"`. For `HashMap` and `BTreeMap`. A type of yours may implement it.
#[diagnostic::on_unimplemented(
    message = "`merge = \"keys\"` does not work on `{Self}`",
    label = "this type is not a map",
    note = "`keys` is for `HashMap` and `BTreeMap`; implement `MergeKeys` for `{Self}` or choose another rule"
)]
pub trait MergeKeys: Sized {
    /// `theirs`, with the keys that we inserted, changed or removed. If both changed the same key, ours wins.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use http_session::merge::MergeKeys;
    ///
    /// // They changed "a"; we inserted "b".
    /// let merged = BTreeMap::merge_keys([("a", 1)].into(), [("a", 2)].into(), [("a", 1), ("b", 5)].into());
    /// assert_eq!(merged, [("a", 2), ("b", 5)].into());
    /// ```
    #[must_use]
    fn merge_keys(base: Self, theirs: Self, ours: Self) -> Self;
}

impl<K: Eq + Hash, V: PartialEq, S: BuildHasher> MergeKeys for HashMap<K, V, S> {
    fn merge_keys(base: Self, mut theirs: Self, ours: Self) -> Self {
        for removed in base.keys().filter(|key| !ours.contains_key(*key)) {
            theirs.remove(removed);
        }
        theirs.extend(ours.into_iter().filter(|(key, value)| base.get(key) != Some(value)));
        theirs
    }
}

impl<K: Ord, V: PartialEq> MergeKeys for BTreeMap<K, V> {
    fn merge_keys(base: Self, mut theirs: Self, ours: Self) -> Self {
        for removed in base.keys().filter(|key| !ours.contains_key(*key)) {
            theirs.remove(removed);
        }
        theirs.extend(ours.into_iter().filter(|(key, value)| base.get(key) != Some(value)));
        theirs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn add_counts_both_and_saturates() {
        assert_eq!(u8::merge_add(5, 7, 6), 8);
        assert_eq!(u8::merge_add(5, 1, 2), 0);
        assert_eq!(i64::merge_add(0, i64::MAX, 1), i64::MAX);
        assert_eq!(u64::merge_add(0, u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(
            Duration::merge_add(Duration::from_secs(9), Duration::from_secs(5), Duration::from_secs(2)),
            Duration::ZERO
        );
    }

    #[test]
    fn append_joins_whichever_tail_was_added() {
        assert_eq!(Vec::merge_append(vec![1], vec![1, 2], vec![1, 3]), [1, 2, 3]);
        assert_eq!(Vec::merge_append(vec![1], vec![1, 2], vec![9]), [9, 2]);
        assert_eq!(Vec::merge_append(vec![1], vec![8], vec![9]), [9]);
        assert_eq!(String::merge_append("a".into(), "ab".into(), "ac".into()), "abc");
    }

    #[test]
    fn union_and_keys_honour_what_either_removed() {
        let set = |items: &[i32]| items.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(BTreeSet::merge_union(set(&[1, 2]), set(&[1, 2, 3]), set(&[2, 4])), set(&[2, 3, 4]));
        let map = |items: &[(i32, i32)]| items.iter().copied().collect::<BTreeMap<_, _>>();
        let merged =
            BTreeMap::merge_keys(map(&[(1, 1), (2, 2)]), map(&[(1, 9), (2, 2), (3, 3)]), map(&[(1, 1), (4, 4)]));
        assert_eq!(merged, map(&[(1, 9), (3, 3), (4, 4)]));
    }
}
