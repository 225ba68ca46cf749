//! The model of a parsed struct, and the mistakes that are found in it. `ui-tests` tests whether the generated code compiles, and
//! the crate `http-session` tests what it does.

use quote::ToTokens;
use syn::{DeriveInput, parse_quote};

use crate::model::Kind;
use crate::{derive, examine};

/// The messages of all mistakes in a struct.
fn mistakes(input: &DeriveInput) -> Vec<String> {
    examine(input).1.messages()
}

/// Asserts that there is one mistake, and that its message contains all of these parts.
#[track_caller]
fn one_mistake(input: &DeriveInput, parts: &[&str]) {
    let mistakes = mistakes(input);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    for part in parts {
        assert!(mistakes[0].contains(part), "{part:?} is not in {:?}", mistakes[0]);
    }
}

#[test]
fn a_model_has_the_name_index_and_kind_of_each_field() {
    let (model, errors) = examine(&parse_quote! {
        #[session(rename_all = "camelCase", crate = crate::session)]
        struct Visit {
            #[session(identity)]
            user_id: Option<u64>,
            page_views: u64,
            #[session(skip)]
            hits: u8,
            #[session(rename = "Kind", alias = "a")]
            #[session(alias = "b")]
            r#type: String,
        }
    });
    assert!(errors.is_empty(), "{:?}", errors.messages());
    assert_eq!(model.krate.to_token_stream().to_string(), "crate :: session");
    let stored: Vec<_> = model.stored().map(|field| (field.place, field.name.text.as_str())).collect();
    assert_eq!(stored, [(1, "pageViews"), (3, "Kind")]);
    let [user, views, hits, kind] = &*model.fields else { panic!("four fields") };
    assert!(matches!(&user.kind, Kind::Identity(inner) if inner.to_token_stream().to_string() == "u64"));
    assert!(matches!(views.kind, Kind::Stored(0)));
    assert!(matches!(hits.kind, Kind::Skipped));
    assert!(matches!(kind.kind, Kind::Stored(1)));
    let aliases: Vec<_> = kind.aliases.iter().map(|alias| alias.text.as_str()).collect();
    assert_eq!(aliases, ["a", "b"]);
}

#[test]
fn raw_identifiers_are_stored_without_the_prefix() {
    let (model, _) = examine(&parse_quote!(
        struct Visit {
            r#type: u8,
        }
    ));
    assert_eq!(model.fields[0].name.text, "type");
}

#[test]
fn an_identity_may_have_any_path_of_option() {
    let types: [syn::Type; 6] = [
        parse_quote!(Option<Id>),
        parse_quote!((Option<Id>)),
        parse_quote!(std::option::Option<Id>),
        parse_quote!(::std::option::Option<Id>),
        parse_quote!(core::option::Option<Id>),
        parse_quote!(::core::option::Option<Id>),
    ];
    for ty in types {
        let input = parse_quote!(struct Visit { #[session(identity)] user: #ty });
        assert_eq!(mistakes(&input), [""; 0]);
    }
    for ty in ["Id", "mine::Option<Id>", "Box<Option<Id>>", "&Option<Id>", "Option", "[u8; 4]"] {
        let ty: syn::Type = syn::parse_str(ty).unwrap();
        let mistakes = mistakes(&parse_quote!(struct Visit { #[session(identity)] user: #ty }));
        assert!(mistakes[0].starts_with("an identity is an `Option`"), "{mistakes:?}");
    }
}

#[test]
fn a_default_may_be_any_expression() {
    let input: DeriveInput = syn::parse_str(
        "struct Visit {
            #[session(default = 7, keep)] a: u8,
            #[session(default = -1.5, keep)] b: f32,
            #[session(default = Vec::with_capacity(3), keep)] c: Vec<u8>,
            #[session(default = HashMap::<u8, u8>::new(), keep)] d: HashMap<u8, u8>,
            #[session(default = { let x = 1; x + 1 }, keep)] e: u8,
            #[session(default = [1, 2, 3], keep)] f: [u8; 3],
            #[session(default = if cfg!(test) { 1 } else { 2 }, keep)] g: u8,
            #[session(default = Point { x: 1, y: 2 }, keep)] h: Point,
            #[session(default = String::from(\"a, b\"), keep)] i: String,
            #[session(default = \"crate::start\", keep)] j: String,
            #[session(default = vec![1, 2], keep)] k: Vec<u8>,
        }",
    )
    .unwrap();
    let (model, errors) = examine(&input);
    assert!(errors.is_empty(), "{:?}", errors.messages());
    assert!(model.fields.iter().all(|field| field.options.default.is_some() && field.options.keep.is_some()));
}

#[test]
fn all_mistakes_are_found_at_once() {
    let mistakes = mistakes(&parse_quote! {
        #[session(rename_all = "Camel", colour)]
        struct Visit<'a, 'b> {
            #[session(identity, keep, merge = "add")]
            user: u64,
            #[session(skip = true, 7, rename, alias = "x", , keep = "x")]
            views: u64,
            #[session(alias = "x")]
            cookie: u8,
        }
    });
    let expected = [
        "unknown case style \"Camel\"",
        "unknown attribute `colour`; the struct takes `crate`, `rename_all`",
        "an identity is an `Option`",
        "expected an attribute; write one of `alias`",
        "expected an attribute",
        "`skip` takes no value: write `skip`",
        "`rename` needs a value: write `rename = \"name\"`",
        "`keep` does not take this value: write `keep` or `keep = \"sign_in\"`",
        "remove `'a`",
        "remove `'b`",
        "remove `keep`: this field is the identity",
        "remove `merge`: this field is the identity",
        "the name `cookie` is reserved",
        "the stored name \"x\" belongs to the field `views` already",
    ];
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
    for (mistake, expected) in mistakes.iter().zip(expected) {
        assert!(mistake.contains(expected), "{expected:?} is not in {mistake:?}");
        assert!(!mistake.starts_with(char::is_uppercase) && !mistake.ends_with('.'), "{mistake}");
    }
}

#[test]
fn r15_one_name_leads_to_one_field() {
    one_mistake(
        &parse_quote!(
            struct V {
                a: u8,
                #[session(rename = "a")]
                b: u8,
            }
        ),
        &["\"a\"", "the field `a`"],
    );
    one_mistake(
        &parse_quote!(
            struct V {
                #[session(alias = "b")]
                a: u8,
                b: u8,
            }
        ),
        &["\"b\"", "the field `a`"],
    );
    one_mistake(
        &parse_quote!(
            struct V {
                #[session(alias = "a")]
                a: u8,
            }
        ),
        &["remove the alias"],
    );
    one_mistake(
        &parse_quote!(
            #[session(rename_all = "UPPERCASE")]
            struct V {
                a: u8,
                #[session(alias = "A")]
                b: u8,
            }
        ),
        &["\"A\"", "the field `a`"],
    );
    // The identity and a skipped field have no stored name.
    let unnamed = parse_quote! {
        struct V {
            #[session(rename = "user")]
            account: u8,
            #[session(identity)]
            user: Option<u8>,
            #[session(rename = "hits")]
            count: u8,
            #[session(skip)]
            hits: u8,
        }
    };
    assert_eq!(mistakes(&unnamed), [""; 0]);
}

#[test]
fn the_name_cookie_is_reserved_wherever_it_is_stored() {
    let reserved = ["the name `cookie` is reserved"];
    one_mistake(
        &parse_quote!(
            struct V {
                cookie: u8,
            }
        ),
        &reserved,
    );
    one_mistake(
        &parse_quote!(
            struct V {
                r#cookie: u8,
            }
        ),
        &reserved,
    );
    one_mistake(
        &parse_quote!(
            struct V {
                #[session(identity)]
                cookie: Option<u8>,
            }
        ),
        &reserved,
    );
    one_mistake(
        &parse_quote!(
            #[session(rename_all = "camelCase")]
            struct V {
                _cookie: u8,
            }
        ),
        &reserved,
    );
    assert_eq!(
        mistakes(&parse_quote!(
            struct V {
                #[session(rename = "consent")]
                cookie: u8,
            }
        )),
        [""; 0]
    );
    assert_eq!(
        mistakes(&parse_quote!(
            struct V {
                #[session(skip)]
                cookie: u8,
            }
        )),
        [""; 0]
    );
    assert_eq!(
        mistakes(&parse_quote!(
            #[session(rename_all = "UPPERCASE")]
            struct V {
                cookie: u8,
            }
        )),
        [""; 0]
    );
}

#[test]
fn a_message_says_what_to_write_instead() {
    let field = |attribute: &str| -> DeriveInput {
        syn::parse_str(&format!("struct V {{ #[session({attribute})] a: u8 }}")).unwrap()
    };
    one_mistake(
        &field("rename_all = \"camelCase\""),
        &["`rename_all` belongs to the struct", "move it above the struct"],
    );
    one_mistake(&field("serialize_with = \"m\""), &["write `with = \"module\"`"]);
    one_mistake(&field("defualt"), &["did you mean `default`?"]);
    one_mistake(&field("merge = \"concat\""), &["did you mean \"append\"?"]);
    one_mistake(&field("merge = union"), &["write `merge = \"union\"`", "`merge = self::union`"]);
    one_mistake(&field("merge = 7"), &["fn(base: T, theirs: T, ours: T) -> T"]);
    one_mistake(&field("merge = \"a b\""), &["write one of \"add\"", "\"reject\""]);
    one_mistake(&field("with = 7"), &["`with` takes a path: write `with = \"module\"`"]);
    one_mistake(&field("default = "), &["expected a value"]);
    one_mistake(&field("default = \"a b\""), &["not a path", "write `default = String::from(\"a b\")`"]);
    one_mistake(&field("rename = \"\""), &["the stored name of `a` is empty", "write `rename = \"name\"`"]);
    one_mistake(&field("alias = \"\""), &["an alias of `a` is empty", "write `alias = \"old_name\"`"]);
    one_mistake(
        &parse_quote!(
            #[session(skip)]
            struct V {}
        ),
        &["`skip` belongs to a field", "move it above a field"],
    );
    one_mistake(
        &parse_quote!(
            #[session]
            struct V {}
        ),
        &["write `#[session(..)]`"],
    );
    one_mistake(
        &parse_quote!(
            #[serde(default)]
            struct V {}
        ),
        &["write `#[session(..)]` instead"],
    );
}

#[test]
fn a_struct_with_mistakes_gets_an_implementation_too() {
    let code = derive(&parse_quote! {
        struct Visit<'a, T: Clone>(&'a T) where T: Send;
    });
    let text = code.to_string();
    assert!(text.contains("compile_error"));
    assert!(text.contains("SessionData for Visit < 'a , T > where T : Send"), "{text}");
}
