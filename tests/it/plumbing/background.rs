//! Handles that outlive the response, and sessions without a request.

use http::Method;
use http_session::error::SaveError;
use http_session::{Session, SessionId};

use crate::support::{Answer, Browser, Events, Request, Rig, Visit, minutes};

#[tokio::test]
async fn a_handle_that_is_still_alive_at_the_commit_is_reported_and_changes_nothing() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let (keep, kept) = std::sync::mpsc::channel();
    let events = Events::capture();
    rig.ask(&browser, async move |mut s: Session<Visit>| {
        s.views = 9;
        keep.send(s).unwrap();
    })
    .await;
    assert!(events.has("session.handle.alive"));
    let mut session = kept.recv().unwrap();
    session.views = 10;
    assert!(matches!(session.save().await, Err(SaveError::NoSession)));
    drop(session);
    assert!(events.has("session.handle.outlived"));
    assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
}

#[tokio::test]
async fn an_extractor_after_the_commit_says_so() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let (keep, kept) = std::sync::mpsc::channel();
    let work = move |request: Request| {
        let _ = keep.send(request.extensions().clone());
        async move { Session::<Visit>::extract(request.extensions()).await.unwrap().views = 2 }
    };
    rig.raw(browser.request(Method::GET, "/"), work).await.unwrap();
    let late = Session::<Visit>::extract(&kept.recv().unwrap()).await;
    assert_eq!(late.err(), Some(http_session::error::SessionRejection::Closed));
}

#[tokio::test]
async fn a_detached_session_saves_after_the_response() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let mut browser = rig.signed_in("ada").await;
        let (keep, kept) = std::sync::mpsc::channel();
        let detach = async move |mut s: Session<Visit>| {
            s.views = 2;
            keep.send(s.detach().expect("it is stored")).unwrap();
        };
        assert!(rig.visit(&mut browser, detach).await.set_cookies().is_empty());
        let mut detached = kept.recv().unwrap();
        rig.clock.advance(minutes(60));
        let before = rig.only_record().await.expires_in;
        detached.hits += 5;
        detached.notice = Some("done".to_owned());
        rig.visit(&mut browser, async |mut s: Session<Visit>| {
            s.passive();
            s.hits += 1;
        })
        .await;
        detached.save().await.unwrap();
        let record = rig.only_record().await;
        assert_eq!(record.fields.find("hits"), Some(b"6".as_slice()));
        assert_eq!(record.fields.find("views"), Some(b"2".as_slice()), "the handler's own change is stored");
        assert_eq!(record.fields.find("notice"), Some(b"\"done\"".as_slice()));
        assert_eq!(record.expires_in, before, "background work is not activity");
    }
}

#[tokio::test]
async fn r12_a_detached_session_never_signs_in_rotates_or_restores_a_session() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let id = rig.ids().await[0].clone();
    let mut signs_in = rig.sessions.load::<Visit>(&id).await.unwrap().unwrap();
    signs_in.user = Some("eve".to_owned());
    assert!(matches!(signs_in.save().await, Err(SaveError::IdentityPending)));
    let mut stale = rig.sessions.load::<Visit>(&id).await.unwrap().unwrap();
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.sign_in("bob".to_owned())).await;
    stale.notice = Some("for ada".to_owned());
    assert!(matches!(stale.save().await, Err(SaveError::Superseded)));
    let mut gone = rig.sessions.load::<Visit>(&id).await.unwrap().unwrap();
    rig.sessions.destroy(&id).await.unwrap();
    gone.views = 8;
    assert!(gone.save().await.is_err());
    rig.clock.advance(minutes(2));
    assert!(matches!(gone.save().await, Err(SaveError::Missing)));
    assert!(rig.ids().await.is_empty());
}

#[tokio::test]
async fn a_session_that_is_not_stored_cannot_be_detached() {
    let rig = Rig::new();
    let detach = async |s: Session<Visit>| s.detach().is_none().to_string();
    assert_eq!(rig.ask(&Browser::default(), detach).await.text, "true");
    let saved = async |mut s: Session<Visit>| {
        s.save().await.unwrap();
        s.detach().is_some().to_string()
    };
    assert_eq!(rig.ask(&Browser::default(), saved).await.text, "true");
}

#[tokio::test]
async fn a_session_is_loaded_and_destroyed_by_its_id() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let id = rig.visit(&mut browser, async |s: Session<Visit>| s.id().unwrap().as_str().to_owned()).await.text;
    let id = SessionId::try_from(id.as_str()).unwrap();
    let mut session = rig.sessions.load::<Visit>(&id).await.unwrap().unwrap();
    assert_eq!((session.user.as_deref(), session.id()), (Some("ada"), &id));
    session.views += 1;
    session.save().await.unwrap();
    session.save().await.unwrap();
    assert_eq!(rig.seen(&browser).await, "ada v2 [\"apple\"] dark");
    session.destroy().await.unwrap();
    assert!(rig.sessions.load::<Visit>(&id).await.unwrap().is_none());
    rig.sessions.destroy(&id).await.unwrap();
    let unknown = SessionId::try_from("unknown").unwrap();
    assert!(rig.sessions.load::<Visit>(&unknown).await.unwrap().is_none());
    assert_eq!(rig.seen(&browser).await, "none");
}

#[tokio::test]
async fn a_handlers_future_that_still_holds_its_handle_commits_it() {
    // The handle is still alive in the future that has just completed.
    struct Holding(Option<Session<Visit>>);
    impl Future for Holding {
        type Output = Result<http::Response<String>, crate::support::Oops>;
        fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
            self.0.as_mut().unwrap().views = 6;
            std::task::Poll::Ready(Ok(http::Response::default()))
        }
    }
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let service = rig.sessions.service(|_: Request, session: Session<Visit>| Holding(Some(session)));
    let response = hyper::service::Service::call(&service, browser.request(Method::GET, "/")).await.unwrap();
    Answer::read(response).await;
    assert_eq!(rig.seen(&browser).await, "ada v6 [\"apple\"] dark");
}
