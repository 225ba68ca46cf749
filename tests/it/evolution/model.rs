//! A model of R5 and R15 to R17: how versions of a program read and write a record.

use std::collections::{BTreeMap, BTreeSet};

use http_session::record::{Clear, Keep, Record};

use super::versions::{Known, Read, Rule, Version};

/// Fields by name, with their mark and bytes.
pub type Fields = BTreeMap<String, (Keep, Vec<u8>)>;

/// The stored content of a session, without its ages and verifiers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    pub identity: Option<Vec<u8>>,
    pub fields: Fields,
}

impl From<&Record> for Stored {
    fn from(record: &Record) -> Self {
        let fields = record.fields.iter().map(|field| (field.name.to_owned(), (field.keep, field.value.to_vec())));
        Self { identity: record.identity.as_ref().map(|raw| raw.as_bytes().to_vec()), fields: fields.collect() }
    }
}

/// A step of a handler.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sets the field at this index (modulo the number of fields) to a value that its type can read.
    Set(usize, usize),
    SignIn(usize),
    SignOut,
    Rotate,
    Regenerate,
}

/// The JSON values that handlers choose from.
const VALUES: [&str; 12] =
    ["0", "1", "7", "\"\"", "\"dark\"", "\"en\"", "[]", "[\"a\"]", "[\"b\",\"a\"]", "null", "true", "{\"a\":1}"];

/// The identities that handlers choose from.
const USERS: [&str; 4] = ["\"ada\"", "\"bob\"", "1", "2"];

/// What the model knows of a version of a program.
#[derive(Clone)]
pub struct View {
    pub known: Vec<Known>,
    pub identity: Option<Read>,
}

impl View {
    pub fn of<T: Version>() -> Self {
        Self { known: T::known(), identity: T::identity() }
    }

    /// Returns the index of a field and a value for it.
    pub fn choose(&self, place: usize, value: usize) -> (usize, &'static str) {
        let place = place % self.known.len();
        let fitting: Vec<_> =
            VALUES.into_iter().filter(|raw| (self.known[place].read)(raw.as_bytes()).is_some()).collect();
        (place, fitting[value % fitting.len()])
    }

    /// Keeps at most one change of each field. Other tests check that a change which is reverted counts as no change.
    pub fn distinct(&self, acts: &[Act]) -> Vec<Act> {
        let mut set = BTreeSet::new();
        let mut is_new = |act: &Act| !matches!(act, Act::Set(place, _) if !set.insert(place % self.known.len()));
        acts.iter().filter(|act| is_new(act)).cloned().collect()
    }

    pub fn user(&self, user: usize) -> Option<&'static str> {
        let read = self.identity?;
        let fitting: Vec<_> = USERS.into_iter().filter(|raw| read(raw.as_bytes()).is_some()).collect();
        Some(fitting[user % fitting.len()])
    }

    /// Whether the view can open the session: it must be able to decode the identity and the required fields (R16).
    pub fn opens(&self, stored: &Stored) -> bool {
        let identity = match (self.identity, &stored.identity) {
            (Some(read), Some(raw)) => read(raw).is_some(),
            _ => true,
        };
        let required = self.known.iter().filter(|known| known.required);
        identity
            && required
                .filter_map(|known| Some((known, raw(&stored.fields, known)?)))
                .all(|(known, raw)| (known.read)(raw).is_some())
    }
}

/// Returns the value under the field's name, even if it is null, or else under an older name (R15).
fn raw<'a>(fields: &'a Fields, known: &Known) -> Option<&'a [u8]> {
    let mut names = std::iter::once(&known.name).chain(known.aliases);
    names.find_map(|name| fields.get(*name)).map(|(_, raw)| raw.as_slice())
}

fn kept(fields: &Fields, clear: Clear) -> Fields {
    fields
        .iter()
        .filter(|(_, (keep, _))| clear.keeps(*keep))
        .map(|(name, field)| (name.clone(), field.clone()))
        .collect()
}

/// A request, from its load on.
#[derive(Clone)]
pub struct Request {
    view: View,
    loaded: Fields,
    fields: Fields,
    identity: Option<Vec<u8>>,
    changed: BTreeSet<&'static str>,
    clear: Clear,
    /// Whether the request writes anything besides fields.
    writes: bool,
    begins: bool,
    signs_out: bool,
}

impl Request {
    pub fn new(view: View, loaded: Option<Stored>) -> Self {
        let begins = loaded.is_none();
        let Stored { identity, fields } = loaded.unwrap_or_default();
        let (loaded, changed, clear) = (fields.clone(), BTreeSet::new(), Clear::Nothing);
        Self { view, loaded, fields, identity, changed, clear, writes: false, begins, signs_out: false }
    }

    /// Returns the fields and the identity as the handler sees them.
    pub fn shown(&self) -> (Vec<String>, Option<String>) {
        let user = self.view.identity.zip(self.identity.as_ref()).and_then(|(read, raw)| read(raw));
        (self.view.known.iter().map(|known| self.value(known)).collect(), user)
    }

    /// Returns the field's value, or its default if the stored value cannot be decoded (R16).
    fn value(&self, known: &Known) -> String {
        raw(&self.fields, known).and_then(known.read).unwrap_or_else(|| known.default.clone())
    }

    pub fn act(&mut self, act: &Act) {
        match *act {
            Act::Set(place, value) => self.set(place, value),
            Act::SignIn(user) => {
                let Some(user) = self.view.user(user) else { return };
                let read = self.view.identity.expect("an identity");
                self.writes = true;
                let now = self.identity.as_deref().and_then(read);
                if now != read(user.as_bytes()) {
                    self.change_identity(Some(user.as_bytes().to_vec()));
                }
            }
            Act::SignOut if self.view.identity.is_some() && self.identity.is_some() => {
                (self.writes, self.signs_out) = (true, true);
                self.change_identity(None);
            }
            Act::SignOut => {}
            Act::Rotate => self.writes |= !self.begins,
            Act::Regenerate => {
                let view = self.view.clone();
                *self = Self { writes: true, begins: true, ..Self::new(view, None) };
            }
        }
    }

    /// Sets a field and removes its older names (R15).
    fn set(&mut self, place: usize, value: usize) {
        let (place, value) = self.view.choose(place, value);
        let known = self.view.known[place].clone();
        let value = (known.read)(value.as_bytes()).expect("a value");
        if self.value(&known) != value {
            self.fields.retain(|name, _| !known.owns(name));
            self.fields.insert(known.name.to_owned(), (known.keep, value.into_bytes()));
            self.changed.insert(known.name);
        }
    }

    /// Clears fields by the marks in the record (R5).
    fn change_identity(&mut self, identity: Option<Vec<u8>>) {
        let clear = if self.identity.is_none() { Clear::SignIn } else { Clear::Identity };
        let changed = &self.changed;
        self.fields.retain(|name, (keep, _)| {
            clear.keeps(*keep) || (clear == Clear::SignIn && changed.contains(name.as_str()))
        });
        self.clear = clear;
        self.identity = identity;
    }

    /// Returns what is stored after a refused commit: a sign-out is still done (R11).
    pub fn refused(self, mut theirs: Stored) -> Stored {
        if self.signs_out {
            theirs.fields.retain(|_, (keep, _)| Clear::Identity.keeps(*keep));
            theirs.identity = None;
        }
        theirs
    }

    /// Returns what is stored after the commit if `theirs` is stored now, or an error if a merge rule rejects it.
    pub fn commit(mut self, theirs: Option<Stored>) -> Result<Option<Stored>, ()> {
        if self.changed.is_empty() && !self.writes {
            return Ok(theirs);
        }
        let theirs = if self.begins { Stored::default() } else { theirs.expect("nobody destroys it") };
        // Only changed fields are written: another version may have renamed the others meanwhile.
        let required = self.view.known.iter().filter(|known| known.required && raw(&self.fields, known).is_none());
        let required: Vec<_> = required.cloned().collect();
        // R17: fields that this view does not know stay, unless a change of identity clears them (R5).
        let mut fields = kept(&theirs.fields, self.clear);
        for known in self.view.known.iter().filter(|known| self.changed.contains(known.name)) {
            let now = raw(&fields, known).map(<[u8]>::to_vec);
            let Some((keep, ours)) = self.fields.remove(known.name) else {
                // The change of identity has cleared the field. The loaded value is gone too, whatever its mark was.
                if raw(&kept(&self.loaded, self.clear), known).is_some() {
                    fields.retain(|name, _| !known.owns(name));
                }
                continue;
            };
            fields.retain(|name, _| !known.owns(name));
            let base = raw(&self.loaded, known).unwrap_or_default();
            // A cleared value is not merged, but a value that another version renamed meanwhile is.
            let now =
                if now.is_none() && self.clear != Clear::Nothing { base.to_vec() } else { now.unwrap_or_default() };
            let value = if now != base && self.clear.keeps(keep) { join(known, [base, &now, &ours])? } else { ours };
            fields.insert(known.name.to_owned(), (keep, value));
        }
        // R16: required fields are always stored, even with their default, but a default never replaces a value.
        for known in &required {
            if raw(&fields, known).is_none() {
                fields.insert(known.name.to_owned(), (known.keep, known.default.clone().into_bytes()));
            }
        }
        Ok(Some(Stored { identity: self.identity, fields }))
    }
}

/// Merges three values. A missing value counts as the default. If a value cannot be decoded, ours replaces it, unless
/// the rule is to reject.
fn join(known: &Known, raws: [&[u8]; 3]) -> Result<Vec<u8>, ()> {
    let values = raws.map(|raw| if raw.is_empty() { Some(known.default.clone()) } else { (known.read)(raw) });
    match (known.rule, &values) {
        (Rule::Join(join), [Some(base), Some(theirs), Some(ours)]) => Ok(join([base, theirs, ours]).into_bytes()),
        (Rule::Reject, [Some(base), Some(theirs), _]) if base == theirs => Ok(raws[2].to_vec()),
        (Rule::Reject, _) => Err(()),
        (Rule::Replace | Rule::Join(_), _) => Ok(raws[2].to_vec()),
    }
}
