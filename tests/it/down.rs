//! R18: the store is down.

use http::{Request, Response, StatusCode};
use http_session::Session;
use http_session::error::{SessionRejection, StoreErrorKind};

use crate::support::{Answer, Browser, Call, Entry, Events, Fault, Oops, Rig, Visit, seconds};

fn faults() -> [Fault; 3] {
    [Fault::Error(StoreErrorKind::Unavailable), Fault::Hang, Fault::Panic]
}

#[tokio::test(start_paused = true)]
async fn r18_no_session_no_handler() {
    for fault in faults() {
        for is_instant in [true, false] {
            for entry in [Entry::Layer, Entry::Service] {
                let rig = Rig { entry, ..Rig::with(is_instant, |b| b.store_timeout(seconds(2)).build()) };
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
async fn r18_a_handler_that_can_do_without_gets_none_and_nothing_is_written() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = rig.signed_in("ada").await;
        let before = rig.only_row().await;
        let service = rig.sessions.service(can_do_without);
        rig.store.inner.fail(Call::Load, Fault::Error(StoreErrorKind::Unavailable));
        let answer = browser.get_and_lose(&service, "/").await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "without"));
        assert!(answer.set_cookies().is_empty());
        assert_eq!(answer.headers["vary"], "Cookie");
        assert_eq!(rig.store.take_names(), ["load"]);
        rig.store.inner.heal();
        assert_eq!(rig.only_row().await, before);
        assert_eq!(browser.get_and_lose(&service, "/").await.text, "2");
    }
}

#[tokio::test]
async fn r18_a_store_that_comes_back_within_the_request_does_not_help() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    rig.store.inner.fail(Call::Load, Fault::Error(StoreErrorKind::Unavailable));
    let faulty = rig.store.inner.clone();
    let work = move |request: crate::support::Request| {
        let faulty = faulty.clone();
        async move {
            let first = Session::<Visit>::extract(request.extensions()).await.err();
            faulty.heal();
            // Else two parts of one request would see different sessions.
            let second = Session::<Visit>::extract(request.extensions()).await.err();
            assert_eq!([first, second], [Some(SessionRejection::StoreFailed); 2]);
        }
    };
    let answer = Answer::read(rig.raw(browser.request(http::Method::GET, "/"), work).await.unwrap()).await;
    assert!(answer.set_cookies().is_empty());
    assert_eq!(rig.store.take_names(), ["load"]);
}

#[tokio::test]
async fn r18_without_a_cookie_a_store_that_is_down_is_not_asked() {
    let rig = Rig::new();
    rig.store.inner.fail(Call::Load, Fault::Error(StoreErrorKind::Unavailable));
    let answer = rig.ask(&Browser::default(), async |s: Session<Visit>| s.is_new().to_string()).await;
    assert_eq!(answer.text, "true");
    assert_eq!(rig.store.take_names(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn r18_every_call_to_the_store_has_a_time_limit() {
    let rig = Rig::with(false, |b| b.store_timeout(seconds(3)).build());
    let browser = rig.signed_in("ada").await;
    let id = rig.ids().await[0].clone();
    for call in [Call::Load, Call::Insert, Call::Update, Call::Touch, Call::Destroy] {
        rig.store.inner.fail(call, Fault::Hang);
    }
    let within = async |name: &str, limit: u64, work: std::pin::Pin<Box<dyn Future<Output = bool>>>| {
        let started = tokio::time::Instant::now();
        assert!(tokio::time::timeout(seconds(60), work).await.expect("a limit"), "{name} is an error");
        assert!(started.elapsed() <= seconds(limit), "{name}");
    };
    let sessions = rig.sessions.clone();
    let (a, b, c) = (id.clone(), sessions.clone(), sessions.clone());
    within("load", 3, Box::pin(async move { sessions.load::<Visit>(&a).await.is_err() })).await;
    within("destroy", 3, Box::pin(async move { b.destroy(&id).await.is_err() })).await;
    drop(c);
    let (other, rig_too) = (browser.clone(), rig.clone());
    let asks = async move { rig_too.ask(&other, async |_: Session<Visit>| ()).await.status.as_u16() == 503 };
    within("a request", 3, Box::pin(asks)).await;
    let rig_too = rig.clone();
    let inserts = async move {
        rig_too.ask(&Browser::default(), async |mut s: Session<Visit>| s.views = 1).await.status.as_u16() == 503
    };
    // The write, and the load that settles it.
    within("an insert", 6, Box::pin(inserts)).await;
}

#[tokio::test]
async fn r18_a_failed_touch_leaves_the_response_alone() {
    for fault in [Fault::Error(StoreErrorKind::Unavailable), Fault::Panic] {
        let rig = Rig::with(true, |b| b.touch_throttle(0).build());
        let browser = rig.signed_in("ada").await;
        rig.store.inner.fail(Call::Touch, fault);
        let answer = rig.ask(&browser, async |s: Session<Visit>| s.views.to_string()).await;
        assert_eq!((answer.status, answer.text.as_str(), answer.set_cookies().len()), (StatusCode::OK, "1", 0));
        assert_eq!(rig.store.take_names(), ["load", "touch"]);
    }
}
