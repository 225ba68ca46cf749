//! From items to options: which value each attribute takes.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, LitStr, Path};

use crate::case::{CASES, Case};
use crate::errors::Errors;
use crate::parse::{FIELD_USAGE, Item, STRUCT_USAGE, Usage, Value, parse_items, unknown};
use crate::suggest::nearest;

/// An option that the user gave. Messages about it point to its key.
pub(crate) struct Given<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// The options of a struct.
#[derive(Default)]
pub(crate) struct StructOptions {
    pub(crate) rename_all: Option<Given<Case>>,
    pub(crate) krate: Option<Given<Path>>,
}

/// The options of a field.
#[derive(Default)]
pub(crate) struct FieldOptions {
    pub(crate) rename: Option<Given<LitStr>>,
    pub(crate) aliases: Vec<Given<LitStr>>,
    pub(crate) default: Option<Given<DefaultValue>>,
    pub(crate) with: Option<Given<Path>>,
    pub(crate) skip: Option<Given<()>>,
    pub(crate) identity: Option<Given<()>>,
    pub(crate) required: Option<Given<()>>,
    pub(crate) keep: Option<Given<Keep>>,
    pub(crate) merge: Option<Given<Merge>>,
}

/// Where the value of an absent field comes from.
pub(crate) enum DefaultValue {
    /// `Default::default()`.
    Trait,
    /// A function, whose path is given as a string, as in serde.
    Call(Path),
    /// An expression.
    Expr(TokenStream),
}

/// Which changes of identity leave the field as it is.
#[derive(Clone, Copy)]
pub(crate) enum Keep {
    Always,
    SignIn,
}

/// What happens to a field that two requests changed.
pub(crate) enum Merge {
    Replace,
    Reject,
    Rule(&'static Rule),
    Function(Path),
}

/// A merge rule that is a trait.
pub(crate) struct Rule {
    name: &'static str,
    pub(crate) of_trait: &'static str,
    pub(crate) method: &'static str,
}

const RULES: [Rule; 6] = [
    Rule { name: "add", of_trait: "MergeAdd", method: "merge_add" },
    Rule { name: "max", of_trait: "MergeMax", method: "merge_max" },
    Rule { name: "min", of_trait: "MergeMin", method: "merge_min" },
    Rule { name: "append", of_trait: "MergeAppend", method: "merge_append" },
    Rule { name: "union", of_trait: "MergeUnion", method: "merge_union" },
    Rule { name: "keys", of_trait: "MergeKeys", method: "merge_keys" },
];

/// Other words that users may try, and the rule that they mean.
const RULE_SYNONYMS: [(&str, &str); 12] = [
    ("sum", "add"),
    ("plus", "add"),
    ("count", "add"),
    ("concat", "append"),
    ("extend", "append"),
    ("push", "append"),
    ("set", "union"),
    ("map", "keys"),
    ("last", "replace"),
    ("overwrite", "replace"),
    ("refuse", "reject"),
    ("error", "reject"),
];

/// Turns items into options, and reports mistakes in them.
struct Reader<'e> {
    known: &'static [Usage],
    errors: &'e mut Errors,
}

impl Reader<'_> {
    fn set<T>(&mut self, slot: &mut Option<Given<T>>, key: Ident, value: Option<T>) {
        let Some(value) = value else { return };
        if slot.is_some() {
            self.errors.at(&key, format_args!("`{key}` is given twice; remove one"));
        } else {
            *slot = Some(Given { key, value });
        }
    }

    fn wrong_form(&mut self, item: &Item, what: &str) {
        let key = &item.key;
        let value = &item.value;
        let name = key.to_string();
        let usage = self.known.iter().find(|(known, _)| *known == name).map_or("", |(_, usage)| usage);
        self.errors.at(quote!(#key #value), format_args!("`{name}` {what}: write `{usage}`"));
    }

    fn flag(&mut self, item: &Item) -> Option<()> {
        if item.value.is_none() {
            return Some(());
        }
        self.wrong_form(item, "takes no value");
        None
    }

    fn text(&mut self, item: &Item) -> Option<LitStr> {
        match &item.value {
            Some(Value::Text(text)) => return Some(text.clone()),
            Some(_) => self.wrong_form(item, "takes a string in quotes"),
            None => self.wrong_form(item, "needs a value"),
        }
        None
    }

    /// A path, with or without quotes.
    fn path(&mut self, item: &Item) -> Option<Path> {
        match &item.value {
            Some(Value::Path(path)) => return Some(path.clone()),
            Some(Value::Text(text)) => {
                if let Ok(path) = text.parse_with(Path::parse_mod_style) {
                    return Some(path);
                }
                self.wrong_form(item, "takes a path");
            }
            Some(Value::Other(_)) => self.wrong_form(item, "takes a path"),
            None => self.wrong_form(item, "needs a value"),
        }
        None
    }

    fn rename_all(&mut self, item: &Item) -> Option<Case> {
        let text = self.text(item)?;
        let case = Case::parse(&text.value());
        if case.is_none() {
            let known = CASES.map(|(name, _)| format!("`{name}`")).join(", ");
            self.errors.at(&text, format_args!("unknown case style {:?}; write one of {known}", text.value()));
        }
        case
    }

    fn default(&mut self, item: &Item) -> Option<DefaultValue> {
        let text = match &item.value {
            None => return Some(DefaultValue::Trait),
            Some(Value::Text(text)) => text,
            Some(value) => return Some(DefaultValue::Expr(value.to_token_stream())),
        };
        if let Ok(path) = text.parse_with(Path::parse_mod_style) {
            return Some(DefaultValue::Call(path));
        }
        let value = text.value();
        let message = format!(
            "a string after `default` is the path of a function, and {value:?} is not a path; for a default of this text write `default = String::from({value:?})`"
        );
        self.errors.at(text, message);
        None
    }

    fn keep(&mut self, item: &Item) -> Option<Keep> {
        match &item.value {
            None => return Some(Keep::Always),
            Some(Value::Text(text)) if text.value() == "sign_in" => return Some(Keep::SignIn),
            Some(_) => self.wrong_form(item, "does not take this value"),
        }
        None
    }

    fn merge(&mut self, item: &Item) -> Option<Merge> {
        match &item.value {
            None => {
                self.wrong_form(item, "needs a rule or a function");
                None
            }
            Some(Value::Text(text)) => self.merge_rule(text),
            Some(Value::Path(path)) => {
                let word = path.to_token_stream().to_string();
                if find_rule(&word).is_some() {
                    let message = format!(
                        "a merge rule is written in quotes: write `merge = \"{word}\"`, or `merge = self::{word}` for a function of this name"
                    );
                    self.errors.at(path, message);
                    return None;
                }
                Some(Merge::Function(path.clone()))
            }
            Some(Value::Other(other)) => {
                self.errors.at(other, format_args!("`merge` takes a rule, such as `merge = \"add\"`, or the path of a function `fn(base: T, theirs: T, ours: T) -> T`"));
                None
            }
        }
    }

    fn merge_rule(&mut self, text: &LitStr) -> Option<Merge> {
        let word = text.value();
        if let Some(rule) = find_rule(&word) {
            return Some(rule);
        }
        let names = || RULES.iter().map(|rule| rule.name).chain(["replace", "reject"]);
        let synonym = RULE_SYNONYMS.iter().find(|(other, _)| *other == word).map(|(_, name)| *name);
        let path = text.parse_with(Path::parse_mod_style);
        match (synonym.or_else(|| nearest(&word, names())), path) {
            (None, Ok(path)) => return Some(Merge::Function(path)),
            (Some(near), _) => {
                self.errors.at(text, format_args!("unknown merge rule {word:?}; did you mean {near:?}?"));
            }
            (None, Err(_)) => {
                let known = names().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
                self.errors.at(
                    text,
                    format_args!("unknown merge rule {word:?}; write one of {known}, or the path of a function"),
                );
            }
        }
        None
    }
}

fn find_rule(word: &str) -> Option<Merge> {
    match word {
        "replace" => Some(Merge::Replace),
        "reject" => Some(Merge::Reject),
        _ => RULES.iter().find(|rule| rule.name == word).map(Merge::Rule),
    }
}

impl StructOptions {
    pub(crate) fn parse(attributes: &[Attribute], errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let items = parse_items(attributes, &STRUCT_USAGE, errors);
        let mut reader = Reader { known: &STRUCT_USAGE, errors };
        for item in items {
            match item.key.to_string().as_str() {
                "rename_all" => {
                    let value = reader.rename_all(&item);
                    reader.set(&mut options.rename_all, item.key, value);
                }
                "crate" => {
                    let value = reader.path(&item);
                    reader.set(&mut options.krate, item.key, value);
                }
                name => reader.errors.at(&item.key, unknown(name, &STRUCT_USAGE)),
            }
        }
        options
    }
}

impl FieldOptions {
    pub(crate) fn parse(attributes: &[Attribute], errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let items = parse_items(attributes, &FIELD_USAGE, errors);
        let mut reader = Reader { known: &FIELD_USAGE, errors };
        for item in items {
            options.read(item, &mut reader);
        }
        options
    }

    fn read(&mut self, item: Item, reader: &mut Reader<'_>) {
        match item.key.to_string().as_str() {
            "rename" => {
                let value = reader.text(&item);
                reader.set(&mut self.rename, item.key, value);
            }
            "alias" => {
                let value = reader.text(&item);
                self.aliases.extend(value.map(|value| Given { key: item.key, value }));
            }
            "default" => {
                let value = reader.default(&item);
                reader.set(&mut self.default, item.key, value);
            }
            "with" => {
                let value = reader.path(&item);
                reader.set(&mut self.with, item.key, value);
            }
            "skip" => {
                let value = reader.flag(&item);
                reader.set(&mut self.skip, item.key, value);
            }
            "identity" => {
                let value = reader.flag(&item);
                reader.set(&mut self.identity, item.key, value);
            }
            "required" => {
                let value = reader.flag(&item);
                reader.set(&mut self.required, item.key, value);
            }
            "keep" => {
                let value = reader.keep(&item);
                reader.set(&mut self.keep, item.key, value);
            }
            "merge" => {
                let value = reader.merge(&item);
                reader.set(&mut self.merge, item.key, value);
            }
            name => reader.errors.at(&item.key, unknown(name, &FIELD_USAGE)),
        }
    }
}
