//! Random bytes in cookies and records. There is never a panic, and a bad cookie never gives a 5xx.

use http::header::{COOKIE, HeaderValue};
use http::{Method, StatusCode};
use http_session::SessionData;
use http_session::record::{Fields, Keep, Lifetime, RawJson, Record};
use http_session::{Session, SessionStore as _};
use proptest::prelude::*;

use crate::support::{Answer, Browser, Rig, Visit, minutes};

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

async fn with_cookies(rig: &Rig, lines: &[HeaderValue]) -> Answer {
    let mut request = Browser::default().request(Method::GET, "/");
    for line in lines {
        request.headers_mut().append(COOKIE, line.clone());
    }
    rig.send(request, async |s: Session<Visit>| format!("{:?}", s.user)).await.unwrap()
}

fn header_value() -> impl Strategy<Value = HeaderValue> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        Just(b"__Host-sid=".to_vec()),
        Just(b"; ".to_vec()),
        "[A-Za-z0-9_-]{96}".prop_map(String::into_bytes),
        Just(b"\"".to_vec()),
    ];
    proptest::collection::vec(piece, 0..12)
        .prop_filter_map("no header", |pieces| HeaderValue::from_bytes(&pieces.concat()).ok())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r22_any_bytes_in_cookie_headers_are_no_session(lines in proptest::collection::vec(header_value(), 0..4)) {
        block_on(async {
            let rig = Rig::new();
            let answer = with_cookies(&rig, &lines).await;
            assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "None"));
            assert!(answer.set_cookies().is_empty());
            assert!(rig.store.take_names().is_empty());
        });
    }

    #[test]
    fn r3_a_token_with_one_flipped_bit_or_cut_off_is_no_session(bit in 0..768_usize, length in 0..96_usize) {
        block_on(async {
            let rig = Rig::new();
            let browser = rig.signed_in("ada").await;
            let token = browser.cookie("__Host-sid").unwrap().to_owned().into_bytes();
            let mut flipped = token.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            for value in [&flipped[..], &token[..length]] {
                let Ok(line) = HeaderValue::from_bytes(&[b"__Host-sid=", value].concat()) else { continue };
                let answer = with_cookies(&rig, &[line]).await;
                assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "None"));
                assert!(answer.set_cookies().is_empty() && rig.store.take_names().is_empty());
            }
            let whole = with_cookies(&rig, &[HeaderValue::from_str(&browser.cookie_header("/").unwrap()).unwrap()]).await;
            assert_eq!(whole.text, "Some(\"ada\")");
        });
    }

    #[test]
    fn r3_a_token_mixed_from_two_sessions_is_no_session(cut in 1..95_usize) {
        block_on(async {
            let rig = Rig::new();
            let (one, two) = (rig.signed_in("ada").await, rig.signed_in("bob").await);
            let (one, two) = (one.cookie("__Host-sid").unwrap(), two.cookie("__Host-sid").unwrap());
            let mixed = format!("__Host-sid={}{}", &one[..cut], &two[cut..]);
            prop_assume!(one[..cut] != two[..cut] && one[cut..] != two[cut..]);
            assert_eq!(with_cookies(&rig, &[mixed.parse().unwrap()]).await.text, "None");
            Ok(())
        })?;
    }

    #[test]
    fn r16_no_bytes_in_a_record_cause_a_panic(
        fields in proptest::collection::vec((field_name(), 0..3_u8, raw_json()), 0..8),
        identity in proptest::option::of(raw_json()),
        cookie in proptest::option::of(raw_json()),
    ) {
        block_on(async {
            for is_instant in [true, false] {
                let rig = Rig::with(is_instant, |b| b.build());
                let browser = rig.anonymous().await;
                let fields = fields.iter().map(|(name, mark, raw)| (name.as_str(), Keep::from_byte(*mark), raw.as_slice()));
                tamper(&rig, Fields::from_iter(fields), identity.as_deref(), cookie.as_deref()).await;
                let read = rig.ask(&browser, async |s: Session<Visit>| s.views.to_string()).await;
                let is_readable = read.status == StatusCode::OK;
                assert!(is_readable || (identity.is_some() && read.text.contains("cannot be read")), "{read:?}");
                check_work(&rig, &browser, is_readable).await;
            }
        });
    }

    #[test]
    fn any_bytes_are_read_as_valid_fields_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(fields) = Fields::from_bytes(&bytes) {
            assert_eq!(Fields::from_bytes(fields.as_bytes()).unwrap(), fields);
            let names: Vec<_> = fields.iter().map(|field| field.name.to_owned()).collect();
            assert!(names.iter().all(|name| fields.find(name).is_some()));
        }
    }
}

fn field_name() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec!["views", "cart", "theme", "hits", "state", "notice", "user", "cookie", ""])
            .prop_map(str::to_owned),
        ".{0,10}",
    ]
}

fn raw_json() -> impl Strategy<Value = Vec<u8>> {
    let values: Vec<&[u8]> = vec![
        b"",
        b"null",
        b"1",
        b"-1",
        b"1e400",
        b"99999999999999999999",
        b"\"x\"",
        b"[]",
        b"[\"a\"]",
        b"{}",
        b"{\"a\":",
        b"\"\\ud800\"",
        b"\xff\xfe",
        b"[[[[[[[[[[[[[[[[",
        b"true false",
        b"{\"originalMaxAge\":0}",
        b"{\"originalMaxAge\":1e308,\"path\":\"/x\"}",
        b"{\"domain\":\"\",\"secure\":null}",
    ];
    prop_oneof![
        proptest::sample::select(values).prop_map(<[u8]>::to_vec),
        proptest::collection::vec(any::<u8>(), 0..30),
        Just(b"[".repeat(5000)),
    ]
}

/// Replaces the content of the browser's record, and keeps its verifier.
async fn tamper(rig: &Rig, fields: Fields, identity: Option<&[u8]>, cookie: Option<&[u8]>) {
    let id = rig.ids().await[0].clone();
    let record = rig.record(&id).await.unwrap();
    let _ = rig.store.inner.store().destroy(&id, None).await.unwrap();
    rig.clock.advance(minutes(2));
    let epoch = record.epoch;
    let mut record = Record::new(record.verifier).with_fields(fields);
    record.epoch = epoch;
    record.identity = identity.map(RawJson::new);
    record.cookie = cookie.map(RawJson::new);
    let lifetime = Lifetime::new(minutes(60), minutes(600));
    let _ = rig.store.inner.store().insert(&id, &record, lifetime).await.unwrap();
}

/// Checks that whatever a handler does with the session, it is done, or the response says why it is not.
async fn check_work(rig: &Rig, browser: &Browser, is_readable: bool) {
    async fn run<T, F>(rig: &Rig, browser: &Browser, work: impl FnOnce(Session<T>) -> F + Send + 'static) -> StatusCode
    where
        T: SessionData + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        rig.ask(browser, work).await.status
    }
    let everything = async |mut s: Session<Visit>| {
        s.views += 1;
        s.cart.push("x".to_owned());
        s.hits += 1;
        s.state = Some("y".to_owned());
        let _ = s.take(|visit| visit.notice.take()).await;
        let _ = (s.cookie(), s.expires_in(), s.last_access(), s.id());
        s.cookie_mut().max_age = Some(minutes(5));
    };
    let expected = if is_readable { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    assert_eq!(run(rig, browser, everything).await, expected);
    let rotate = async |mut s: Session<Visit>| s.rotate();
    assert_eq!(run(rig, browser, rotate).await, expected);
    let leave = async |s: Session<Visit>| drop(s.destroy().await);
    run(rig, browser, leave).await;
}
