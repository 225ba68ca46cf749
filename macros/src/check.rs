//! Mistakes that concern more than one attribute or field.

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

/// A session outlives the request whose data it could borrow.
fn check_generics(model: &SessionModel, errors: &mut Errors) {
    for parameter in &model.generics.params {
        if let GenericParam::Lifetime(parameter) = parameter {
            let lifetime = &parameter.lifetime;
            errors.at(
                lifetime,
                format_args!(
                    "a session owns its data: remove `{lifetime}`, and write `String` instead of `&{lifetime} str`"
                ),
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
    // If the struct has a lifetime, `check_generics` has reported it already.
    if let (Type::Reference(reference), None) = (bare(stored), model.generics.lifetimes().next()) {
        errors.at(
            reference,
            "a session owns its data, but this type borrows: write `String` instead of `&str`, `Vec<T>` instead of `&[T]`, or `T` instead of `&T`",
        );
    }
}

/// R5: a record has one identity.
fn check_identities(model: &SessionModel, errors: &mut Errors) {
    let mut identities =
        model.fields.iter().filter_map(|field| field.options.identity.as_ref().map(|given| (field, &given.key)));
    let Some((first, _)) = identities.next() else { return };
    for (_, key) in identities {
        errors.at(
            key,
            format_args!(
                "a session has one identity, and `{}` is marked already: remove `identity` from one of the two fields",
                first.shown()
            ),
        );
    }
}

fn check_identity(field: &FieldModel, errors: &mut Errors) {
    for (key, has) in given(&field.options) {
        let why = match has {
            "alias" | "rename" => "which is stored apart from the other fields, without a name",
            "default" => "which is `None` until somebody signs in",
            "keep" => "which decides whether the other fields are kept",
            "merge" => "which never merges: if two requests sign in, one of them wins",
            "required" => "and if an identity does not decode, there is never a session",
            "skip" => "which must be stored, or nobody would stay signed in",
            _ => continue,
        };
        errors.at(key, format_args!("remove `{has}`: this field is the identity, {why}"));
    }
}

fn check_skipped(field: &FieldModel, errors: &mut Errors) {
    for (key, has) in given(&field.options) {
        if !matches!(has, "default" | "skip") {
            errors.at(key, format_args!("remove `{has}` or `skip`: a skipped field is never stored"));
        }
    }
}

/// The options that a field has, with their names.
fn given(options: &FieldOptions) -> Vec<(&Ident, &'static str)> {
    // All fields by name, so that a new option does not compile before it is listed here.
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

/// R15: a stored name belongs to one field.
fn check_names(model: &SessionModel, errors: &mut Errors) {
    let mut owners: HashMap<&str, &FieldModel> = HashMap::new();
    for field in model.stored() {
        for name in std::iter::once(&field.name).chain(&field.aliases) {
            check_name(field, name, errors);
            let Some(owner) = owners.insert(&name.text, field) else { continue };
            let text = &name.text;
            let message = if owner.place == field.place {
                format!("this field has the stored name {text:?} already; remove the alias")
            } else {
                format!(
                    "the stored name {text:?} belongs to the field `{}` already; choose another name",
                    owner.shown()
                )
            };
            errors.push(syn::Error::new(name.span, message));
        }
    }
    // R27: the native format stores the identity without a name, but the express format stores it under the name of its field.
    for field in &model.fields {
        if matches!(field.kind, Kind::Identity(_)) && field.shown() == RESERVED_NAME {
            reserved(field.ident.span(), errors);
        }
    }
}

const RESERVED_NAME: &str = "cookie";

fn check_name(field: &FieldModel, name: &Name, errors: &mut Errors) {
    if name.text == RESERVED_NAME {
        reserved(name.span, errors);
    }
    if name.text.is_empty() {
        let message = if field.name.text.is_empty() {
            format!("the stored name of `{}` is empty; write `rename = \"name\"`", field.shown())
        } else {
            format!("an alias of `{}` is empty; write `alias = \"old_name\"`, or remove it", field.shown())
        };
        errors.push(syn::Error::new(name.span, message));
    }
}

fn reserved(span: Span, errors: &mut Errors) {
    let message = "the name `cookie` is reserved for the session's own cookie attributes; choose another name";
    errors.push(syn::Error::new(span, message));
}
