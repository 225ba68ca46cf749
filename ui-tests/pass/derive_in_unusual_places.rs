// Names, generics and scopes that generated code must not stumble over.
#![no_implicit_prelude]
#![deny(warnings, missing_docs, unused_qualifications, unreachable_pub, private_bounds, private_interfaces)]
//! Crate.

use ::http_session::Session;
use ::http_session::merge::MergeAppend;
use ::http_session::session::{HasIdentity, SessionData, StorableIn};
use ::http_session::store::{SessionStore};
use ::std::clone::Clone;
use ::std::cmp::{Eq, PartialEq};
use ::std::default::Default;
use ::std::hash::Hash;
use ::std::marker::{Copy, PhantomData};
use ::std::option::Option;

// Names that hide those of the standard library.
#[allow(dead_code)]
struct Vec;
#[allow(dead_code)]
struct Result;
#[allow(dead_code)]
struct Ok;

/// Fields with the names of local variables.
#[derive(Session)]
pub struct Names {
    reader: u8,
    writer: u8,
    raw: u8,
    value: u8,
    base: u8,
    theirs: u8,
    ours: u8,
    serde: u8,
    self_: u8,
    r#type: u8,
    r#fn: u8,
    private: PrivateItem,
    #[session(skip, default = 1 + 2)]
    skipped: u8,
}

#[derive(Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
struct PrivateItem;

/// A type with a rule of its own, whose trait is in scope.
#[derive(Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
struct Log(::std::string::String);

impl MergeAppend for Log {
    fn merge_append(_base: Self, _theirs: Self, ours: Self) -> Self {
        ours
    }
}

/// A field of that type.
#[derive(Session)]
pub struct Logged {
    #[session(merge = "append")]
    log: Log,
}

/// A public type, as an identity of a public session must be.
#[derive(PartialEq, ::serde::Serialize, ::serde::Deserialize)]
pub struct UserId(u64);

/// Parameters with names that other code likes to give.
#[derive(Session)]
pub struct Generic<S: Copy, V, T, SessionStoreType = u8, const N: usize = 2>
where
    S: Hash,
    T: Eq + Hash,
{
    #[session(identity)]
    user: ::core::option::Option<UserId>,
    #[session(merge = "max")]
    high: S,
    #[session(merge = "append", rename = "list")]
    values: ::std::vec::Vec<V>,
    #[session(merge = "union", alias = "set")]
    set_of: ::std::collections::HashSet<T>,
    other: Option<SessionStoreType>,
    marker: PhantomData<V>,
    #[session(default = [0; N], with = "bytes")]
    bytes: [u8; N],
    #[session(skip)]
    cache: Option<V>,
}

mod bytes {
    use ::serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use ::std::result::Result;

    pub(super) fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], to: S) -> Result<S::Ok, S::Error> {
        bytes.as_slice().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<[u8; N], D::Error> {
        let bytes = ::std::vec::Vec::<u8>::deserialize(from)?;
        bytes.try_into().map_err(|_| D::Error::custom("another length"))
    }

    use ::std::convert::TryInto;
}

/// Nothing stored.
#[derive(Session)]
pub struct Nothing {}

/// Only an identity.
#[derive(Session)]
pub struct OnlyIdentity {
    #[session(identity)]
    user: Option<u64>,
}

/// Itself.
#[derive(Session)]
pub struct Recursive<T: Clone> {
    #[session(skip)]
    parent: Option<::std::boxed::Box<Self>>,
    #[session(skip)]
    items: ::std::vec::Vec<T>,
}

/// From another macro.
macro_rules! session {
    ($name:ident { $($field:ident: $ty:ty = $default:expr, $stored:literal;)* }) => {
        /// Made by a macro.
        #[derive(Session)]
        pub struct $name {
            #[session(identity)]
            user: Option<u64>,
            $(#[session(default = $default, rename = $stored)] $field: $ty,)*
        }
    };
}

session!(Made { views: u64 = 7, "v"; pair: (u8, u8) = (1, 2), "p"; });

macro_rules! identity {
    ($name:ident, $ty:ty) => {
        /// Made by a macro.
        #[derive(Session)]
        pub struct $name {
            #[session(identity)]
            user: $ty,
        }
    };
}

identity!(MadeIdentity, Option<u64>);

fn storable<T: SessionData, S: SessionStore>() {}
fn storable_with_conditions<T: SessionData, S: SessionStore>() {}
fn is_session<T: SessionData>() {}
fn has_identity<T: HasIdentity>() {}

/// For any store.
pub fn for_any_store<S: SessionStore>() {
    storable::<Names, S>();
    storable::<Nothing, S>();
    storable::<Recursive<PhantomData<f32>>, S>();
}

/// For a store that commits conditionally.
pub fn for_a_conditional_store<S: SessionStore>() {
    storable_with_conditions::<Generic<u8, u8, u8>, S>();
    storable_with_conditions::<OnlyIdentity, S>();
    storable_with_conditions::<Made, S>();
}

fn main() {
    #[derive(Session)]
    struct Local {
        views: u64,
    }
    is_session::<Local>();
    has_identity::<Made>();
    has_identity::<MadeIdentity>();
    has_identity::<Generic<u8, u8, u8, u8, 9>>();
}
