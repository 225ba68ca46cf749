//! Rules over more than one option or field.

use std::collections::HashMap;

use proc_macro2::{Ident, Span};
use syn::{GenericParam, Type};

use crate::errors::Errors;
use crate::model::{FieldModel, Kind, Name, SessionModel, bare};
use crate::options::FieldOptions;

pub(crate) fn check(model: &SessionModel, errors: &mut Errors) {
    check_generics(model, errors);
    check_identities(model, errors);
    for field in &model.fields {
        match field.kind {
            Kind::Identity(_) => check_identity(field, errors),
            Kind::Skipped => check_skipped(field, errors),
            Kind::Stored(_) => {}
        }
        check_owned(model, field, errors);
    }
    check_names(model, errors);
}

/// A session outlives the request that filled it.
fn check_generics(model: &SessionModel, errors: &mut Errors) {
    for parameter in &model.generics.params {
        if let GenericParam::Lifetime(parameter) = parameter {
            let lifetime = &parameter.lifetime;
            errors.at(
                lifetime,
                format_args!("a session owns its data: remove `{lifetime}` and write `String` for `&{lifetime} str`"),
            );
        }
    }
}

fn check_owned(model: &SessionModel, field: &FieldModel, errors: &mut Errors) {
    if matches!(field.kind, Kind::Skipped) || field.options.with.is_some() {
        return;
    }
    let stored = match &field.kind {
        Kind::Identity(inner) => inner,
        Kind::Stored(_) | Kind::Skipped => &field.ty,
    };
    // Where the struct has a lifetime, the message is there.
    if let (Type::Reference(reference), None) = (bare(stored), model.generics.lifetimes().next()) {
        errors.at(
            reference,
            "a session owns its data, and this borrows: write `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`",
        );
    }
}

/// R5: the row has one place for the identity.
fn check_identities(model: &SessionModel, errors: &mut Errors) {
    let mut identities =
        model.fields.iter().filter_map(|field| field.options.identity.as_ref().map(|given| (field, &given.key)));
    let Some((first, _)) = identities.next() else { return };
    for (_, key) in identities {
        errors.at(
            key,
            format_args!("a session has one identity, and `{}` is it; remove one of the two `identity`", first.shown()),
        );
    }
}

fn check_identity(field: &FieldModel, errors: &mut Errors) {
    for (key, has) in given(&field.options) {
        let why = match has {
            "alias" | "rename" => "it is stored in a place of its own, under no name",
            "default" => "without a value nobody is signed in",
            "keep" => "it is what the other fields are kept or cleared by",
            "merge" => "it never merges: of two sign-ins, one wins",
            "required" => "one that does not decode always means no session",
            "skip" => "one that is not stored would sign nobody in",
            _ => continue,
        };
        errors.at(key, format_args!("remove `{has}`: this field is the identity, and {why}"));
    }
}

fn check_skipped(field: &FieldModel, errors: &mut Errors) {
    for (key, has) in given(&field.options) {
        if !matches!(has, "default" | "skip") {
            errors.at(key, format_args!("remove `{has}` or `skip`: a skipped field is never stored"));
        }
    }
}

/// The options that a field has.
fn given(options: &FieldOptions) -> Vec<(&Ident, &'static str)> {
    let FieldOptions { rename, aliases, default, with, skip, identity, required, keep, merge } = options;
    let mut given: Vec<(&Ident, &'static str)> = Vec::new();
    given.extend(rename.as_ref().map(|option| (&option.key, "rename")));
    given.extend(aliases.iter().map(|option| (&option.key, "alias")));
    given.extend(default.as_ref().map(|option| (&option.key, "default")));
    given.extend(with.as_ref().map(|option| (&option.key, "with")));
    given.extend(skip.as_ref().map(|option| (&option.key, "skip")));
    given.extend(identity.as_ref().map(|option| (&option.key, "identity")));
    given.extend(required.as_ref().map(|option| (&option.key, "required")));
    given.extend(keep.as_ref().map(|option| (&option.key, "keep")));
    given.extend(merge.as_ref().map(|option| (&option.key, "merge")));
    given
}

/// R15: a stored name leads to one field.
fn check_names(model: &SessionModel, errors: &mut Errors) {
    let mut owners: HashMap<&str, &FieldModel> = HashMap::new();
    for field in model.stored() {
        for name in std::iter::once(&field.name).chain(&field.aliases) {
            check_name(field, name, errors);
            let Some(owner) = owners.insert(&name.text, field) else { continue };
            let text = &name.text;
            let message = if owner.place == field.place {
                format!("this field already has the name {text:?}; remove the alias")
            } else {
                format!("the name {text:?} is taken by the field `{}`; choose another", owner.shown())
            };
            errors.push(syn::Error::new(name.span, message));
        }
    }
    for field in &model.fields {
        if matches!(field.kind, Kind::Identity(_)) && field.shown() == RESERVED {
            reserved(field.ident.span(), errors);
        }
    }
}

const RESERVED: &str = "cookie";

fn check_name(field: &FieldModel, name: &Name, errors: &mut Errors) {
    if name.text == RESERVED {
        reserved(name.span, errors);
    }
    if name.text.is_empty() {
        let message = format!("the stored name of `{}` is empty; write `rename = \"name\"`", field.shown());
        errors.push(syn::Error::new(name.span, message));
    }
}

fn reserved(span: Span, errors: &mut Errors) {
    let message =
        "the name `cookie` is reserved: a session's own cookie attributes are stored under it; choose another name";
    errors.push(syn::Error::new(span, message));
}
