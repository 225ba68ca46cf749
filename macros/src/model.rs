//! What the user declared: the struct, its options, and the stored names that follow from them.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Fields, GenericArgument, Generics, Path, PathArguments, Type, parse_quote};

use crate::errors::Errors;
use crate::options::{DefaultValue, FieldOptions, Given, StructOptions};

/// A struct that becomes a session.
pub(crate) struct SessionModel {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    /// The path of http-session.
    pub(crate) krate: Path,
    pub(crate) fields: Vec<FieldModel>,
}

/// A field of the struct.
pub(crate) struct FieldModel {
    /// The index of the field in the struct. It names the `FieldCodec` and `FieldDefault` of the field.
    pub(crate) place: usize,
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) kind: Kind,
    /// The stored name.
    pub(crate) name: Name,
    /// Older stored names.
    pub(crate) aliases: Vec<Name>,
    pub(crate) options: FieldOptions,
}

/// Where a field's value lives.
pub(crate) enum Kind {
    /// Among the fields of the record. The number is the index in `FIELDS`.
    Stored(usize),
    /// In the identity of the record. The type is the one inside the `Option`.
    Identity(Box<Type>),
    /// Only in the handle.
    Skipped,
}

/// A name in the record, and its span in the user's code.
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl SessionModel {
    pub(crate) fn new(input: &DeriveInput, errors: &mut Errors) -> Self {
        let options = StructOptions::parse(&input.attrs, errors);
        let case = options.rename_all.map(|given| given.value);
        let mut stored = 0;
        let fields = named_fields(input, errors)
            .enumerate()
            .map(|(place, (ident, field))| {
                let options = FieldOptions::parse(&field.attrs, errors);
                let kind = Kind::new(&field.ty, &options, &mut stored, errors);
                let unrenamed = ident.unraw().to_string();
                let name = match &options.rename {
                    Some(given) => Name { text: given.value.value(), span: given.value.span() },
                    None => Name {
                        text: case.map_or_else(|| unrenamed.clone(), |case| case.apply(&unrenamed)),
                        span: ident.span(),
                    },
                };
                let older = |given: &Given<syn::LitStr>| Name { text: given.value.value(), span: given.value.span() };
                FieldModel {
                    place,
                    ident: ident.clone(),
                    ty: field.ty.clone(),
                    kind,
                    name,
                    aliases: options.aliases.iter().map(older).collect(),
                    options,
                }
            })
            .collect();
        Self {
            ident: input.ident.clone(),
            generics: input.generics.clone(),
            krate: options.krate.map_or_else(|| parse_quote!(::http_session), |given| given.value),
            fields,
        }
    }

    /// The fields that are stored under a name, in the struct's order: the order of `FIELDS`.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &FieldModel> {
        self.fields.iter().filter(|field| matches!(field.kind, Kind::Stored(_)))
    }

    /// The identity field, and the type inside its `Option`.
    pub(crate) fn identity(&self) -> Option<(&FieldModel, &Type)> {
        self.fields.iter().find_map(|field| match &field.kind {
            Kind::Identity(inner) => Some((field, inner.as_ref())),
            Kind::Stored(_) | Kind::Skipped => None,
        })
    }

    /// Whether a type mentions a parameter of the struct, so that it needs bounds in the where clause.
    pub(crate) fn is_generic(&self, ty: &Type) -> bool {
        let parameters: Vec<&Ident> = self
            .generics
            .type_params()
            .map(|parameter| &parameter.ident)
            .chain(self.generics.const_params().map(|parameter| &parameter.ident))
            .collect();
        !parameters.is_empty() && mentions(ty.to_token_stream(), &parameters)
    }
}

impl FieldModel {
    /// The default that is given, otherwise that of the trait.
    pub(crate) fn default(&self) -> &DefaultValue {
        self.options.default.as_ref().map_or(&DefaultValue::Trait, |given| &given.value)
    }

    /// The name of the field in messages.
    pub(crate) fn shown(&self) -> String {
        self.ident.unraw().to_string()
    }
}

impl Kind {
    fn new(ty: &Type, options: &FieldOptions, stored: &mut usize, errors: &mut Errors) -> Self {
        // A field with both marks counts as the identity, and `check` reports the contradiction.
        if options.identity.is_some() {
            return Self::Identity(Box::new(identity_type(ty, errors).unwrap_or(ty).clone()));
        }
        if options.skip.is_some() {
            return Self::Skipped;
        }
        *stored += 1;
        Self::Stored(*stored - 1)
    }
}

fn named_fields<'a>(
    input: &'a DeriveInput,
    errors: &mut Errors,
) -> impl Iterator<Item = (&'a Ident, &'a syn::Field)> + use<'a> {
    let name = &input.ident;
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Some(&fields.named),
            Fields::Unnamed(fields) => {
                let message =
                    format!("a session is a struct with named fields: write `struct {name} {{ field: Type }}`");
                errors.at(fields, message);
                None
            }
            Fields::Unit => {
                errors.at(name, format_args!("a session is a struct with named fields: write `struct {name} {{ field: Type }}`, or `struct {name} {{}}` if it has no fields"));
                None
            }
        },
        Data::Enum(data) => {
            let message = "a session is a struct with named fields, not an enum; the enum can be the type of a field";
            errors.at(data.enum_token, message);
            None
        }
        Data::Union(data) => {
            let message = format!(
                "a session is a struct with named fields, not a union: write `struct {name} {{ field: Type }}`"
            );
            errors.at(data.union_token, message);
            None
        }
    };
    fields.into_iter().flatten().filter_map(|field| Some((field.ident.as_ref()?, field)))
}

/// The type inside the `Option` of an identity.
fn identity_type<'a>(ty: &'a Type, errors: &mut Errors) -> Option<&'a Type> {
    let Some(inner) = option_argument(ty) else {
        let shown = match bare(ty) {
            // A longer type would make the message hard to read.
            Type::Path(path) if path.path.get_ident().is_some() => path.to_token_stream().to_string(),
            _ => "..".to_owned(),
        };
        let message = format!(
            "an identity is an `Option`, which is `None` while nobody is signed in: write `Option<{shown}>` (a type alias of an `Option` is not recognised)"
        );
        errors.at(ty, message);
        return None;
    };
    if option_argument(inner).is_some() {
        errors.at(ty, "an identity is a single `Option`: remove the other `Option`, because `Some(None)` would be signed in as nobody");
    }
    Some(inner)
}

fn option_argument(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = bare(ty) else { return None };
    // A macro sees only names. Another type that is called `Option` does not compile, since the code expects the real `Option`.
    let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if !matches!(names.as_slice(), ["Option"] | ["std" | "core", "option", "Option"]) {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    }
}

/// The type without parentheses, and without the invisible group that a `macro_rules!` puts around it.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        other => other,
    }
}

fn mentions(tokens: TokenStream, parameters: &[&Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => parameters.iter().any(|parameter| **parameter == ident),
        TokenTree::Group(group) => mentions(group.stream(), parameters),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
