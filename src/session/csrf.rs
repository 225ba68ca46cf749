//! Protection against cross-site request forgery: whether a request that changes something comes from a page of this site.
//! The [chapter](crate::guide::csrf) of the manual has the table, and says what is not covered.
//!
//! - [`SessionConfig::csrf_layer`](crate::SessionConfig::csrf_layer), with the feature `tower`, refuses requests before a
//!   handler runs.
//! - [`Csrf`] has tokens for pages, and the same checks for a handler without the layer.

use std::fmt;
use std::sync::Arc;

use http::{Extensions, HeaderValue};
use serde::{Serialize, Serializer};

use crate::error::{CsrfRejection, SessionRejection};
use crate::forgery::verdict::{Proof, Verdict, by_token};
use crate::forgery::{NONCE_BYTES, Sender, Subject, TEXT_BYTES};
use crate::request::slot::{CurrentSlot, Slot, State};
use crate::stages::load;
use crate::telemetry;
use http_session_store::record::Epoch;

/// Protection against cross-site request forgery for the session of a request: tokens for pages, and the check of requests.
///
/// It works beside [`Session<T>`](struct@crate::Session), for any `T`, and stores nothing. Get it from
/// [`Session::csrf`](crate::Session::csrf), as an axum extractor, or by [`extract`](Self::extract).
///
/// ```
/// use http_session::{Csrf, Session};
///
/// #[derive(Session)]
/// struct Visit {
///     views: u64,
/// }
///
/// fn form(session: Session<Visit>) -> String {
///     format!("<form method=post action=/cart>{}<button>Add</button></form>", session.csrf().hidden_input())
/// }
///
/// fn posted(csrf: &Csrf, form: &[(String, String)]) -> bool {
///     form.iter().any(|(name, value)| name == Csrf::FIELD && csrf.verify(value).is_ok())
/// }
/// ```
#[doc(alias = "csurf")]
pub struct Csrf {
    slot: Arc<Slot>,
}

impl Csrf {
    /// The name of the form field that [`hidden_input`](Self::hidden_input) writes.
    pub const FIELD: &str = "csrf_token";

    pub(crate) const fn new(slot: Arc<Slot>) -> Self {
        Self { slot }
    }

    /// The protection for a request that passed a session layer, from the request's extensions. Loads the session if
    /// nothing in this request has loaded it yet.
    ///
    /// ```
    /// use http_session::Csrf;
    /// use http_session::error::SessionRejection;
    ///
    /// async fn page<B>(request: http::Request<B>) -> Result<String, SessionRejection> {
    ///     let csrf = Csrf::extract(request.extensions()).await?;
    ///     Ok(format!("<form method=post>{}<button>Sign out</button></form>", csrf.hidden_input()))
    /// }
    /// ```
    ///
    /// # Errors
    /// There is no session for this request; see [`SessionRejection`]. If the store failed, nothing can be verified.
    pub async fn extract(extensions: &Extensions) -> Result<Self, SessionRejection> {
        let current = extensions.get::<CurrentSlot>().ok_or(SessionRejection::NoLayer)?;
        let slot = Arc::clone(&current.slot);
        load::load(&slot).await;
        slot.window()?;
        Ok(Self::new(slot))
    }

    /// A new token, different each time.
    ///
    /// It matches the cookie that the browser has after this response, so ask for it when the request has done everything
    /// that it does to its session. A sign-in, a sign-out and any other rotation make all earlier tokens invalid. A
    /// periodic renewal does not.
    ///
    /// For a visitor without a stored session, the token is valid if this response stores a session. No session is stored
    /// for the token's sake: without a session, `Origin` or `Sec-Fetch-Site` decides.
    ///
    /// `None` if the response has been committed already, or if the application's own id generator returned no valid id.
    #[doc(alias = "csrfToken")]
    #[must_use]
    pub fn token(&self) -> Option<CsrfToken> {
        let subject = upcoming_subject(&self.slot)?;
        let mut nonce = [0; NONCE_BYTES];
        self.slot.config.random(&mut nonce);
        Some(CsrfToken(self.slot.config.csrf.sign(&subject, nonce)))
    }

    /// A new [token](Self::token) as a hidden input of an HTML form, with the name [`FIELD`](Self::FIELD). Empty if there
    /// is no token.
    #[must_use]
    pub fn hidden_input(&self) -> String {
        match self.token() {
            Some(token) => format!(r#"<input type="hidden" name="{}" value="{token}">"#, Self::FIELD),
            None => String::new(),
        }
    }

    /// Checks that this is a token of the session whose cookie the request presented, as the session was when the request
    /// came. Nothing else in the request counts; [`check`](Self::check) looks at the rest too.
    ///
    /// # Errors
    /// It is not a token of this session, or the request has no stored session.
    pub fn verify(&self, token: impl AsRef<[u8]>) -> Result<(), CsrfRejection> {
        enforce(by_token(proof(&self.slot, Some(token.as_ref()))))
    }

    /// Does what the [layer](crate::SessionConfig::csrf_layer) does, for a handler without the layer. Call it for every
    /// method, before anything is changed.
    ///
    /// Safe methods pass. For the others `Sec-Fetch-Site` and `Origin` decide. If they do not decide, the form's
    /// token decides; without one, the token in the [header](crate::config::builder::Builder::csrf_header). The method and
    /// the headers are those that the session's layer or service saw.
    ///
    /// ```
    /// use http_session::error::CsrfRejection;
    /// use http_session::{Csrf, Session};
    ///
    /// #[derive(Session)]
    /// struct Visit {
    ///     cart: Vec<String>,
    /// }
    ///
    /// /// A form that was posted.
    /// struct Item {
    ///     csrf_token: Option<String>,
    ///     name: String,
    /// }
    ///
    /// fn add(mut session: Session<Visit>, item: Item) -> Result<(), CsrfRejection> {
    ///     session.csrf().check(item.csrf_token.as_deref())?;
    ///     session.cart.push(item.name);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// The request does not show that it comes from a page of this site.
    pub fn check(&self, form_token: Option<&str>) -> Result<(), CsrfRejection> {
        enforce(judge(&self.slot, &self.slot.received.sender, form_token.map(str::as_bytes)))
    }
}

/// What a token of this response must match: the session as it will be when the response has been committed.
fn upcoming_subject(slot: &Slot) -> Option<Subject> {
    let format = slot.config.settings.format;
    let begins_record =
        slot.with(|session| session.begins_record() || (format.rotates_into_new_record() && session.rotates()))?;
    let id = if begins_record { slot.new_id()? } else { slot.id()? };
    slot.with(|session| {
        let epoch = match (begins_record, session.rotates()) {
            (true, _) => Epoch::default(),
            (false, true) => session.loaded.record.epoch.next(),
            (false, false) => session.loaded.record.epoch,
        };
        Subject::new(format, id, epoch, session.pending.identity.clone())
    })
}

/// Judges a request whose session is loaded. The token counts only if the headers have not decided, and the form's token
/// takes precedence over the header's.
pub(crate) fn judge(slot: &Slot, sender: &Sender, form_token: Option<&[u8]>) -> Verdict {
    match sender {
        Sender::Known(verdict) => *verdict,
        Sender::Unknown(header) => {
            by_token(proof(slot, form_token.or_else(|| header.as_ref().map(HeaderValue::as_bytes))))
        }
    }
}

/// What a token proves in a request whose session is loaded.
pub(crate) fn proof(slot: &Slot, token: Option<&[u8]>) -> Proof {
    let subject = match &*slot.lock() {
        State::Loaded(session) => session.loaded.subject.clone(),
        State::Failed => return Proof::StoreFailed,
        State::Unloaded | State::Outside | State::Closed => None,
    };
    match (subject, token) {
        (None, _) => Proof::NoSession,
        (Some(_), None) => Proof::NoToken,
        (Some(subject), Some(token)) if slot.config.csrf.verify(&subject, token) => Proof::Token,
        (Some(_), Some(_)) => Proof::WrongToken,
    }
}

pub(crate) fn enforce(verdict: Verdict) -> Result<(), CsrfRejection> {
    match verdict {
        Verdict::Pass => Ok(()),
        Verdict::Refuse(reason) => {
            telemetry::csrf_refused(reason.as_str());
            Err(CsrfRejection::new())
        }
        // A handler has no `Csrf` when the store failed.
        Verdict::Unavailable => Err(CsrfRejection::new()),
    }
}

/// Shows nothing of the session.
impl fmt::Debug for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Csrf(..)")
    }
}

/// A token against cross-site request forgery: 64 letters, digits, `-` and `_`. It needs no escaping in HTML, JSON and
/// headers. [`Csrf::token`] creates it.
///
/// Put it only into pages of this site, never into URLs or logs. `Debug` does not show it.
#[derive(Clone)]
pub struct CsrfToken([u8; TEXT_BYTES]);

impl CsrfToken {
    /// The token as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(..)")
    }
}

impl AsRef<str> for CsrfToken {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for CsrfToken {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Serialises as text, for templates and JSON.
impl Serialize for CsrfToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// For a response header from which a script takes the token. The value is marked sensitive.
impl From<&CsrfToken> for HeaderValue {
    fn from(token: &CsrfToken) -> Self {
        let mut value = Self::from_bytes(&token.0).unwrap_or(const { Self::from_static("") });
        value.set_sensitive(true);
        value
    }
}
