//! From attributes to items: `key` or `key = value`. This file does not know what a key means.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, LitStr, Meta, Path, Token};

use crate::errors::Errors;
use crate::suggest::nearest;

/// The name of an attribute, and how to write it.
pub(crate) type Usage = (&'static str, &'static str);

pub(crate) const STRUCT_USAGE: [Usage; 2] =
    [("crate", "crate = path::to::http_session"), ("rename_all", "rename_all = \"camelCase\"")];

pub(crate) const FIELD_USAGE: [Usage; 9] = [
    ("alias", "alias = \"old_name\""),
    ("default", "default = value"),
    ("identity", "identity"),
    ("keep", "keep` or `keep = \"sign_in\""),
    ("merge", "merge = \"add\""),
    ("rename", "rename = \"name\""),
    ("required", "required"),
    ("skip", "skip"),
    ("with", "with = \"module\""),
];

/// What to write instead of an attribute that a session does not have. Most of them are attributes of serde.
const FOREIGN: [(&str, &str); 9] = [
    ("bound", "remove it; the bounds follow from the types of the fields"),
    ("deserialize_with", "write `with = \"module\"`, a module with `serialize` and `deserialize`"),
    ("flatten", "the fields of a session are stored separately; write the inner fields in this struct"),
    ("name", "write `rename = \"name\"`"),
    ("serialize_with", "write `with = \"module\"`, a module with `serialize` and `deserialize`"),
    ("skip_deserializing", "write `skip`"),
    ("skip_serializing", "write `skip`"),
    ("skip_serializing_if", "remove it; a field with its default value is not stored before it changes"),
    ("user", "write `identity`"),
];

/// `key`, or `key = value`.
pub(crate) struct Item {
    pub(crate) key: Ident,
    pub(crate) value: Option<Value>,
}

/// What is written after `=`.
pub(crate) enum Value {
    Text(LitStr),
    Path(Path),
    Other(TokenStream),
}

impl ToTokens for Value {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Text(text) => text.to_tokens(tokens),
            Self::Path(path) => path.to_tokens(tokens),
            Self::Other(other) => other.to_tokens(tokens),
        }
    }
}

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if let Some(text) = whole(input, <LitStr as Parse>::parse) {
            return Ok(Self::Text(text));
        }
        if let Some(path) = whole(input, Path::parse_mod_style) {
            return Ok(Self::Path(path));
        }
        if let Some(expr) = whole(input, <Expr as Parse>::parse) {
            return Ok(Self::Other(expr.into_token_stream()));
        }
        // syn cannot parse every expression without its feature `full`, which is slow to compile: blocks, arrays and closures.
        // Their tokens go into the code unchanged, and rustc parses them.
        let rest = skip_to_comma(input)?;
        if rest.is_empty() { Err(input.error("expected a value after `=`")) } else { Ok(Self::Other(rest)) }
    }
}

/// What `parse` reads, if it reads everything up to the next comma. Otherwise it reads nothing.
fn whole<T>(input: ParseStream<'_>, parse: fn(ParseStream<'_>) -> syn::Result<T>) -> Option<T> {
    let ahead = input.fork();
    parse(&ahead).ok()?;
    if ahead.is_empty() || ahead.peek(Token![,]) { parse(input).ok() } else { None }
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut skipped = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        skipped.extend([input.parse::<TokenTree>()?]);
    }
    Ok(skipped)
}

fn parse_item(input: ParseStream<'_>, known: &[Usage]) -> syn::Result<Item> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format_args!("expected an attribute; write one of {}", list(known))));
    }
    let key = input.call(Ident::parse_any)?;
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(Item { key, value: None });
    }
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        return Ok(Item { key, value: Some(input.parse()?) });
    }
    let name = key.to_string();
    Err(match known.iter().find(|(known, _)| *known == name) {
        Some((_, usage)) => input.error(format_args!("expected `,` or `=` after `{name}`: write `{usage}`")),
        None => syn::Error::new_spanned(&key, unknown(&name, known)),
    })
}

/// The items of all `#[session(..)]` among the attributes. After a mistake, parsing goes on after the next comma.
pub(crate) fn parse_items(attributes: &[Attribute], known: &[Usage], errors: &mut Errors) -> Vec<Item> {
    let mut items = Vec::new();
    for attribute in attributes {
        // Beside a derive of serde such an attribute compiles. Without this error nobody would notice that it does nothing here.
        if attribute.path().is_ident("serde") {
            errors.at(
                attribute,
                "`#[serde(..)]` does not change how a session is stored; write `#[session(..)]` instead",
            );
        }
        if !attribute.path().is_ident("session") {
            continue;
        }
        let Meta::List(list) = &attribute.meta else {
            errors.at(attribute, "the attributes of a session are written in parentheses: write `#[session(..)]`");
            continue;
        };
        let parsed = list.parse_args_with(|input: ParseStream<'_>| {
            while !input.is_empty() {
                match parse_item(input, known) {
                    Ok(item) => items.push(item),
                    Err(error) => {
                        errors.push(error);
                        skip_to_comma(input)?;
                    }
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        });
        if let Err(error) = parsed {
            errors.push(error);
        }
    }
    items
}

fn list(known: &[Usage]) -> String {
    known.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The message for an unknown attribute, with the attribute that the user probably meant.
pub(crate) fn unknown(name: &str, known: &[Usage]) -> String {
    let names = |usage: &[Usage]| usage.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let is_field = known.len() == FIELD_USAGE.len();
    let (here, elsewhere, there): (_, &[Usage], _) = if is_field {
        ("a field", &STRUCT_USAGE, "the struct, not to a field: move it above the struct")
    } else {
        ("the struct", &FIELD_USAGE, "a field, not to the struct: move it above a field")
    };
    if names(elsewhere).contains(&name) {
        return format!("`{name}` belongs to {there}");
    }
    if let Some(near) = nearest(name, names(known)) {
        return format!("unknown attribute `{name}`; did you mean `{near}`?");
    }
    if let Some((_, instead)) = FOREIGN.iter().find(|(foreign, _)| *foreign == name && is_field) {
        return format!("unknown attribute `{name}`: {instead}");
    }
    format!("unknown attribute `{name}`; {here} takes {}", list(known))
}
