// Every option of the builder, in each of the three presets and in several orders.
#![deny(warnings)]

use std::time::Duration;

use http::header::HeaderName;
use http_session::clock::SystemClock;
use http_session::{config::Activity, config::CommitOn, Cookie, config::express::IdShape, MemoryStore, config::Removal, config::express::Resave, config::express::SaveUninitialized, Secret, SessionConfig, config::StoredAttributes, csrf::TrustedOrigin, config::TrustedProxy, config::express::Unset, cookie_name, secret, trusted_origin};

const HOUR: Duration = Duration::from_secs(3600);

fn native() -> SessionConfig<MemoryStore> {
    SessionConfig::builder()
        .scope("shop")
        .secret(secret!("b1f0c3d9a6e84f7792c5d0e13a4b6f88"))
        .previous_secret(Secret::random())
        .previous_secret(Secret::random())
        .max_age(24 * HOUR)
        .rolling()
        .idle(HOUR)
        .absolute(30 * 24 * HOUR)
        .unconfirmed(HOUR)
        .touch_throttle(20)
        .activity(Activity::Presented)
        .renew_after(HOUR)
        .late_window(Duration::from_secs(30))
        .cookie(Cookie::host(cookie_name!("sid")).same_site_strict())
        .cookie_for(|parts, cookie| cookie.max_age = parts.headers.contains_key("remember").then_some(HOUR))
        .stored_attributes(StoredAttributes::Narrow)
        .resave(Resave::WhenModified)
        .save_uninitialized(SaveUninitialized::Never)
        .unset(Unset::Destroy)
        .commit_on(CommitOn::Success)
        .removal(Removal::Cookie)
        .trusted_proxy(TrustedProxy::x_forwarded_proto())
        .trust_origin(trusted_origin!("https://pay.example.com"))
        .trust_origin(TrustedOrigin::try_from(String::from("capacitor://localhost")).unwrap())
        .csrf_header(HeaderName::from_static("x-xsrf-token"))
        .ignore_paths(["/favicon.ico", "/robots.txt"])
        .fingerprint(|parts| parts.headers.get("user-agent").map(|agent| agent.as_bytes().to_vec()).unwrap_or_default())
        .record_limit(16 * 1024)
        .store_time_limit(Duration::from_secs(1))
        .clock(SystemClock::new())
        .store(MemoryStore::new())
        .build()
}

fn express() -> SessionConfig<MemoryStore> {
    SessionConfig::express()
        .rolling()
        .store(MemoryStore::new())
        .generate_id(|parts| format!("{}-{}", parts.uri.path().len(), "id"))
        .id_shape(IdShape::Any)
        .previous_secret(Secret::random())
        .previous_secret(Secret::express("keyboard cat").unwrap())
        .secret(Secret::express("dog").unwrap())
        .cookie(Cookie::plain(cookie_name!("connect.sid")).insecure())
        .stored_attributes(StoredAttributes::Exact)
        .resave(Resave::Always)
        .save_uninitialized(SaveUninitialized::Always)
        .unset(Unset::Keep)
        .commit_on(CommitOn::AnyStatus)
        .removal(Removal::Nothing)
        .activity(Activity::Loaded)
        .trust_origin(trusted_origin!("http://localhost:3000"))
        .trusted_proxy(TrustedProxy::header(HeaderName::from_static("x-scheme")))
        .ignore_paths(vec![String::from("/health")])
        .max_age(HOUR)
        .build()
}

fn development() -> SessionConfig<MemoryStore> {
    SessionConfig::development().store(MemoryStore::new()).secret(Secret::random()).build()
}

fn main() {
    let _ = (native(), express(), development());

    // The store before the secret, and `rolling` before and after `max_age`.
    let _ = SessionConfig::builder().store(MemoryStore::new()).secret(Secret::random()).build();
    let _ = SessionConfig::builder().rolling().max_age(HOUR).store(MemoryStore::new()).secret(Secret::random()).build();
    let _ = SessionConfig::builder().rolling().rolling().max_age(HOUR).max_age(HOUR).rolling().secret(Secret::random());
    let _ = SessionConfig::builder().max_age(HOUR).secret(Secret::random()).rolling().store(MemoryStore::new()).build();
    let _ =
        SessionConfig::development().rolling().secret(Secret::random()).max_age(HOUR).store(MemoryStore::new()).build();
    let _ = SessionConfig::express().secret(Secret::random()).store(MemoryStore::new()).build();
    let _ = SessionConfig::express().store(MemoryStore::new()).rolling().max_age(HOUR).secret(Secret::random()).build();
    let _ = SessionConfig::builder().trusted_proxy(TrustedProxy::forwarded()).previous_secret(Secret::random());
}
