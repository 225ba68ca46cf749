use std::collections::HashSet;
use std::fmt::{Debug, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http_session::error::StoreError;

use super::{Answer, Rig};

/// A piece of a secret that is long enough not to be there by chance.
const PIECE: usize = 12;

/// Everything that was said, and everything that must not have been (R26).
#[derive(Debug, Default)]
pub struct Watch {
    pub said: String,
    secrets: HashSet<Vec<u8>>,
}

impl Watch {
    /// Of this no piece may be said.
    pub fn hides(&mut self, secret: impl AsRef<[u8]>) {
        self.secrets.insert(secret.as_ref().to_vec());
    }

    pub fn hears(&mut self, what: &dyn Debug) {
        let _ = writeln!(self.said, "{what:?}\n{what:#?}");
    }

    /// An error as a log shows it, with all its sources. What a `StoreError` keeps as its source is the driver's own.
    pub fn error(&mut self, error: &(dyn std::error::Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            let _ = writeln!(self.said, "{error} {error:?} {error:#?}");
            next = if error.is::<StoreError>() { None } else { error.source() };
        }
    }

    /// A response: all of it, but its Set-Cookie only as far as `Debug` shows it. Its values are secrets from now on.
    pub fn answer(&mut self, answer: &Answer) {
        self.hears(answer);
        for line in answer.set_cookies() {
            let value = line.split(['=', ';']).nth(1).unwrap_or_default();
            if value.len() > 20 {
                self.token(value);
            }
        }
        assert!(answer.headers.get_all("set-cookie").iter().all(http::HeaderValue::is_sensitive));
    }

    /// A cookie's value, and what is in it: selector, verifier and MAC, or express's id and signature.
    pub fn token(&mut self, value: &str) {
        self.hides(value);
        let text = percent_encoding::percent_decode_str(value).decode_utf8().unwrap();
        if let Some((id, signature)) = text.strip_prefix("s:").and_then(|signed| signed.rsplit_once('.')) {
            self.hides(id);
            self.hides(signature);
            self.hides(STANDARD_NO_PAD.decode(signature).unwrap());
        } else if let Ok(bytes) = URL_SAFE_NO_PAD.decode(value) {
            for (from, to) in [(0, 16), (24, 40), (40, 72)] {
                self.hides(&bytes[from..to]);
            }
        }
    }

    /// The ids and verifiers of a store.
    pub async fn records(&mut self, rig: &Rig) {
        for id in rig.ids().await {
            self.hides(id.as_str());
            let record = rig.record(&id).await.unwrap();
            if record.verifier.0 != [1; 32] {
                self.hides(record.verifier.0);
            }
            self.hears(&id);
            self.hears(&record);
            self.hears(&record.fields.iter().collect::<Vec<_>>());
        }
    }

    /// Looks for every secret, and every piece of it, in each form in which it may be printed.
    pub fn check(&self) {
        let said = self.said.as_bytes();
        let pieces: HashSet<&[u8]> = said.windows(PIECE).collect();
        for secret in &self.secrets {
            for form in forms(secret) {
                let form = form.as_bytes();
                let is_said = if form.len() < PIECE {
                    said.windows(form.len()).any(|window| window == form)
                } else {
                    form.windows(PIECE).step_by(PIECE / 3).any(|piece| pieces.contains(piece))
                };
                let form = String::from_utf8_lossy(form);
                assert!(!is_said, "{form:?} was said, or a piece of it: {}", self.around(&form));
            }
        }
        assert!(self.secrets.len() > 10 && self.said.len() > 5000, "the test has looked at something");
    }

    fn around(&self, form: &str) -> &str {
        let pieces = || form.as_bytes().windows(PIECE.min(form.len())).step_by(PIECE / 3);
        let says =
            |line: &&str| pieces().any(|piece| line.as_bytes().windows(piece.len()).any(|window| window == piece));
        self.said.lines().find(says).unwrap_or_default()
    }
}

fn forms(secret: &[u8]) -> Vec<String> {
    let each = |write: fn(&u8) -> String| secret.iter().map(write).collect::<String>();
    let mut forms = vec![format!("{secret:?}"), each(|byte| format!("{byte:02x}")), each(|byte| format!("{byte:02X}"))];
    if let Ok(text) = std::str::from_utf8(secret) {
        forms.push(text.to_owned());
        forms.push(percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string());
    }
    // In the middle of something longer, base64 begins at one of three places; its end depends on what follows.
    for skipped in 0..3.min(secret.len()) {
        let (_, rest) = secret.split_at(skipped);
        for mut text in [STANDARD_NO_PAD.encode(rest), URL_SAFE_NO_PAD.encode(rest)] {
            text.truncate(rest.len() / 3 * 4);
            forms.push(text);
        }
    }
    forms.retain(|form| form.len() > 5);
    forms.dedup();
    forms
}
