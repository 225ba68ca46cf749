//! A pointer to a store is a store of the same capabilities.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::{Destroyed, Inserted, Touched, Updated};
use crate::enumerate::EnumerateSessions;
use crate::error::StoreError;
use crate::id::SessionId;
use crate::index::{Generation, IndexSessions, Indexed};
use crate::page::{Cursor, Page};
use crate::record::{Epoch, Lifetime, Patch, RawJson, Record};
use crate::session_store::{ExpressFormat, SessionStore};

type StoreResult<T> = Result<T, StoreError>;

// Every method is written out, the provided ones too: a default would answer for the pointer instead of the store.
macro_rules! delegates {
    ($pointer:ident) => {
        #[diagnostic::do_not_recommend]
        impl<S: SessionStore> SessionStore for $pointer<S> {
            fn load(&self, id: &SessionId) -> impl Future<Output = StoreResult<Option<Record>>> + Send {
                S::load(self, id)
            }

            fn is_instant(&self) -> bool {
                S::is_instant(self)
            }

            fn can_touch(&self) -> bool {
                S::can_touch(self)
            }

            fn insert(
                &self,
                id: &SessionId,
                record: &Record,
                lifetime: Lifetime,
            ) -> impl Future<Output = StoreResult<Inserted>> + Send {
                S::insert(self, id, record, lifetime)
            }

            fn update(
                &self,
                id: &SessionId,
                patch: &Patch,
                lifetime: Lifetime,
            ) -> impl Future<Output = StoreResult<Updated>> + Send {
                S::update(self, id, patch, lifetime)
            }

            fn touch(
                &self,
                id: &SessionId,
                epoch: Epoch,
                lifetime: Lifetime,
            ) -> impl Future<Output = StoreResult<Touched>> + Send {
                S::touch(self, id, epoch, lifetime)
            }

            fn destroy(
                &self,
                id: &SessionId,
                epoch: Option<Epoch>,
            ) -> impl Future<Output = StoreResult<Destroyed>> + Send {
                S::destroy(self, id, epoch)
            }
        }

        #[diagnostic::do_not_recommend]
        impl<S: ExpressFormat> ExpressFormat for $pointer<S> {}

        #[diagnostic::do_not_recommend]
        impl<S: EnumerateSessions> EnumerateSessions for $pointer<S> {
            fn len(&self) -> impl Future<Output = StoreResult<usize>> + Send {
                S::len(self)
            }

            fn ids(&self, from: Option<&Cursor>, limit: usize) -> impl Future<Output = StoreResult<Page>> + Send {
                S::ids(self, from, limit)
            }

            fn clear(&self) -> impl Future<Output = StoreResult<()>> + Send {
                S::clear(self)
            }
        }

        #[diagnostic::do_not_recommend]
        impl<S: IndexSessions> IndexSessions for $pointer<S> {
            fn generation(&self, identity: &RawJson) -> impl Future<Output = StoreResult<Generation>> + Send {
                S::generation(self, identity)
            }

            fn raise_generation(
                &self,
                identity: &RawJson,
                generation: Generation,
            ) -> impl Future<Output = StoreResult<()>> + Send {
                S::raise_generation(self, identity, generation)
            }

            fn linked(
                &self,
                identity: &RawJson,
                after: Option<&SessionId>,
                limit: usize,
            ) -> impl Future<Output = StoreResult<Vec<SessionId>>> + Send {
                S::linked(self, identity, after, limit)
            }

            fn link(
                &self,
                identity: &RawJson,
                id: &SessionId,
                lifetime: Duration,
            ) -> impl Future<Output = StoreResult<Generation>> + Send {
                S::link(self, identity, id, lifetime)
            }

            fn unlink(&self, identity: &RawJson, id: &SessionId) -> impl Future<Output = StoreResult<()>> + Send {
                S::unlink(self, identity, id)
            }
        }
    };
}

delegates!(Arc);
delegates!(Indexed);
