use std::collections::HashSet;
use std::fmt::{Debug, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http_session::error::StoreError;

use super::{Answer, Rig};

/// Length in bytes of a piece of a secret. Pieces of this length do not appear by chance.
const PIECE: usize = 12;

/// Collects output and secrets, and checks that no secret appears in the output (R26).
#[derive(Debug, Default)]
pub struct LeakCheck {
    pub output: String,
    secrets: HashSet<Vec<u8>>,
}

impl LeakCheck {
    /// Adds a secret. No piece of it may appear in the output.
    pub fn add_secret(&mut self, secret: impl AsRef<[u8]>) {
        self.secrets.insert(secret.as_ref().to_vec());
    }

    pub fn add_output(&mut self, what: &dyn Debug) {
        let _ = writeln!(self.output, "{what:?}\n{what:#?}");
    }

    /// Adds an error as a log shows it, with all its sources. The source of a `StoreError` is left out: it belongs to
    /// the driver.
    pub fn error(&mut self, error: &(dyn std::error::Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            let _ = writeln!(self.output, "{error} {error:?} {error:#?}");
            next = if error.is::<StoreError>() { None } else { error.source() };
        }
    }

    /// Adds a response. Its `Set-Cookie` headers count only as far as `Debug` shows them, and their values are secrets
    /// from now on.
    pub fn answer(&mut self, answer: &Answer) {
        self.add_output(answer);
        for line in answer.set_cookies() {
            let value = line.split(['=', ';']).nth(1).unwrap_or_default();
            if value.len() > 20 {
                self.token(value);
            }
        }
        assert!(answer.headers.get_all("set-cookie").iter().all(http::HeaderValue::is_sensitive));
    }

    /// Adds a cookie's value and its parts as secrets: selector, verifier and MAC, or express's id and signature.
    pub fn token(&mut self, value: &str) {
        self.add_secret(value);
        let text = percent_encoding::percent_decode_str(value).decode_utf8().unwrap();
        if let Some((id, signature)) = text.strip_prefix("s:").and_then(|signed| signed.rsplit_once('.')) {
            self.add_secret(id);
            self.add_secret(signature);
            self.add_secret(STANDARD_NO_PAD.decode(signature).unwrap());
        } else if let Ok(bytes) = URL_SAFE_NO_PAD.decode(value) {
            for (from, to) in [(0, 16), (24, 40), (40, 72)] {
                self.add_secret(&bytes[from..to]);
            }
        }
    }

    /// Adds the ids and verifiers of a store as secrets.
    pub async fn records(&mut self, rig: &Rig) {
        for id in rig.ids().await {
            self.add_secret(id.as_str());
            let record = rig.record(&id).await.unwrap();
            if record.verifier.0 != [1; 32] {
                self.add_secret(record.verifier.0);
            }
            self.add_output(&id);
            self.add_output(&record);
            self.add_output(&record.fields.iter().collect::<Vec<_>>());
        }
    }

    /// Searches the output for every secret and every piece of it, in each encoding in which it may be printed.
    pub fn check(&self) {
        let output = self.output.as_bytes();
        let pieces: HashSet<&[u8]> = output.windows(PIECE).collect();
        for secret in &self.secrets {
            for form in forms(secret) {
                let form = form.as_bytes();
                let is_found = if form.len() < PIECE {
                    output.windows(form.len()).any(|window| window == form)
                } else {
                    form.windows(PIECE).step_by(PIECE / 3).any(|piece| pieces.contains(piece))
                };
                let form = String::from_utf8_lossy(form);
                assert!(!is_found, "the output contains {form:?} or a piece of it: {}", self.around(&form));
            }
        }
        assert!(self.secrets.len() > 10 && self.output.len() > 5000, "the test must collect secrets and output");
    }

    fn around(&self, form: &str) -> &str {
        let pieces = || form.as_bytes().windows(PIECE.min(form.len())).step_by(PIECE / 3);
        let says =
            |line: &&str| pieces().any(|piece| line.as_bytes().windows(piece.len()).any(|window| window == piece));
        self.output.lines().find(says).unwrap_or_default()
    }
}

fn forms(secret: &[u8]) -> Vec<String> {
    let each = |write: fn(&u8) -> String| secret.iter().map(write).collect::<String>();
    let mut forms = vec![format!("{secret:?}"), each(|byte| format!("{byte:02x}")), each(|byte| format!("{byte:02X}"))];
    if let Ok(text) = std::str::from_utf8(secret) {
        forms.push(text.to_owned());
        forms.push(percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string());
    }
    // Inside of a longer text, the base64 of a secret depends on the secret's offset modulo three. The last digits also
    // depend on what follows, so they are cut off.
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
