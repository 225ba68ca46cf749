//! Stands in for `numbers` without the feature `metrics`: counts nothing and reads no clock.

use std::marker::PhantomData;

use http_session_store::clock::Clock;

pub(crate) const fn describe() {}

pub(super) const fn load(_: &'static str) {}

pub(super) const fn commit(_: &'static str, _: &'static str) {}

pub(super) const fn store(_: &'static str, _: &'static str, _: &Stopwatch<'_>) {}

pub(crate) struct Stopwatch<'a>(PhantomData<&'a dyn Clock>);

impl<'a> Stopwatch<'a> {
    pub(crate) const fn start(_: &'a dyn Clock) -> Self {
        Self(PhantomData)
    }
}
