//! The bounds of generic fields.
//!
//! Only types that mention a parameter of the struct get bounds. For any other type rustc checks the generated code itself. A
//! bound on such a type would repeat the error at every use of the struct.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::Ident;

use crate::model::{FieldModel, Kind, SessionModel};
use crate::options::{DefaultValue, Merge};

/// The predicates that a field adds to the where clause.
pub(crate) fn bounds(model: &SessionModel, field: &FieldModel, private: &TokenStream) -> Vec<TokenStream> {
    let ty = match &field.kind {
        Kind::Identity(inner) => inner,
        Kind::Stored(_) | Kind::Skipped => &field.ty,
    };
    if !model.is_generic(ty) {
        return Vec::new();
    }
    let mut bounds = Vec::new();
    if !matches!(field.kind, Kind::Skipped) {
        bounds.push(quote!(#ty: ::core::cmp::PartialEq));
        if field.options.with.is_none() {
            bounds.push(quote!(#ty: #private::Serialize + #private::DeserializeOwned));
        }
    }
    if !matches!(field.kind, Kind::Identity(_)) && matches!(field.default(), DefaultValue::Trait) {
        bounds.push(quote!(#ty: ::core::default::Default));
    }
    // A merge function needs no bound, because it takes values of the field's own type.
    if let Some(Merge::Rule(rule)) = field.options.merge.as_ref().map(|given| &given.value) {
        let (krate, of_trait) = (&model.krate, format_ident!("{}", rule.of_trait));
        bounds.push(quote!(#ty: #krate::merge::#of_trait));
    }
    bounds
}

/// The name of a local variable that the user's code cannot see, and that cannot hide a name of theirs.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
