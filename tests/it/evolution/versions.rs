//! Session types of the versions that share a store, and what the model knows of each.

use http_session::Session;
use http_session::SessionData;
use http_session::merge::{MergeAdd, MergeAppend, MergeMax};
use http_session::record::Keep;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads raw JSON as a type and writes it again. `None` if the type cannot read it.
pub type Read = fn(&[u8]) -> Option<String>;

/// How a field is merged that another request changed too, given base, theirs and ours as the field's type writes them.
#[derive(Clone, Copy)]
pub enum Rule {
    Replace,
    Join(fn([&str; 3]) -> String),
    Reject,
}

/// What the model knows of a field. Written by hand, so that it is independent of the derive.
#[derive(Clone)]
pub struct Known {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub keep: Keep,
    pub required: bool,
    pub default: String,
    pub read: Read,
    pub rule: Rule,
}

fn read<V: DeserializeOwned + Serialize>(raw: &[u8]) -> Option<String> {
    serde_json::from_slice::<V>(raw).ok().map(|value| serde_json::to_string(&value).unwrap())
}

fn parsed<V: DeserializeOwned>(raw: &str) -> V {
    serde_json::from_str(raw).unwrap()
}

fn known<V: DeserializeOwned + Serialize + Default>(name: &'static str) -> Known {
    let default = serde_json::to_string(&V::default()).unwrap();
    Known { name, aliases: &[], keep: Keep::No, required: false, default, read: read::<V>, rule: Rule::Replace }
}

impl Known {
    fn alias(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    fn keep(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }

    fn required(self) -> Self {
        Self { required: true, ..self }
    }

    fn default(self, default: &str) -> Self {
        Self { default: default.to_owned(), ..self }
    }

    fn reject(self) -> Self {
        Self { rule: Rule::Reject, ..self }
    }

    fn join(self, join: fn([&str; 3]) -> String) -> Self {
        Self { rule: Rule::Join(join), ..self }
    }

    pub fn owns(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

fn add(raws: [&str; 3]) -> String {
    let [base, theirs, ours] = raws.map(parsed::<u64>);
    MergeAdd::merge_add(base, theirs, ours).to_string()
}

fn max(raws: [&str; 3]) -> String {
    let [base, theirs, ours] = raws.map(parsed::<u64>);
    MergeMax::merge_max(base, theirs, ours).to_string()
}

fn append(raws: [&str; 3]) -> String {
    let [base, theirs, ours] = raws.map(parsed::<Vec<String>>);
    serde_json::to_string(&MergeAppend::merge_append(base, theirs, ours)).unwrap()
}

/// The session type of a version of a program.
pub trait Version: SessionData + Send + 'static {
    fn known() -> Vec<Known>;

    /// Returns how the identity is read, if this version has an identity.
    fn identity() -> Option<Read>;

    /// Sets the field at an index to a value that its type can read.
    fn set(&mut self, place: usize, raw: &str);

    /// Returns all fields as their types write them.
    fn shown(&self) -> Vec<String>;

    fn user(&self) -> Option<String>;

    fn sign_in(session: &mut Session<Self>, raw: &str);

    fn sign_out(session: &mut Session<Self>);
}

macro_rules! version {
    ($version:ident, $($user:ident: $id:ty)?, { $($field:ident: $known:expr,)* }) => {
        impl Version for $version {
            fn known() -> Vec<Known> {
                vec![$($known),*]
            }

            fn identity() -> Option<Read> {
                None$(.or(Some(read::<$id> as Read)))?
            }

            fn set(&mut self, place: usize, raw: &str) {
                let names = [$(stringify!($field)),*];
                match names[place] {
                    $(stringify!($field) => self.$field = parsed(raw),)*
                    _ => unreachable!(),
                }
            }

            fn shown(&self) -> Vec<String> {
                vec![$(serde_json::to_string(&self.$field).unwrap()),*]
            }

            fn user(&self) -> Option<String> {
                None$(.or(self.$user.as_ref().map(|user| serde_json::to_string(user).unwrap())))?
            }

            fn sign_in(_session: &mut Session<Self>, _raw: &str) {
                $(_session.sign_in(parsed::<$id>(_raw));)?
            }

            fn sign_out(_session: &mut Session<Self>) {
                $(_session.$user = None;)?
            }
        }
    };
}

#[derive(Session)]
pub struct First {
    #[session(identity)]
    user: Option<String>,
    views: u64,
    colour: String,
    #[session(keep = "sign_in")]
    cart: Vec<String>,
    retired: u8,
}
version!(First, user: String, {
    views: known::<u64>("views"),
    colour: known::<String>("colour"),
    cart: known::<Vec<String>>("cart").keep(Keep::SignIn),
    retired: known::<u8>("retired"),
});

/// Renames `colour`, drops `retired`, adds `language` and merge rules.
#[derive(Session)]
pub struct Renamed {
    #[session(identity)]
    user: Option<String>,
    #[session(merge = "add")]
    views: u64,
    #[session(alias = "colour", keep)]
    theme: String,
    #[session(keep = "sign_in", merge = "append")]
    cart: Vec<String>,
    #[session(default = "en".to_owned())]
    language: String,
}
version!(Renamed, user: String, {
    views: known::<u64>("views").join(add),
    theme: known::<String>("theme").alias(&["colour"]).keep(Keep::Always),
    cart: known::<Vec<String>>("cart").keep(Keep::SignIn).join(append),
    language: known::<String>("language").default("\"en\""),
});

/// The same names with other types.
#[derive(Session)]
pub struct Retyped {
    #[session(identity)]
    user: Option<String>,
    views: Vec<String>,
    #[session(alias = "colour")]
    theme: Option<String>,
    cart: bool,
    retired: Option<String>,
}
version!(Retyped, user: String, {
    views: known::<Vec<String>>("views"),
    theme: known::<Option<String>>("theme").alias(&["colour"]),
    cart: known::<bool>("cart"),
    retired: known::<Option<String>>("retired"),
});

/// An identity with another type and another name.
#[derive(Session)]
pub struct Numbered {
    #[session(identity)]
    account: Option<u64>,
    views: u64,
    #[session(keep)]
    note: Option<String>,
}
version!(Numbered, account: u64, {
    views: known::<u64>("views"),
    note: known::<Option<String>>("note").keep(Keep::Always),
});

/// The view of a library.
#[derive(Session)]
pub struct Library {
    #[session(keep)]
    token: Option<String>,
    note: String,
}
version!(Library, , {
    token: known::<Option<String>>("token").keep(Keep::Always),
    note: known::<String>("note"),
});

#[derive(Session)]
pub struct Strict {
    #[session(required, default = "free".to_owned())]
    plan: String,
    views: u64,
}
version!(Strict, , {
    plan: known::<String>("plan").required().default("\"free\""),
    views: known::<u64>("views"),
});

/// Requires a field of another type, and a field that other versions call `note`.
#[derive(Session)]
pub struct Stricter {
    #[session(identity)]
    user: Option<String>,
    #[session(required)]
    plan: u64,
    #[session(required, alias = "note", keep)]
    remark: String,
    language: String,
}
version!(Stricter, user: String, {
    plan: known::<u64>("plan").required(),
    remark: known::<String>("remark").alias(&["note"]).required().keep(Keep::Always),
    language: known::<String>("language"),
});

/// A field that was renamed twice.
#[derive(Session)]
pub struct Chained {
    #[session(identity)]
    user: Option<String>,
    #[session(alias = "theme", alias = "colour", keep = "sign_in")]
    look: String,
    #[session(rename = "retired", alias = "plan")]
    old: Option<u8>,
}
version!(Chained, user: String, {
    look: known::<String>("look").alias(&["theme", "colour"]).keep(Keep::SignIn),
    old: known::<Option<u8>>("retired").alias(&["plan"]),
});

/// The same fields with other marks.
#[derive(Session)]
pub struct Marked {
    #[session(identity)]
    user: Option<String>,
    #[session(keep)]
    views: u64,
    theme: String,
    #[session(keep)]
    cart: Vec<String>,
    #[session(keep = "sign_in")]
    note: String,
}
version!(Marked, user: String, {
    views: known::<u64>("views").keep(Keep::Always),
    theme: known::<String>("theme"),
    cart: known::<Vec<String>>("cart").keep(Keep::Always),
    note: known::<String>("note").keep(Keep::SignIn),
});

/// The same fields with other defaults.
#[derive(Session)]
pub struct Defaults {
    #[session(identity)]
    user: Option<String>,
    #[session(default = 7)]
    views: u64,
    #[session(default = vec!["a".to_owned()])]
    cart: Vec<String>,
    #[session(default = "dark".to_owned())]
    theme: String,
}
version!(Defaults, user: String, {
    views: known::<u64>("views").default("7"),
    cart: known::<Vec<String>>("cart").default("[\"a\"]"),
    theme: known::<String>("theme").default("\"dark\""),
});

/// The same fields with other merge rules.
#[derive(Session)]
pub struct Ruled {
    #[session(merge = "max", default = 1)]
    views: u64,
    #[session(merge = "reject", alias = "colour")]
    theme: String,
    #[session(merge = "append", alias = "basket", default = vec!["a".to_owned()])]
    cart: Vec<String>,
}
version!(Ruled, , {
    views: known::<u64>("views").join(max).default("1"),
    theme: known::<String>("theme").alias(&["colour"]).reject(),
    cart: known::<Vec<String>>("cart").alias(&["basket"]).join(append).default("[\"a\"]"),
});

/// Fields that can read any JSON.
#[derive(Session)]
pub struct Anything {
    #[session(identity)]
    user: Option<Value>,
    views: Value,
    theme: Value,
    #[session(keep)]
    note: Value,
}
version!(Anything, user: Value, {
    views: known::<Value>("views"),
    theme: known::<Value>("theme"),
    note: known::<Value>("note").keep(Keep::Always),
});

/// Shares no field with the others.
#[derive(Session)]
pub struct Stranger {
    #[session(rename = "имя")]
    name: String,
}
version!(Stranger, , {
    name: known::<String>("имя"),
});
