//! Merge rules across concurrent requests.

use std::collections::{BTreeMap, BTreeSet};

use http_session::Session;
use http_session::error::SaveError;

use super::interleave;
use crate::support::{Browser, Request, Rig, Visit};

#[derive(Session)]
struct Shared {
    #[session(merge = "add")]
    sum: i64,
    #[session(merge = "max")]
    high: u32,
    #[session(merge = "min", default = 100)]
    low: u32,
    #[session(merge = "append")]
    list: Vec<u8>,
    #[session(merge = "union")]
    set: BTreeSet<u8>,
    #[session(merge = "keys")]
    map: BTreeMap<String, u8>,
    #[session(merge = "longest")]
    note: String,
    #[session(merge = "reject")]
    state: Option<String>,
    last: u8,
}

fn longest(_: String, theirs: String, ours: String) -> String {
    if theirs.len() > ours.len() { theirs } else { ours }
}

async fn begin(rig: &Rig) -> Browser {
    let mut browser = Browser::default();
    rig.visit(&mut browser, async |mut s: Session<Shared>| {
        (s.sum, s.high, s.low, s.last) = (10, 10, 50, 1);
        s.list = vec![1];
        s.set = BTreeSet::from([1, 2]);
        s.map = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
        s.note = "n".to_owned();
    })
    .await;
    browser
}

async fn all(rig: &Rig, browser: &Browser) -> String {
    let show = async |s: Session<Shared>| {
        format!(
            "{} {} {} {:?} {:?} {:?} {} {:?} {}",
            s.sum, s.high, s.low, s.list, s.set, s.map, s.note, s.state, s.last
        )
    };
    rig.ask(browser, show).await.text
}

#[tokio::test]
async fn r9_each_field_is_merged_by_its_rule() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = begin(&rig).await;
        let first = async |mut s: Session<Shared>| {
            s.sum += 5;
            s.high = 11;
            s.low = 40;
            s.list.push(2);
            s.set.remove(&1);
            s.map.insert("c".to_owned(), 3);
            s.note = "long note".to_owned();
            s.last = 2;
        };
        let second = async |mut s: Session<Shared>| {
            s.sum -= 2;
            s.high = 12;
            s.low = 45;
            s.list.push(3);
            s.set.insert(3);
            s.map.remove("a");
            s.note = "longer note".to_owned();
            s.last = 3;
        };
        let (slow, quick) = interleave(&rig, &browser, first, second).await;
        assert_eq!((slow.status.as_u16(), quick.status.as_u16()), (200, 200));
        let expected = "13 12 40 [1, 3, 2] {2, 3} {\"b\": 2, \"c\": 3} longer note None 2";
        assert_eq!(all(&rig, &browser).await, expected);
    }
}

#[tokio::test]
async fn r9_changes_saved_within_a_request_count_once() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = begin(&rig).await;
        let first = async |mut s: Session<Shared>| {
            s.sum += 5;
            s.list.push(2);
            s.save().await.unwrap();
            s.sum += 1;
            s.list.push(4);
            s.save().await.unwrap();
            s.save().await.unwrap();
        };
        let second = async |mut s: Session<Shared>| {
            s.sum += 100;
            s.list.push(3);
        };
        interleave(&rig, &browser, first, second).await;
        assert!(all(&rig, &browser).await.starts_with("116 10 50 [1, 3, 2, 4]"), "{}", all(&rig, &browser).await);
    }
}

#[tokio::test]
async fn r9_a_rejected_field_fails_the_whole_commit_with_a_409() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = begin(&rig).await;
        let state = |value: &'static str| {
            async move |mut s: Session<Shared>| {
                s.state = Some(value.to_owned());
                s.sum += 1;
            }
        };
        let (slow, quick) = interleave(&rig, &browser, state("first"), state("second")).await;
        assert_eq!((slow.status.as_u16(), quick.status.as_u16()), (409, 200));
        assert!(all(&rig, &browser).await.starts_with("11 "), "a rejected field rejects the other changes too");
        assert!(all(&rig, &browser).await.ends_with("Some(\"second\") 1"));
    }
}

#[tokio::test]
async fn r9_a_change_of_another_field_is_no_conflict_for_a_rejecting_field() {
    let rig = Rig::new();
    let browser = begin(&rig).await;
    let other = async |mut s: Session<Shared>| s.sum += 1;
    let state = async |mut s: Session<Shared>| s.state = Some("x".to_owned());
    let (slow, _) = interleave(&rig, &browser, state, other).await;
    assert_eq!(slow.status.as_u16(), 200, "another field causes no conflict");
}

#[tokio::test]
async fn r9_a_hundred_concurrent_requests_lose_no_count() {
    for is_instant in [true, false] {
        let rig = Rig::with(is_instant, |b| b.build());
        let browser = begin(&rig).await;
        let local = tokio::task::LocalSet::new();
        for n in 0..100_u8 {
            let (rig, browser) = (rig.clone(), browser.clone());
            local.spawn_local(async move {
                let work = async move |mut s: Session<Shared>| {
                    tokio::task::yield_now().await;
                    s.sum += 1;
                    s.set.insert(n);
                };
                assert_eq!(rig.ask(&browser, work).await.status.as_u16(), 200);
            });
        }
        local.await;
        let count = async |s: Session<Shared>| format!("{} {}", s.sum, s.set.len());
        assert_eq!(rig.ask(&browser, count).await.text, "110 100");
    }
}

#[tokio::test]
async fn r9_handles_of_one_request_follow_the_same_merge_rules() {
    let rig = Rig::new();
    let browser = begin(&rig).await;
    let work = async |request: Request| {
        let mut first = Session::<Shared>::extract(request.extensions()).await.unwrap();
        let mut second = Session::<Shared>::extract(request.extensions()).await.unwrap();
        first.sum += 1;
        second.sum += 2;
        first.list.push(2);
        second.list.push(3);
        first.last = 8;
        second.high = 99;
        drop(second);
        drop(first);
    };
    rig.raw(browser.request(http::Method::GET, "/"), work).await.unwrap();
    assert_eq!(rig.store.take_names()[1..], ["load", "update"]);
    assert!(all(&rig, &browser).await.starts_with("13 99 50 [1, 3, 2]"), "{}", all(&rig, &browser).await);
    assert!(all(&rig, &browser).await.ends_with(" 8"));
}

#[tokio::test]
async fn r9_two_handles_that_change_a_rejecting_field_conflict() {
    let rig = Rig::new();
    let browser = begin(&rig).await;
    let work = async |request: Request| {
        let mut first = Session::<Shared>::extract(request.extensions()).await.unwrap();
        let mut second = Session::<Shared>::extract(request.extensions()).await.unwrap();
        first.state = Some("a".to_owned());
        second.state = Some("b".to_owned());
    };
    let answer = rig.raw(browser.request(http::Method::GET, "/"), work).await.unwrap();
    assert_eq!(answer.status().as_u16(), 409);
    assert!(all(&rig, &browser).await.ends_with("None 1"));
}

#[tokio::test]
async fn r4_changes_are_not_merged_across_a_change_of_identity() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let add = async |mut s: Session<Visit>| {
        s.hits += 5;
        matches!(s.save().await, Err(SaveError::Superseded)).to_string()
    };
    let switch = async |mut s: Session<Visit>| s.sign_in("bob".to_owned());
    let (slow, _) = interleave(&rig, &browser, add, switch).await;
    assert_eq!(slow.text, "true");
    assert_eq!(rig.only_record().await.fields.find("hits"), None);
}
