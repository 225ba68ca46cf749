//! The faults E1 to E12, which were found by running other session libraries. This library must not have them.

use http::{Method, StatusCode};
use http_session::Session;
use http_session::error::StoreErrorKind;

use crate::concurrency::interleave;
use crate::support::{Browser, Call, Fault, Request, Rig, Visit, minutes, poll_once, settle};

#[tokio::test]
async fn e1_two_requests_change_different_fields_and_both_win() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = rig.signed_in("ada").await;
        let views = async |mut s: Session<Visit>| s.views = 9;
        let theme = async |mut s: Session<Visit>| s.theme = "light".to_owned();
        interleave(&rig, &browser, views, theme).await;
        assert_eq!(rig.seen(&browser).await, "ada v9 [\"apple\"] light");
    }
}

#[tokio::test]
async fn e2_a_slow_writer_does_not_bring_back_a_session_that_was_destroyed() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = rig.signed_in("ada").await;
        let write = async |mut s: Session<Visit>| s.views = 9;
        let leave = async |s: Session<Visit>| drop(s.destroy().await);
        let (slow, _) = interleave(&rig, &browser, write, leave).await;
        assert!(slow.set_cookies().is_empty());
        assert!(rig.ids().await.is_empty());
        assert_eq!(rig.seen(&browser).await, "none");
        rig.clock.advance(minutes(2));
        assert_eq!(rig.seen(&browser).await, "none");
    }
}

#[tokio::test]
async fn e2_a_slow_writer_does_not_undo_a_sign_out() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = rig.signed_in("ada").await;
        let write = async |mut s: Session<Visit>| {
            s.views = 9;
            s.save().await.is_err().to_string()
        };
        let leave = async |mut s: Session<Visit>| drop(s.sign_out().await);
        let (slow, _) = interleave(&rig, &browser, write, leave).await;
        assert_eq!((slow.text.as_str(), slow.set_cookies().len()), ("true", 0));
        let record = rig.only_record().await;
        assert_eq!((record.identity, record.fields.find("views")), (None, None));
    }
}

#[tokio::test]
async fn e3_a_message_after_a_logout_is_not_stored_under_the_old_cookie() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let old = browser.clone();
    let leave = async |mut s: Session<Visit>| {
        let _ = s.sign_out().await;
        s.notice = Some("bye".to_owned());
    };
    rig.visit(&mut browser, leave).await;
    let notice = async |s: Session<Visit>| format!("{:?} {:?}", s.user, s.notice);
    assert_eq!(rig.ask(&browser, notice).await.text, "None Some(\"bye\")");
    assert_eq!(rig.ask(&old, notice).await.text, "None None");
}

#[tokio::test]
async fn e3_another_handle_cannot_write_after_destroy() {
    for awaited in [true, false] {
        let rig = Rig::new();
        let browser = rig.signed_in("ada").await;
        let work = move |request: Request| async move {
            let mut other = Session::<Visit>::extract(request.extensions()).await.unwrap();
            let session = Session::<Visit>::extract(request.extensions()).await.unwrap();
            other.views = 8;
            if awaited {
                session.destroy().await.unwrap();
            } else {
                drop(session.destroy());
            }
            other.notice = Some("bye".to_owned());
            format!("{:?}", other.save().await.is_err())
        };
        let answer = rig.raw(browser.request(Method::GET, "/"), work).await.unwrap();
        assert!(answer.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
        assert!(rig.ids().await.is_empty());
    }
}

#[tokio::test]
async fn e4_a_rotation_that_is_not_committed_loses_nothing() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = rig.signed_in("ada").await;
        let fails = async |mut s: Session<Visit>| {
            s.rotate();
            s.views = 9;
            StatusCode::INTERNAL_SERVER_ERROR
        };
        assert!(rig.ask(&browser, fails).await.set_cookies().is_empty());
        assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
        let mut gone = rig.start(browser.request(Method::GET, "/"), async |mut s: Session<Visit>| {
            s.rotate();
            std::future::pending::<()>().await;
        });
        assert!(poll_once(&mut gone).is_pending() && poll_once(&mut gone).is_pending());
        drop(gone);
        settle().await;
        assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
    }
}

fn panic_as_planned() -> StatusCode {
    std::panic::resume_unwind(Box::new("as planned"))
}

#[tokio::test]
async fn e4_a_panic_loses_only_this_requests_changes() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = rig.signed_in("ada").await;
        let panics = rig.start(browser.request(Method::GET, "/"), async |mut s: Session<Visit>| {
            s.rotate();
            s.views = 9;
            panic_as_planned()
        });
        let local = tokio::task::LocalSet::new();
        assert!(local.run_until(async { tokio::task::spawn_local(panics).await }).await.is_err_and(|e| e.is_panic()));
        settle().await;
        assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
    }
}

#[tokio::test]
async fn e5_a_store_that_fails_on_save_is_a_clear_503() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    rig.store.inner.fail(Call::Update, Fault::Error(StoreErrorKind::Unavailable));
    let answer = rig.ask(&browser, async |mut s: Session<Visit>| s.views = 9).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (503, "the session store is unavailable"));
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn e6_a_client_cannot_choose_its_session() {
    let rig = Rig::new();
    for value in ["attackerchosen", "kUeB2YVgRXuVqz1nXbW3oA", ""] {
        let mut browser = Browser::default();
        browser.set_cookie("__Host-sid", value.to_owned());
        rig.visit(&mut browser, async |mut s: Session<Visit>| s.views = 1).await;
        assert!(!browser.cookie("__Host-sid").unwrap().contains("attacker"));
    }
    assert!(rig.ids().await.iter().all(|id| !["attackerchosen", "kUeB2YVgRXuVqz1nXbW3oA"].contains(&id.as_str())));
    assert_eq!(rig.ids().await.len(), 3);
}

#[tokio::test]
async fn e7_a_load_that_fails_once_overwrites_nothing() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let mut browser = rig.signed_in("ada").await;
        let before = rig.only_record().await;
        rig.store.inner.fail(Call::Load, Fault::Error(StoreErrorKind::Unavailable));
        let answer = rig.visit(&mut browser, async |mut s: Session<Visit>| s.views = 0).await;
        assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (503, 0));
        rig.store.inner.heal();
        assert_eq!(rig.only_record().await, before);
        assert_eq!(rig.store.take_names(), ["load"]);
        assert_eq!(rig.seen(&browser).await, "ada v1 [\"apple\"] dark");
    }
}

#[tokio::test]
async fn e8_two_processes_see_each_others_writes_at_once_and_overwrite_none() {
    let a = Rig::new();
    let b = a.another(|b| b.build());
    let mut browser = a.signed_in("ada").await;
    b.visit(&mut browser, async |s: Session<Visit>| assert_eq!(s.views, 1)).await;
    a.visit(&mut browser, async |mut s: Session<Visit>| s.views = 2).await;
    let write = async |mut s: Session<Visit>| {
        assert_eq!(s.views, 2);
        s.theme = "light".to_owned();
    };
    b.visit(&mut browser, write).await;
    assert_eq!(a.seen(&browser).await, "ada v2 [\"apple\"] light");
    a.visit(&mut browser, async |s: Session<Visit>| drop(s.destroy().await)).await;
    assert!(b.ids().await.is_empty());
}

#[tokio::test]
async fn e8_concurrent_requests_to_two_processes_both_win() {
    for is_instant in [true, false] {
        let a = Rig::with(is_instant, |b| b.build());
        let b = a.another(|b| b.build());
        let browser = a.signed_in("ada").await;
        let slow = a.start(browser.request(Method::GET, "/"), async |mut s: Session<Visit>| {
            settle().await;
            s.hits += 1;
            s.views = 9;
        });
        let quick = async {
            let change = async |mut s: Session<Visit>| {
                s.hits += 1;
                s.theme = "light".to_owned();
            };
            b.ask(&browser, change).await
        };
        let (slow, quick) = tokio::join!(slow, quick);
        assert!(slow.unwrap().status().is_success() && quick.status.is_success());
        assert_eq!(a.seen(&browser).await, "ada v9 [\"apple\"] light");
        assert_eq!(b.only_record().await.fields.find("hits"), Some(b"2".as_slice()));
    }
}

#[tokio::test]
async fn e9_after_a_cancelled_request_a_session_can_still_be_destroyed() {
    let rig = Rig::with(false, |b| b.build());
    let mut browser = rig.signed_in("ada").await;
    let old = browser.clone();
    for polls in 1..=4 {
        let mut cancelled = rig.start(old.request(Method::GET, "/"), async |mut s: Session<Visit>| {
            s.views += 1;
            s.save().await.unwrap();
            std::future::pending::<()>().await;
        });
        for _ in 0..polls {
            assert!(poll_once(&mut cancelled).is_pending());
        }
        drop(cancelled);
    }
    rig.visit(&mut browser, async |s: Session<Visit>| drop(s.destroy().await)).await;
    settle().await;
    assert!(rig.ids().await.is_empty());
    assert_eq!(rig.seen(&old).await, "none");
}

#[tokio::test]
async fn e10_a_host_cookie_is_found_under_the_name_it_was_sent_with() {
    let rig = Rig::new();
    let mut browser = Browser::default();
    let count = async |mut s: Session<Visit>| {
        s.views += 1;
        s.views.to_string()
    };
    for text in ["1", "2", "3"] {
        assert_eq!(rig.visit(&mut browser, count).await.text, text);
    }
    assert_eq!(browser.cookie_names().collect::<Vec<_>>(), ["__Host-sid"]);
    let removed = rig.visit(&mut browser, async |s: Session<Visit>| drop(s.destroy().await)).await;
    let line = removed.set_cookies()[0];
    assert!(line.starts_with("__Host-sid=;") && line.contains("Secure") && line.contains("Path=/"));
    assert!(!line.contains("Domain"));
}

impl Visit {
    fn count(&mut self) {
        self.views += 1;
    }
}

#[tokio::test]
async fn e11_every_way_of_changing_a_value_is_noticed() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.count()).await;
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.cart.iter_mut().for_each(|item| item.push('s'))).await;
    rig.visit(&mut browser, async |mut s: Session<Visit>| s.theme.make_ascii_uppercase()).await;
    assert_eq!(rig.seen(&browser).await, "ada v2 [\"apples\"] DARK");
    rig.visit(&mut browser, async |mut s: Session<Visit>| drop(std::mem::take(&mut s.cart))).await;
    let swap = async |mut s: Session<Visit>| {
        let visit: &mut Visit = &mut s;
        let mut views = 7;
        std::mem::swap(&mut visit.views, &mut views);
        views.to_string()
    };
    assert_eq!(rig.visit(&mut browser, swap).await.text, "2");
    assert_eq!(rig.seen(&browser).await, "ada v7 [] DARK");
}

#[tokio::test]
async fn e12_an_equal_value_is_no_change() {
    let rig = Rig::new();
    let mut browser = rig.signed_in("ada").await;
    let before = rig.only_record().await;
    let same = async |mut s: Session<Visit>| {
        s.views = 1;
        s.cart = vec!["apple".to_owned()];
        s.theme = "dark".to_owned();
        s.user = Some("ada".to_owned());
        s.notice = None;
    };
    assert!(rig.visit(&mut browser, same).await.set_cookies().is_empty());
    assert_eq!(rig.store.take_names(), ["load"]);
    assert_eq!(rig.only_record().await, before);
    // A new session with only default values is not stored either.
    let answer = rig.ask(&Browser::default(), async |mut s: Session<Visit>| s.views = 0).await;
    assert!(answer.set_cookies().is_empty());
    assert_eq!(rig.ids().await.len(), 1);
}

#[tokio::test]
async fn e12_a_map_in_another_order_and_another_spelling_of_a_number_are_equal() {
    #[derive(Session)]
    struct Loose {
        map: std::collections::HashMap<String, f64>,
        views: u64,
    }
    let rig = Rig::new();
    let mut browser = Browser::default();
    let begin = async |mut s: Session<Loose>| s.map.extend((0..20).map(|n| (n.to_string(), f64::from(n))));
    rig.visit(&mut browser, begin).await;
    rig.visit(&mut browser, async |_: Session<Loose>| ()).await;
    rig.store.take_calls();
    let rebuild = async |mut s: Session<Loose>| {
        let map = s.map.drain().collect::<Vec<_>>();
        s.map = map.into_iter().rev().collect();
    };
    for _ in 0..5 {
        rig.visit(&mut browser, rebuild).await;
        assert_eq!(rig.store.take_names(), ["load"]);
    }
}
