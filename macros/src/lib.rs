//! The derive macro of [`http-session`](https://docs.rs/http-session). Use it through that crate, as `http_session::Session`.

use proc_macro::TokenStream;
use syn::DeriveInput;

use crate::errors::Errors;
use crate::model::SessionModel;

// 1. Each attribute by itself
mod options;
mod parse;

// 2. The struct with its attributes
mod model;

// 3. Attributes and fields that contradict each other
mod check;

// 4. The code
mod bounds;
mod expand;

mod case;
mod errors;
mod suggest;

/// Makes a struct a session. Each field is stored separately, as JSON under its name.
///
/// ```
/// use http_session::Session;
/// # type UserId = u64;
/// # type Item = String;
///
/// #[derive(Session)]
/// struct Visit {
///     views: u64,
///     #[session(identity)]
///     user: Option<UserId>,
///     #[session(merge = "append", keep = "sign_in")]
///     cart: Vec<Item>,
///     notice: Option<String>,
/// }
/// ```
///
/// # What the type of a field needs
///
/// - `Serialize` and `DeserializeOwned` of serde, because fields are stored as JSON.
/// - `PartialEq`, because a field is written only if it changed.
/// - `Default`, or the attribute [`default = value`](#default), for a field that is not stored yet.
///
/// The struct itself needs no trait, not even `Clone`. It owns its data, so it has no lifetime parameter. The derive adds the
/// bounds that the types of generic fields need.
///
/// `PartialEq` decides what a change is. A map in another order or `1` instead of `1.0` is not a change, and the stored bytes
/// stay as they are. A change that `==` does not see is not written. A value that does not equal itself, such as NaN, counts as
/// a change each time, unless its bytes are the stored bytes. (JSON has no NaN. serde_json writes `null`, which it cannot read
/// back as a float.) A field that has its default value and was never stored is not stored.
///
/// # Attributes of the struct
///
/// | attribute | meaning |
/// |---|---|
/// | `rename_all = "camelCase"` | the style of the stored names: one of serde's `lowercase`, `UPPERCASE`, `PascalCase`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case`, `SCREAMING-KEBAB-CASE` |
/// | `crate = path` | the path of http-session, if it is renamed or re-exported; otherwise `::http_session` |
///
/// # Attributes of a field
///
/// | attribute | meaning |
/// |---|---|
/// | `rename = "name"` | the stored name |
/// | `alias = "old_name"` | an older stored name; may be repeated |
/// | `default = value` | the value of a field that is not stored |
/// | `with = "module"` | the module that reads and writes the value |
/// | `skip` | never stored |
/// | `identity` | the user who is signed in |
/// | `required` | always stored; if its value does not decode, there is no session |
/// | `keep`, `keep = "sign_in"` | stays when the identity changes |
/// | `merge = "rule"` | what happens if two requests change the field |
///
/// `#[serde(..)]` has no effect on a session, so it is an error on this struct. The types of the fields use it as usual.
///
/// ## `rename`, `alias`
///
/// A field is read under its name. If that is missing, it is read under the first of its aliases that is stored. Writing the
/// field removes its aliases from the store. Each name or alias may belong to only one field of the struct. The name `cookie`
/// is reserved, because a session's own cookie attributes are stored under it.
///
/// ## `default`
///
/// The value of a field that is not stored, or that does not decode. It may be any expression: `default = 10`,
/// `default = Theme::Dark` or `default = Basket::new()`. As in serde, a string is the path of a function to call:
/// `default = "Basket::new"`. `default` without a value means `Default::default()`, as does a field without this attribute.
///
/// A default should be the same value each time. A field that is not stored is compared with a new default whenever the session
/// is checked for changes. A default such as the time of day therefore counts as a change, until the field is stored.
///
/// ```
/// # #[derive(PartialEq, serde::Serialize, serde::Deserialize)]
/// # enum Theme { Light, Dark }
/// # use http_session::Session;
/// #[derive(Session)]
/// struct Settings {
///     #[session(default = Theme::Dark)]
///     theme: Theme,
///     #[session(default = 25)]
///     page_size: u32,
/// }
/// ```
///
/// ## `with`
///
/// The path of a module with the functions `serialize` and `deserialize`, as in serde. It may be written with or without
/// quotes. On an identity field, the module gets the type inside the `Option`.
///
/// ## `skip`
///
/// The field is never stored, and a new value is never a change. It starts with its default, and keeps its value as long as the
/// handle lives: `save`, `reload` and sign-ins do not reset it. Another handle in the same request has its own value. `default`
/// is the only other attribute that such a field may have.
///
/// ## `identity`
///
/// The user who is signed in. At most one field may be marked, and its type is `Option<..>`. A macro cannot see through a type
/// alias, so write the `Option` itself. The identity's type must be at least as visible as the struct.
///
/// A change of this field is a sign-in, a sign-out, or a switch to another user. The cookie is replaced, the old cookie becomes
/// useless, and the other fields are cleared. Use an id, not a profile: an updated profile would count as another user.
///
/// The identity is stored apart from the fields, has no stored name, and never merges. Therefore `rename`, `alias`, `default`,
/// `required`, `keep`, `merge` and `skip` are errors on this field.
///
/// ## `required`
///
/// If the stored value of a required field does not decode, there is no session for this struct. A field without this attribute
/// has its default value in that case, an event reports it, and the stored bytes stay until the field changes.
///
/// A required field is stored even if it has its default value. A new session begins with the default, so `required` and
/// `default = value` may be combined.
///
/// ## `keep`
///
/// A change of the identity clears all fields, except the fields marked `keep`. If nobody was signed in before, the fields
/// marked `keep = "sign_in"` stay too.
///
/// ## `merge`
///
/// What happens if another request has changed the field since this request loaded it. `replace` is the default. Each other
/// rule, except `reject`, is a trait in `http_session::merge` that your types may implement. In the table, "theirs" is the value
/// that the other request has stored, and "ours" is the value of this request.
///
/// | rule | for | result |
/// |---|---|---|
/// | `"replace"` | all types | ours |
/// | `"add"` | numbers, `Duration` | theirs, plus what we added |
/// | `"max"`, `"min"` | types with an order | the larger, the smaller |
/// | `"append"` | `Vec`, `VecDeque`, `String` | theirs, then what we appended |
/// | `"union"` | `HashSet`, `BTreeSet` | what either has, without what either removed |
/// | `"keys"` | `HashMap`, `BTreeMap` | each key merged separately |
/// | `"reject"` | all types | our commit fails with a 409 |
/// | `path` or `"path"` | all types | the result of this function |
///
/// ```
/// # use http_session::Session;
/// #[derive(Session)]
/// struct Draft {
///     #[session(merge = longest)]
///     text: String,
/// }
///
/// fn longest(_base: String, theirs: String, ours: String) -> String {
///     if theirs.len() > ours.len() { theirs } else { ours }
/// }
/// ```
#[proc_macro_derive(Session, attributes(session))]
pub fn derive_session(input: TokenStream) -> TokenStream {
    match syn::parse::<DeriveInput>(input) {
        Ok(input) => derive(&input).into(),
        Err(error) => error.into_compile_error().into(),
    }
}

fn derive(input: &DeriveInput) -> proc_macro2::TokenStream {
    let (model, errors) = examine(input);
    if errors.is_empty() {
        return expand::expand(&model);
    }
    let mut code = errors.to_compile_errors();
    // Without an implementation, each use of the struct would be one more error.
    code.extend(expand::fallback(&model));
    code
}

/// Reads the struct, and finds all mistakes in it.
fn examine(input: &DeriveInput) -> (SessionModel, Errors) {
    let mut errors = Errors::default();
    let model = SessionModel::new(input, &mut errors);
    check::check(&model, &mut errors);
    (model, errors)
}

#[cfg(test)]
mod tests;
