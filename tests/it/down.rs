//! R18: the store is down.

use http::{Request, Response, StatusCode};
use http_session::error::{SaveError, SessionRejection, StoreErrorKind};
use http_session::{
    Session, config::Activity, config::CommitOn, config::express::Resave, config::express::SaveUninitialized,
};

use crate::support::{Answer, Browser, Call, Events, Fault, Oops, Rig, Visit, Wiring, minutes, seconds};

fn faults() -> [Fault; 3] {
    [Fault::Error(StoreErrorKind::Unavailable), Fault::Hang, Fault::Panic]
}

#[tokio::test(start_paused = true)]
async fn r18_without_a_session_the_handler_does_not_run() {
    for fault in faults() {
        for is_instant in [true, false] {
            for wiring in [Wiring::Layer, Wiring::Service] {
                let rig = Rig { wiring, ..Rig::with(is_instant, |b| b.store_time_limit(seconds(2)).build()) };
                let browser = rig.signed_in("ada").await;
                rig.store.inner.fail(Call::Load, fault);
                let events = Events::capture();
                let started = tokio::time::Instant::now();
                let unreachable = async |_: Session<Visit>| -> () { panic!("the handler runs without a session") };
                let answer = rig.ask(&browser, unreachable).await;
                assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
                assert!(answer.set_cookies().is_empty());
                assert_eq!(answer.headers["vary"], "Cookie");
                assert_eq!(rig.store.take_names(), ["load"]);
                assert!(events.has("session"));
                let limit = if fault == Fault::Hang && !is_instant { seconds(2) } else { seconds(0) };
                assert_eq!(started.elapsed().as_secs(), limit.as_secs());
                rig.store.inner.heal();
                assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
            }
        }
    }
}

async fn can_do_without(request: Request<String>, session: Option<Session<Visit>>) -> Result<Response<String>, Oops> {
    drop(request);
    match session {
        Some(mut session) => {
            session.views += 1;
            Ok(Response::new(session.views.to_string()))
        }
        None => Ok(Response::new("without".to_owned())),
    }
}

#[tokio::test]
async fn r18_a_handler_with_an_optional_session_gets_none_and_nothing_is_written() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = rig.signed_in("ada").await;
        let before = rig.only_record().await;
        let service = rig.sessions.service(can_do_without);
        rig.store.inner.fail(Call::Load, Fault::Error(StoreErrorKind::Unavailable));
        let answer = browser.get_and_lose(&service, "/").await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "without"));
        assert!(answer.set_cookies().is_empty());
        assert_eq!(answer.headers["vary"], "Cookie");
        assert_eq!(rig.store.take_names(), ["load"]);
        rig.store.inner.heal();
        assert_eq!(rig.only_record().await, before);
        assert_eq!(browser.get_and_lose(&service, "/").await.text, "2");
    }
}

#[tokio::test]
async fn r18_a_store_that_recovers_during_the_request_does_not_change_its_outcome() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    rig.store.inner.fail(Call::Load, Fault::Error(StoreErrorKind::Unavailable));
    let faulty = rig.store.inner.clone();
    let work = move |request: crate::support::Request| {
        let faulty = faulty.clone();
        async move {
            let first = Session::<Visit>::extract(request.extensions()).await.err();
            faulty.heal();
            // Otherwise two parts of one request would see different sessions.
            let second = Session::<Visit>::extract(request.extensions()).await.err();
            assert_eq!([first, second], [Some(SessionRejection::StoreFailed); 2]);
        }
    };
    let answer = Answer::read(rig.raw(browser.request(http::Method::GET, "/"), work).await.unwrap()).await;
    assert!(answer.set_cookies().is_empty());
    assert_eq!(rig.store.take_names(), ["load"]);
}

#[tokio::test]
async fn r18_without_a_cookie_a_store_that_is_down_is_not_called() {
    let rig = Rig::new();
    rig.store.inner.fail(Call::Load, Fault::Error(StoreErrorKind::Unavailable));
    let answer = rig.ask(&Browser::default(), async |s: Session<Visit>| s.is_new().to_string()).await;
    assert_eq!(answer.text, "true");
    assert_eq!(rig.store.take_names(), [""; 0]);
}

/// What a request does, the store call that never answers, and the status that the manual promises.
const HANGING: [(&str, Call, u16); 10] = [
    ("reads", Call::Load, 503),
    ("writes", Call::Update, 503),
    ("rotates", Call::Update, 503),
    ("regenerates", Call::Insert, 503),
    ("regenerates", Call::Destroy, 503),
    ("touches", Call::Touch, 200),
    ("destroys", Call::Destroy, 503),
    ("awaits destroy", Call::Destroy, 503),
    ("awaits sign_out", Call::Update, 503),
    ("awaits save", Call::Update, 503),
];

async fn work(name: &'static str, mut s: Session<Visit>) {
    match name {
        "writes" => s.views = 9,
        "rotates" => s.rotate(),
        "regenerates" => s.regenerate(),
        "touches" => s.touch(),
        "destroys" => drop(s.destroy()),
        "awaits destroy" => assert!(s.destroy().await.is_err()),
        "awaits sign_out" => assert!(s.sign_out().await.is_err()),
        "awaits save" => {
            s.views = 9;
            assert!(s.save().await.is_err());
        }
        other => panic!("{other} without a session"),
    }
}

#[tokio::test(start_paused = true)]
async fn r18_a_store_that_hangs_in_a_call_does_not_hold_a_request() {
    for is_instant in [true, false] {
        for (name, call, status) in HANGING {
            let rig = Rig::with(is_instant, |b| b.store_time_limit(seconds(3)).build());
            let browser = rig.signed_in("ada").await;
            rig.store.inner.fail(call, Fault::Hang);
            let events = Events::capture();
            let started = tokio::time::Instant::now();
            let request = rig.ask(&browser, move |s: Session<Visit>| work(name, s));
            let answer = tokio::time::timeout(seconds(600), request).await.unwrap_or_else(|_| panic!("{name} hangs"));
            assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (status, 0), "{name}");
            let word = if is_instant { "session.store.waited" } else { "session.store.timed_out" };
            let limits = events.take().iter().filter(|line| line.starts_with(word)).count();
            assert!((1..=3).contains(&limits), "{name}: {limits}");
            // The time limit applies to each store call.
            let spent = if is_instant { 0 } else { 3 * limits as u64 };
            assert_eq!(started.elapsed().as_secs(), spent, "{name}");
            rig.store.inner.heal();
            assert!(rig.seen(&browser).await.starts_with("ada v1 "), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r18_a_store_that_hangs_does_not_hold_work_outside_requests() {
    let rig = Rig::with(false, |b| b.store_time_limit(seconds(3)).build());
    rig.signed_in("ada").await;
    let id = rig.ids().await.remove(0);
    let mut detached = rig.sessions.load::<Visit>(&id).await.unwrap().unwrap();
    let leaving = rig.sessions.load::<Visit>(&id).await.unwrap().unwrap();
    detached.views = 9;
    for call in [Call::Load, Call::Insert, Call::Update, Call::Touch, Call::Destroy] {
        rig.store.inner.fail(call, Fault::Hang);
    }
    let started = tokio::time::Instant::now();
    let unavailable = rig.sessions.load::<Visit>(&id).await.err().map(|error| error.kind());
    assert_eq!((unavailable, started.elapsed().as_secs()), (Some(StoreErrorKind::Unavailable), 3));
    let lost = rig.sessions.destroy(&id).await.err().map(|error| error.kind());
    assert_eq!((lost, started.elapsed().as_secs()), (Some(StoreErrorKind::Unknown), 6));
    assert!(matches!(detached.save().await, Err(SaveError::Store(error)) if error.kind() == StoreErrorKind::Unknown));
    assert_eq!(started.elapsed().as_secs(), 9);
    let lost = leaving.destroy().await.err().map(|error| error.kind());
    assert_eq!((lost, started.elapsed().as_secs()), (Some(StoreErrorKind::Unknown), 12));
}

/// This holds in every configuration, even in those that write or send a cookie with every request.
#[tokio::test]
async fn r18_while_the_session_could_not_be_loaded_nothing_is_written_and_no_cookie_is_set() {
    let eager = |is_instant| {
        Rig::with(is_instant, |b| {
            let b = b.resave(Resave::Always).save_uninitialized(SaveUninitialized::Always).touch_throttle(0);
            b.activity(Activity::Presented).commit_on(CommitOn::AnyStatus).max_age(minutes(60)).rolling().build()
        })
    };
    let kinds =
        [StoreErrorKind::Unavailable, StoreErrorKind::Corrupt, StoreErrorKind::Refused, StoreErrorKind::Unknown];
    for rig in [eager(true), eager(false), Rig::express(true, |b| b.build()), Rig::express(false, |b| b.build())] {
        let browser = rig.signed_in("ada").await;
        let before = rig.only_record().await;
        for kind in kinds {
            rig.store.inner.fail(Call::Load, Fault::Error(kind));
            let ignoring = async |request: crate::support::Request| {
                let rejection = Session::<Visit>::extract(request.extensions()).await.err();
                assert_eq!(rejection, Some(SessionRejection::StoreFailed));
            };
            let untouched = async |_: crate::support::Request| ();
            let request = || browser.request(http::Method::GET, "/");
            let service = rig.sessions.service(can_do_without);
            for answer in [
                Answer::read(rig.raw(request(), ignoring).await.unwrap()).await,
                Answer::read(rig.raw(request(), untouched).await.unwrap()).await,
                browser.get_and_lose(&service, "/").await,
            ] {
                assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 0));
                assert_eq!(answer.headers["vary"], "Cookie");
            }
            assert_eq!(rig.store.take_names(), ["load"; 3], "{kind:?}");
            rig.store.inner.heal();
            assert_eq!(rig.only_record().await, before);
        }
    }
}

#[tokio::test]
async fn r18_a_failed_touch_does_not_change_the_response() {
    for fault in [Fault::Error(StoreErrorKind::Unavailable), Fault::Panic] {
        let rig = Rig::with(true, |b| b.touch_throttle(0).build());
        let browser = rig.signed_in("ada").await;
        rig.store.inner.fail(Call::Touch, fault);
        let answer = rig.ask(&browser, async |s: Session<Visit>| s.views.to_string()).await;
        assert_eq!((answer.status, answer.text.as_str(), answer.set_cookies().len()), (StatusCode::OK, "1", 0));
        assert_eq!(rig.store.take_names(), ["load", "touch"]);
    }
}
