//! The derive macro of http-session.
use proc_macro::TokenStream;

/// Derives.
#[proc_macro_derive(Session, attributes(session))]
pub fn derive_session(_input: TokenStream) -> TokenStream {
    TokenStream::new()
}
