//! Calls to an indexed store that fail or are dropped half-way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, StatusCode};
use http_session::error::{SaveError, StoreError, StoreErrorKind};
use http_session::record::{Epoch, Lifetime, Patch, RawJson, Record};
use http_session::store::{
    Destroyed, EnumerateSessions as _, ExpressFormat, Generation, IndexSessions, Inserted, Touched, Updated,
};
use http_session::{
    MemoryStore, Session, SessionConfig, SessionId, SessionStore, config::Lifetimes, config::express::SaveUninitialized,
};

use super::{Device, Sessions};
use crate::support::{Browser, Faulty, Request, Visit, minutes, poll_once, secret, settle, through};

/// An indexed store that can fail a `destroy` with an unknown result together with the load after it, and fail to read
/// one record.
#[derive(Clone, Default)]
struct Shaky {
    inner: MemoryStore,
    fails: Arc<Mutex<Fails>>,
}

#[derive(Default)]
struct Fails {
    destroy: bool,
    load: bool,
    unreadable: Option<SessionId>,
}

impl ExpressFormat for Shaky {}

impl SessionStore for Shaky {
    fn is_instant(&self) -> bool {
        true
    }

    async fn load(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        if std::mem::take(&mut self.fails.lock().unwrap().load) {
            return Err(StoreError::new(StoreErrorKind::Unavailable));
        }
        if self.fails.lock().unwrap().unreadable.as_ref() == Some(id) {
            return Err(StoreError::new(StoreErrorKind::Corrupt));
        }
        self.inner.load(id).await
    }

    async fn insert(&self, id: &SessionId, record: &Record, lifetime: Lifetime) -> Result<Inserted, StoreError> {
        self.inner.insert(id, record, lifetime).await
    }

    async fn update(&self, id: &SessionId, patch: &Patch, lifetime: Lifetime) -> Result<Updated, StoreError> {
        self.inner.update(id, patch, lifetime).await
    }

    async fn touch(&self, id: &SessionId, epoch: Epoch, lifetime: Lifetime) -> Result<Touched, StoreError> {
        self.inner.touch(id, epoch, lifetime).await
    }

    async fn destroy(&self, id: &SessionId, epoch: Option<Epoch>) -> Result<Destroyed, StoreError> {
        if std::mem::take(&mut self.fails.lock().unwrap().destroy) {
            self.fails.lock().unwrap().load = true;
            return Err(StoreError::new(StoreErrorKind::Unknown));
        }
        self.inner.destroy(id, epoch).await
    }
}

impl IndexSessions for Shaky {
    async fn generation(&self, identity: &RawJson) -> Result<Generation, StoreError> {
        self.inner.generation(identity).await
    }

    async fn raise_generation(&self, identity: &RawJson, generation: Generation) -> Result<(), StoreError> {
        self.inner.raise_generation(identity, generation).await
    }

    async fn linked(
        &self,
        identity: &RawJson,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.inner.linked(identity, after, limit).await
    }
}

/// Signs a user in from a new browser.
async fn signed_in<S: SessionStore>(sessions: &SessionConfig<S>, user: &str) -> Browser {
    let mut browser = Browser::default();
    let answer = through(sessions, browser.request(Method::GET, "/"), async |request: Request| {
        Session::<Visit>::extract(request.extensions()).await.unwrap().sign_in(user.to_owned());
    })
    .await;
    browser.keep(&answer);
    browser
}

// A handler that drops the call must not hand its changes over a second time afterwards.
#[tokio::test]
async fn r9_r28_changes_before_a_dropped_destroy_others_are_not_added_twice() {
    let memory = MemoryStore::new();
    let sessions = SessionConfig::builder().secret(secret()).store(Faulty::new(memory.clone())).indexed().build();
    let browser = signed_in(&sessions, "ada").await;
    let answer = through(&sessions, browser.request(Method::GET, "/"), async |request: Request| {
        let mut session = Session::<Visit>::extract(request.extensions()).await.unwrap();
        session.hits += 1;
        session.cart.push("pear".to_owned());
        assert!(poll_once(&mut Box::pin(sessions.destroy_others(&mut session))).is_pending());
        session.views += 1;
    })
    .await;
    assert_eq!(answer.status, StatusCode::OK);
    settle().await;
    let record = memory.load(&memory.ids(None, 1).await.unwrap().ids[0]).await.unwrap().unwrap();
    let fields = ["hits", "cart", "views"].map(|name| record.fields.find(name));
    assert_eq!(fields, [Some(b"1".as_slice()), Some(br#"["pear"]"#), Some(b"1")]);
}

// In the express format the session moves to another record first.
#[tokio::test]
async fn r12_r28_a_failed_move_by_destroy_others_leaves_no_second_record() {
    let store = Shaky::default();
    let sessions = SessionConfig::express().secret(secret()).store(store.clone()).indexed();
    let sessions = sessions.save_uninitialized(SaveUninitialized::Never).build();
    let browser = signed_in(&sessions, "ada").await;
    through(&sessions, browser.request(Method::GET, "/"), async |request: Request| {
        let mut session = Session::<Visit>::extract(request.extensions()).await.unwrap();
        store.fails.lock().unwrap().destroy = true;
        let error = sessions.destroy_others(&mut session).await.unwrap_err();
        assert!(matches!(error, SaveError::Store(_)), "{error:?}");
    })
    .await;
    assert_eq!(
        store.inner.len().await.unwrap(),
        1,
        "only one signed-in record may be left, since the other has no cookie"
    );
}

#[tokio::test]
async fn r28_an_unreadable_record_does_not_keep_other_sessions_alive() {
    let store = Shaky::default();
    let sessions = SessionConfig::builder().secret(secret()).store(store.clone()).indexed().build();
    for _ in 0..3 {
        signed_in(&sessions, "ada").await;
    }
    let ids = store.inner.ids(None, 3).await.unwrap().ids;
    store.fails.lock().unwrap().unreadable = Some(ids[1].clone());
    let error = sessions.destroy_all_of::<Visit>(&"ada".to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert_eq!(store.inner.ids(None, 3).await.unwrap().ids, ids[1..2]);
}

// A configuration without an index cannot tell whether a ticket is still valid.
#[tokio::test]
async fn r28_a_ticket_is_refused_without_an_index() {
    let all = Sessions::native();
    let plain = SessionConfig::builder().secret(secret()).store(all.store.clone()).clock(all.clock.clone()).build();
    let answer = through(&plain, Browser::default().request(Method::GET, "/"), async |request: Request| {
        let mut session = Session::<Device>::extract(request.extensions()).await.unwrap();
        let ticket = all.sessions.ticket("ada".to_owned()).await.unwrap();
        all.sessions.destroy_all_of::<Device>(&"ada".to_owned()).await.unwrap();
        session.sign_in_with(ticket);
    })
    .await;
    assert_eq!((answer.status, all.store.len().await.unwrap()), (StatusCode::CONFLICT, 0));
}

// Only stored lifetimes decide how long the record lives.
#[tokio::test]
async fn r7_r28_destroy_others_does_not_use_lifetimes_that_the_response_discards() {
    const DAY: Duration = minutes(24 * 60);
    for open in super::BOTH {
        let all = open();
        let mut browser = all.sign_in("ada", "here").await;
        all.visit(&mut browser, async |mut s| {
            s.set_lifetimes(Lifetimes::new(20 * DAY, 90 * DAY));
            all.sessions.destroy_others(&mut s).await.unwrap();
            s.device = "x".repeat(100_000);
        })
        .await;
        let ada = all.sessions.sessions_of::<Device>(&"ada".to_owned()).await.unwrap();
        assert_eq!(ada.iter().map(|session| session.expires_in()).collect::<Vec<_>>(), [DAY]);
    }
}
