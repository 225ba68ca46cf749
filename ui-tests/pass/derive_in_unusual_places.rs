// Names, generics and scopes in which the generated code must still compile.
#![no_implicit_prelude]
#![deny(warnings, missing_docs, unused_qualifications, unreachable_pub, private_bounds, private_interfaces)]
//! Crate.

use ::http_session::merge::MergeAppend;
use ::http_session::{HasIdentity, Session, SessionData};
use ::std::clone::Clone;
use ::std::cmp::{Eq, PartialEq};
use ::std::default::Default;
use ::std::hash::Hash;
use ::std::marker::{Copy, PhantomData};
use ::std::option::Option;

// Types that hide names of the standard library.
#[allow(dead_code)]
struct Vec;
#[allow(dead_code)]
struct Result;
#[allow(dead_code)]
struct Ok;

/// Fields with the names of local variables in the generated code.
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

/// A type that implements a merge rule, whose trait is in scope.
#[derive(Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
struct Log(::std::string::String);

impl MergeAppend for Log {
    fn merge_append(_base: Self, _theirs: Self, ours: Self) -> Self {
        ours
    }
}

/// A session with a field of that type.
#[derive(Session)]
pub struct Logged {
    #[session(merge = "append")]
    log: Log,
}

/// The identity of a public session must be public too.
#[derive(PartialEq, ::serde::Serialize, ::serde::Deserialize)]
pub struct UserId(u64);

/// Type parameters whose names other code often uses too.
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

/// No fields.
#[derive(Session)]
pub struct Nothing {}

/// No field except the identity.
#[derive(Session)]
pub struct OnlyIdentity {
    #[session(identity)]
    user: Option<u64>,
}

/// A field whose type mentions the struct itself.
#[derive(Session)]
pub struct Recursive<T: Clone> {
    #[session(skip)]
    parent: Option<::std::boxed::Box<Self>>,
    #[session(skip)]
    items: ::std::vec::Vec<T>,
}

/// Structs that come out of another macro.
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

fn is_session<T: SessionData>() {}
fn has_identity<T: HasIdentity>() {}

fn main() {
    #[derive(Session)]
    struct Local {
        views: u64,
    }
    is_session::<Local>();
    is_session::<Names>();
    is_session::<Logged>();
    is_session::<Nothing>();
    is_session::<Recursive<PhantomData<f32>>>();
    is_session::<Generic<u8, u8, u8>>();
    is_session::<OnlyIdentity>();
    is_session::<Made>();
    has_identity::<Made>();
    has_identity::<MadeIdentity>();
    has_identity::<Generic<u8, u8, u8, u8, 9>>();
}
