//! The derive macro of http-session. Use it as `http_session::Session`.

use proc_macro::TokenStream;
use syn::DeriveInput;

use crate::errors::Errors;
use crate::model::SessionModel;

// 1. what stands in the attributes, one by one
mod options;
mod parse;

// 2. the struct as declared
mod model;

// 3. what contradicts
mod check;

// 4. the code
mod bounds;
mod expand;

mod case;
mod errors;
mod suggest;

/// Makes a struct a session: each field is stored by itself, as JSON under its name.
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
/// # What a field's type needs
///
/// `Serialize` and `DeserializeOwned` of serde; `PartialEq`, because a field is written when it changed; and `Default`, because
/// it may not be stored yet (or [`default = ..`](#default)). The struct itself needs nothing, not even `Clone`. It owns its
/// data: it has no lifetime. Its type parameters get the bounds that its fields' types need.
///
/// `PartialEq` decides what a change is: a map whose entries come in another order and `1` for `1.0` are none, and so the
/// stored bytes stay. A part that `==` passes over is not written when it alone changes. What does not equal itself, as
/// NaN, counts as a change at every flush, unless its bytes are the stored ones (and as JSON a NaN is `null`, which a float
/// does not read again). A field that has its default and was never stored is not stored.
///
/// # Attributes of the struct
///
/// | attribute | meaning |
/// |---|---|
/// | `rename_all = "camelCase"` | the style of the stored names: one of serde's `lowercase`, `UPPERCASE`, `PascalCase`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case`, `SCREAMING-KEBAB-CASE` |
/// | `crate = path` | where http-session is, when it is renamed or re-exported; `::http_session` otherwise |
///
/// # Attributes of a field
///
/// | attribute | meaning |
/// |---|---|
/// | `rename = "name"` | the stored name |
/// | `alias = "old_name"` | an older stored name; may be repeated |
/// | `default = value` | the value while nothing is stored |
/// | `with = "module"` | the module that reads and writes the value |
/// | `skip` | never stored |
/// | `identity` | who is signed in |
/// | `required` | no session without it, and always stored |
/// | `keep`, `keep = "sign_in"` | outlives a change of identity |
/// | `merge = "rule"` | what becomes of it when two requests change it |
///
/// `#[serde(..)]` says nothing about a session, and is an error here. The types of fields use it as ever.
///
/// ## `rename`, `alias`
///
/// A field is read under its name or, when that is absent, under the first of its aliases that is stored. When the field is
/// written its aliases are removed. Within one struct each name and alias leads to one field. The name `cookie` is reserved: a
/// session's own cookie attributes are stored under it.
///
/// ## `default`
///
/// The value of a field that is not stored, or does not decode. `default = value` takes any expression, such as
/// `default = 10` or `default = Theme::Dark` or `default = Basket::new()`; a string names a function to call, as in serde:
/// `default = "Basket::new"`. A plain `default` is `Default::default()`, which is what happens without it.
///
/// A default is to give the same value each time. A field that is not stored is compared with a new default at every flush: one
/// that is not deterministic, such as the time of day, counts as a change each time, until it is stored.
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
/// A module with `serialize` and `deserialize`, as in serde; a path or a string. Of an identity it sees the type inside of the
/// `Option`.
///
/// ## `skip`
///
/// The field keeps its value as long as the handle lives, through `save`, `reload` and sign-ins too: it starts with its
/// default, is never stored and never a change. Another handle of the request has its own. Only `default` goes along with
/// it.
///
/// ```
/// # use http_session::Session;
/// #[derive(Session)]
/// struct Visit {
///     views: u64,
///     #[session(skip)]
///     parsed: Option<Vec<String>>,
/// }
/// ```
///
/// ## `identity`
///
/// Who is signed in: one field, of type `Option<..>` (spelled out, since a macro does not see through an alias). A change of it
/// is a sign-in, a sign-out or a switch: the session gets a new secret, and the other fields start afresh. Use an id, not a
/// profile: a changed profile would be a switch. The identity is stored apart from the fields, under no name, and never
/// merges, so `rename`, `alias`, `default`, `required`, `keep`, `merge` and `skip` do not go along with it. Its type is as
/// visible as the struct. The session needs a store that commits conditionally.
///
/// ## `required`
///
/// For this struct there is no session when the stored value does not decode; a field without the mark takes its default
/// then, with an event, and its bytes stay until the value changes. Also, a required field is stored even as its default. A
/// new session begins with the field's default, so `required` and `default = value` go together well: the one says what stored
/// data may look like, the other how a session begins.
///
/// ## `keep`
///
/// At a sign-in, a sign-out or a switch all fields are cleared, except those marked `keep`; and at the sign-in of an anonymous
/// visitor those marked `keep = "sign_in"`.
///
/// ## `merge`
///
/// What becomes of a field that another request changed between our load and our commit. Each rule but `replace` and `reject`
/// is a trait in `http_session::merge`, which your types may implement. With any rule but `replace` the session needs a store
/// that commits conditionally.
///
/// | rule | for | result |
/// |---|---|---|
/// | `"replace"` | everything; the default | ours |
/// | `"add"` | numbers, `Duration` | theirs, and what we added |
/// | `"max"`, `"min"` | what has an order | the larger, the smaller |
/// | `"append"` | `Vec`, `VecDeque`, `String` | theirs, and the tail that we appended |
/// | `"union"` | `HashSet`, `BTreeSet` | what either has, less what either took away |
/// | `"keys"` | `HashMap`, `BTreeMap` | each key by itself |
/// | `"reject"` | everything | our commit fails, with a 409 |
/// | `path` or `"path"` | everything | what the function says |
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
    code.extend(expand::fallback(&model));
    code
}

/// The struct, and all that is wrong with it.
fn examine(input: &DeriveInput) -> (SessionModel, Errors) {
    let mut errors = Errors::default();
    let model = SessionModel::new(input, &mut errors);
    check::check(&model, &mut errors);
    (model, errors)
}

#[cfg(test)]
mod tests;
