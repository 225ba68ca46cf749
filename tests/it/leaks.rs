//! R26: nothing that is secret reaches logs, errors, Debug or responses.

use std::fmt::Debug;

use http::{Method, Request, Response, StatusCode};
use http_session::error::{SaveError, StoreError, StoreErrorKind};
use http_session::{Secret, Session, SessionConfig};

use crate::support::{Answer, Browser, Call, Events, Fault, Oops, Rig, Visit, minutes, seconds, secret};

/// Everything that was said, and everything that must not have been.
#[derive(Default)]
struct Watch {
    said: String,
    secrets: Vec<String>,
}

impl Watch {
    fn hears(&mut self, what: &dyn Debug) {
        self.said.push_str(&format!("{what:?}\n{what:#?}\n"));
    }

    fn answer(&mut self, answer: &Answer) {
        self.said.push_str(&answer.text);
        self.said.push('\n');
        // The whole answer, but not through its Set-Cookie, which belongs there.
        self.hears(answer);
        for line in answer.set_cookies() {
            let value = line.split(['=', ';']).nth(1).unwrap_or_default();
            if value.len() > 20 {
                self.secrets.push(value.to_owned());
            }
        }
        assert!(answer.headers.get_all("set-cookie").iter().all(http::HeaderValue::is_sensitive));
    }

    fn error(&mut self, error: &(dyn std::error::Error + 'static)) {
        self.said.push_str(&format!("{error} {error:?}\n"));
    }

    async fn rows(&mut self, rig: &Rig) {
        for id in rig.ids().await {
            self.secrets.push(id.as_str().to_owned());
            let row = rig.row(&id).await.unwrap();
            self.hears(&id);
            self.hears(&row);
            self.hears(&row.fields.iter().collect::<Vec<_>>());
        }
    }

    fn check(&self) {
        let fixed = ["hunter2", "postgres://", "s3cret-user", "s3cret-value", "a secret for tests"];
        let tokens = self.secrets.iter().flat_map(|token| {
            // The whole, and the parts of a token: selector, verifier, MAC.
            let bounds = [(0, token.len()), (0, 20), (32, 52), (60, 90)];
            bounds.into_iter().filter_map(|(from, to)| token.get(from..to)).map(str::to_owned).collect::<Vec<_>>()
        });
        for secret in tokens.chain(fixed.map(str::to_owned)) {
            assert!(!secret.is_empty());
            if let Some(at) = self.said.find(&secret) {
                let around = &self.said[at.saturating_sub(80)..(at + 80).min(self.said.len())];
                panic!("{secret} was said: {around}");
            }
        }
        assert!(self.secrets.len() > 10 && self.said.len() > 5000, "the test has looked at something");
    }
}

async fn change(mut s: Session<Visit>) {
    s.sign_in("s3cret-user".to_owned());
    s.theme = "s3cret-value".to_owned();
    s.cart.push("s3cret-value".to_owned());
    s.rotate();
}

/// Every fault at every call, while sessions are begun, changed, renewed, signed out and destroyed.
async fn mixed_load(watch: &mut Watch, is_instant: bool) {
    let kinds = [StoreErrorKind::Unavailable, StoreErrorKind::Unknown, StoreErrorKind::Corrupt, StoreErrorKind::Full];
    let mut faults: Vec<_> = kinds.into_iter().map(Fault::Error).collect();
    faults.extend([Fault::LostAnswer, Fault::Hang, Fault::Panic]);
    for call in [Call::Load, Call::Insert, Call::Update, Call::Touch, Call::Destroy] {
        for &fault in &faults {
            let rig = Rig::with(is_instant, |b| {
                b.store_timeout(seconds(1)).renew_after(minutes(1)).touch_throttle(0).record_limit(500).build()
            });
            let mut browser = Browser::default();
            watch.answer(&rig.visit(&mut browser, change).await);
            let late = browser.clone();
            watch.answer(&rig.visit(&mut browser, change).await);
            rig.clock.advance(minutes(2));
            rig.store.inner.fail(call, fault);
            watch.answer(&rig.ask(&Browser::default(), change).await);
            watch.answer(&rig.ask(&browser, change).await);
            watch.answer(&rig.ask(&late, change).await);
            watch.answer(&rig.ask(&browser, async |_: Session<Visit>| ()).await);
            let refused = async |mut s: Session<Visit>| {
                s.theme = "s3cret-value".repeat(1000);
                let text = format!("{:?} {:?}", s, s.id());
                let saved = s.save().await;
                format!("{text} {:?} {}", saved, saved.as_ref().map_or_else(SaveError::to_string, |()| String::new()))
            };
            watch.answer(&rig.ask(&browser, refused).await);
            let tossed =
                [&late, &browser, &rig.signed_in("s3cret-user").await].map(|browser| browser.cookie_header("/"));
            let line = tossed.into_iter().flatten().collect::<Vec<_>>().join("; ");
            let request = Request::get("/").header("cookie", line).body(String::new()).unwrap();
            watch.answer(&rig.send(request, change).await.unwrap());
            watch.answer(&rig.ask(&browser, async |mut s: Session<Visit>| drop(s.sign_out().await)).await);
            watch.answer(&rig.ask(&browser, async |s: Session<Visit>| format!("{:?}", s.destroy().await)).await);
            rig.store.inner.heal();
            watch.rows(&rig).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r26_nothing_secret_is_said_under_a_mixed_load_with_faults() {
    for is_instant in [true, false] {
        let events = Events::capture();
        let mut watch = Watch::default();
        mixed_load(&mut watch, is_instant).await;
        let lines = events.take();
        for name in ["session.load.failed", "session.commit.failed", "session.commit.unknown", "session.tossed"] {
            assert!(lines.iter().any(|line| line.starts_with(name)), "the load makes {name}");
        }
        watch.said.push_str(&lines.join("\n"));
        watch.check();
    }
}

#[tokio::test]
async fn r26_debug_and_errors_of_public_types_say_nothing() {
    let mut watch = Watch::default();
    let rig = Rig::new();
    for _ in 0..12 {
        let mut browser = Browser::default();
        watch.answer(&rig.visit(&mut browser, change).await);
    }
    watch.rows(&rig).await;
    watch.hears(&rig.sessions);
    watch.hears(rig.sessions.store());
    watch.hears(&rig.sessions.layer());
    watch.hears(&SessionConfig::builder().secret(secret()).previous_secret(secret()));
    watch.hears(&secret());
    watch.hears(&Secret::random());
    let id = rig.ids().await[0].clone();
    let detached = rig.sessions.load::<Visit>(&id).await.unwrap().unwrap();
    watch.hears(&detached);
    watch.hears(&http_session::record::Patch::unchanged(&rig.row(&id).await.unwrap()));
    watch.hears(&http_session::record::RawJson::new(b"s3cret-value"));
    watch.hears(&http_session::store::AnyStore::new(rig.store.inner.store().clone()));
    let store = StoreError::new(StoreErrorKind::Unavailable).with_source("postgres://user:hunter2@db");
    watch.error(&store);
    watch.error(&SaveError::Store(store));
    watch.error(&Secret::try_from("s3cret-value").unwrap_err());
    watch.error(&http_session::CookieName::try_from("s3cret-value=").unwrap_err());
    watch.said.push_str(&"-".repeat(5000));
    watch.check();
}

async fn headers(request: Request<String>, _: Session<Visit>) -> Result<Response<String>, Oops> {
    Ok(Response::new(format!("{:?}", request.headers())))
}

#[tokio::test]
async fn r26_the_cookie_of_the_request_is_marked_sensitive() {
    let rig = Rig::new();
    let browser = rig.signed_in("ada").await;
    let token = browser.cookie("__Host-sid").unwrap().to_owned();
    let two = || {
        let mut request = browser.request(Method::GET, "/");
        request.headers_mut().append("cookie", format!("__Host-sid={token}; b=1").parse().unwrap());
        request
    };
    let raw = async |request: Request<String>| format!("{:?}", request.headers());
    let layer = Answer::read(rig.raw(two(), raw).await.unwrap()).await;
    let service = rig.sessions.service(headers);
    let service = Answer::read(hyper::service::Service::call(&service, two()).await.unwrap()).await;
    for answer in [layer, service] {
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.text.contains("cookie") && !answer.text.contains(&token), "{}", answer.text);
    }
}
