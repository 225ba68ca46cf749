//! From the model to code.
//!
//! Every path is absolute, because the user's module may hide any name, those of the prelude too. Code that does not compile for
//! some types of fields is written once for each field, with the tokens of the type in it. So rustc reports the type once, and
//! points to where the user wrote it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Type};

use crate::bounds::{bounds, local};
use crate::model::{FieldModel, Kind, SessionModel};
use crate::options::{DefaultValue, Keep, Merge};

/// The code for a struct without mistakes.
pub(crate) fn expand(model: &SessionModel) -> TokenStream {
    let expansion = Expansion::new(model);
    let session_data = expansion.session_data();
    let identity = expansion.has_identity();
    let codecs = model.fields.iter().map(|field| expansion.codec_of(field));
    let defaults = model.fields.iter().map(|field| expansion.default_of(field));
    quote! { #session_data #identity #(#codecs #defaults)* }
}

/// The code for a struct with mistakes. It only lets the uses of the struct compile, so that rustc reports no further errors.
/// `loop {}` has every type, and needs nothing of the field's types.
pub(crate) fn fallback(model: &SessionModel) -> TokenStream {
    let krate = &model.krate;
    let private = quote!(#krate::__private);
    let ident = &model.ident;
    let (parameters, arguments, where_clause) = model.generics.split_for_impl();
    let has_identity = model.identity().map(|(_, inner)| {
        quote! {
            impl #parameters #private::HasIdentity for #ident #arguments #where_clause {
                type Identity = #inner;
                fn identity_mut(&mut self) -> &mut ::core::option::Option<Self::Identity> { loop {} }
                fn identity_json(_: &Self::Identity, _: &mut #private::Vec<u8>) -> #private::JsonResult<()> { loop {} }
            }
        }
    });
    quote! {
        impl #parameters #private::SessionData for #ident #arguments #where_clause {
            const FIELDS: &'static [#private::Field] = &[];
            const HAS_IDENTITY: bool = false;
            fn decode(_: &mut #private::FieldReader<'_>) -> ::core::result::Result<Self, #private::Unreadable> { loop {} }
            fn encode(&self, _: &mut #private::FieldWriter<'_>) {}
            fn encode_identity(&self, _: &mut #private::FieldWriter<'_>) {}
        }
        #has_identity
    }
}

/// What each part of the code needs.
struct Expansion<'a> {
    model: &'a SessionModel,
    private: TokenStream,
    where_clause: TokenStream,
}

impl<'a> Expansion<'a> {
    fn new(model: &'a SessionModel) -> Self {
        let krate = &model.krate;
        let private = quote!(#krate::__private);
        let given = model.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
        let needed = model.fields.iter().flat_map(|field| bounds(model, field, &private));
        let where_clause = quote!(where #(#given,)* #(#needed,)*);
        Self { model, private, where_clause }
    }

    fn session_data(&self) -> TokenStream {
        let Self { model, private, .. } = self;
        let (reader, writer) = (local("reader"), local("writer"));
        let fields = model.stored().map(|field| self.field_const(field));
        let values = model.fields.iter().map(|field| self.decode_field(field, &reader));
        let encoded = model.fields.iter().map(|field| self.encode_field(field, &writer));
        let skipped: Vec<_> =
            model.fields.iter().filter(|field| matches!(field.kind, Kind::Skipped)).map(|field| &field.ident).collect();
        let before = local("before");
        let carry_skipped = (!skipped.is_empty()).then(|| {
            quote! {
                fn carry_skipped(&mut self, #before: &mut Self) {
                    #(::core::mem::swap(&mut self.#skipped, &mut #before.#skipped);)*
                }
            }
        });
        let has_identity = model.identity().is_some();
        let encode_identity = model.identity().map(|(field, inner)| {
            let (ident, codec) = (&field.ident, self.codec(field));
            quote!(#writer.identity::<#inner>(&self.#ident, #codec::encode, #codec::decode);)
        });
        // The identity comes first, because a change of it clears fields (R5).
        let identity_first =
            has_identity.then(|| quote!(<Self as #private::SessionData>::encode_identity(self, #writer);));
        let body = quote! {
            const FIELDS: &'static [#private::Field] = &[#(#fields),*];
            const HAS_IDENTITY: bool = #has_identity;
            fn decode(#reader: &mut #private::FieldReader<'_>) -> ::core::result::Result<Self, #private::Unreadable> {
                let _ = &#reader;
                ::core::result::Result::Ok(Self { #(#values),* })
            }
            fn encode(&self, #writer: &mut #private::FieldWriter<'_>) {
                let _ = &#writer;
                #identity_first
                #(#encoded)*
            }
            fn encode_identity(&self, #writer: &mut #private::FieldWriter<'_>) {
                let _ = &#writer;
                #encode_identity
            }
            #carry_skipped
        };
        // The lint asks for an assertion before several indices. All of them are in bounds; see `field_reference`.
        let implementation = self.implement(&quote!(#private::SessionData), &body);
        quote!(#[allow(clippy::missing_asserts_for_indexing)] #implementation)
    }

    fn decode_field(&self, field: &FieldModel, reader: &Ident) -> TokenStream {
        let (ident, codec, default) = (&field.ident, self.codec(field), self.default(field));
        match &field.kind {
            Kind::Skipped => quote!(#ident: #default::default()),
            Kind::Identity(_) => quote!(#ident: #reader.identity(#codec::decode)?),
            Kind::Stored(index) => {
                let constant = self.field_reference(*index);
                quote!(#ident: #reader.field(#constant, #codec::decode, #default::default)?)
            }
        }
    }

    fn encode_field(&self, field: &FieldModel, writer: &Ident) -> Option<TokenStream> {
        let Kind::Stored(index) = field.kind else { return None };
        let FieldModel { ident, ty, .. } = field;
        let (codec, default, constant) = (self.codec(field), self.default(field), self.field_reference(index));
        Some(quote! {
            #writer.field::<#ty>(#constant, &self.#ident, #codec::encode, #codec::decode, #default::default);
        })
    }

    /// `&FIELDS[index]`. The index is in bounds: `FIELDS` has one element for each stored field, in the same order.
    fn field_reference(&self, index: usize) -> TokenStream {
        let private = &self.private;
        let index = syn::Index::from(index);
        quote!(&<Self as #private::SessionData>::FIELDS[#index])
    }

    /// `Field::new(..)`, with the options of the field.
    fn field_const(&self, field: &FieldModel) -> TokenStream {
        let private = &self.private;
        let name = &field.name.text;
        let aliases = (!field.aliases.is_empty()).then(|| {
            let aliases = field.aliases.iter().map(|alias| &alias.text);
            quote!(.aliases(&[#(#aliases),*]))
        });
        let keep = field.options.keep.as_ref().map(|given| match given.value {
            Keep::Always => quote!(.keep(#private::Keep::Always)),
            Keep::SignIn => quote!(.keep(#private::Keep::SignIn)),
        });
        let required = field.options.required.as_ref().map(|_| quote!(.required()));
        let merge = self.merge_function(field).map(|function| quote!(.merge(#function)));
        quote!(#private::Field::new(#name) #aliases #keep #required #merge)
    }

    /// The merge rule, as a function on raw JSON. `Field` holds a `fn` pointer, so the closure must not capture anything.
    fn merge_function(&self, field: &FieldModel) -> Option<TokenStream> {
        let Self { private, model, .. } = self;
        let (ty, krate) = (&field.ty, &model.krate);
        let (codec, default) = (self.codec(field), self.default(field));
        let [base, theirs, ours] = ["base", "theirs", "ours"].map(local);
        let joined = match &field.options.merge.as_ref()?.value {
            Merge::Replace => return None,
            Merge::Reject => {
                return Some(quote! {
                    |#base, #theirs, #ours| #private::reject_change(#base, #theirs, #ours, #codec::decode, #default::default)
                });
            }
            Merge::Rule(rule) => {
                let (of_trait, method) = (format_ident!("{}", rule.of_trait), format_ident!("{}", rule.method));
                quote_spanned!(ty.span()=> <#ty as #krate::merge::#of_trait>::#method(#base, #theirs, #ours))
            }
            Merge::Function(path) => quote_spanned!(path.span()=> #path(#base, #theirs, #ours)),
        };
        Some(quote! {
            |#base, #theirs, #ours| #private::merge_field::<#ty>(
                #base, #theirs, #ours, #codec::decode, #codec::encode, #default::default,
                |#base, #theirs, #ours| ::core::result::Result::Ok(#joined),
            )
        })
    }

    fn has_identity(&self) -> Option<TokenStream> {
        let Self { model, private, .. } = self;
        let (field, inner) = model.identity()?;
        let (ident, codec, value, raw) = (&field.ident, self.codec(field), local("value"), local("raw"));
        // With the span of the type, for the error that the type is more private than the struct.
        let identity = quote_spanned!(inner.span()=> type Identity = #inner;);
        let body = quote! {
            #identity
            fn identity_mut(&mut self) -> &mut ::core::option::Option<Self::Identity> { &mut self.#ident }
            fn identity_json(#value: &Self::Identity, #raw: &mut #private::Vec<u8>) -> #private::JsonResult<()> {
                #codec::encode(#value, #raw)
            }
        };
        Some(self.implement(&quote!(#private::HasIdentity), &body))
    }

    /// `impl FieldCodec<..>`: how the field is decoded and encoded.
    fn codec_of(&self, field: &FieldModel) -> Option<TokenStream> {
        let private = &self.private;
        let ty = stored_type(field)?;
        let (raw, value, serde) = (local("raw"), local("value"), local("serde"));
        let (decode, encode) = match &field.options.with {
            None => (quote!(#private::decode::<#ty>(#raw)), quote!(#private::encode::<#ty>(#value, #raw))),
            Some(with) => {
                let path = &with.value;
                let deserialize = quote_spanned!(path.span()=> #path::deserialize(#serde));
                let serialize = quote_spanned!(path.span()=> #path::serialize(#value, #serde));
                (
                    quote!(#private::decode_with::<#ty>(#raw, |#serde| #deserialize)),
                    quote!(#private::encode_with::<#ty>(#value, #raw, |#value, #serde| #serialize)),
                )
            }
        };
        let place = field.place;
        let body = quote! {
            fn decode(#raw: &[u8]) -> #private::JsonResult<#ty> { #decode }
            fn encode(#value: &#ty, #raw: &mut #private::Vec<u8>) -> #private::JsonResult<()> { #encode }
        };
        Some(self.implement(&quote!(#private::FieldCodec<#place, #ty>), &body))
    }

    /// `impl FieldDefault<..>`: the value of the field if it is not stored.
    fn default_of(&self, field: &FieldModel) -> Option<TokenStream> {
        let private = &self.private;
        if matches!(field.kind, Kind::Identity(_)) {
            return None;
        }
        let ty = &field.ty;
        let value = match field.default() {
            DefaultValue::Trait => quote!(<#ty as #private::DefaultValue>::default_value()),
            DefaultValue::Call(path) => quote_spanned!(path.span()=> #path()),
            DefaultValue::Expr(expr) => expr.clone(),
        };
        let place = field.place;
        Some(self.implement(&quote!(#private::FieldDefault<#place, #ty>), &quote!(fn default() -> #ty { #value })))
    }

    fn codec(&self, field: &FieldModel) -> TokenStream {
        let (private, place) = (&self.private, field.place);
        let ty = stored_type(field);
        quote!(<Self as #private::FieldCodec<#place, #ty>>)
    }

    fn default(&self, field: &FieldModel) -> TokenStream {
        let (private, place, ty) = (&self.private, field.place, &field.ty);
        quote!(<Self as #private::FieldDefault<#place, #ty>>)
    }

    /// `impl .. Trait for Struct ..`.
    fn implement(&self, of_trait: &TokenStream, body: &TokenStream) -> TokenStream {
        let Self { model, where_clause, .. } = self;
        let ident = &model.ident;
        let (parameters, arguments, _) = model.generics.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #parameters #of_trait for #ident #arguments #where_clause { #body }
        }
    }
}

/// The type that is stored. For an identity, this is the type inside the `Option`.
fn stored_type(field: &FieldModel) -> Option<&Type> {
    match &field.kind {
        Kind::Stored(_) => Some(&field.ty),
        Kind::Identity(inner) => Some(inner),
        Kind::Skipped => None,
    }
}
