//! The statement of one update or touch: what the patch asks for, and nothing else, since a long statement takes the server
//! longer to plan than to run.

use std::borrow::Cow;

use super::statements::COLUMNS;
use super::value::Value;
use http_session_store::SessionId;
use http_session_store::record::{
    Change, Clear, Epoch, Extent, Field, Fields, IdentityChange, Keep, Lifetime, Patch, StoredField, VerifierChange,
};
use http_session_store::text;

/// What is cheap to see of whether a row can be read; and no row that can be read is refused. The server plans all of it for each
/// write, so it is not more.
const READABLE: &str = "octet_length(l.verifier) = 32 and coalesce(octet_length(l.previous), 32) = 32 \
    and jsonb_typeof(l.fields) = 'object' and jsonb_typeof(l.keep) = 'object'";

/// A statement and its parameters.
pub(super) struct Update<'a> {
    pub(super) statement: String,
    pub(super) values: Vec<Value<'a>>,
    /// Where nothing is written, it answers with the row.
    pub(super) explains: bool,
}

impl<'a> Update<'a> {
    /// Changes the row, or nothing; where it [explains](Self::explains), it answers whether a renewal took place, or with null
    /// and the row.
    pub(super) fn patch(table: &str, id: &'a SessionId, patch: &'a Patch, lifetime: Lifetime) -> Self {
        // What is merged is likely to be refused, and then the row is needed; and `returning` knows the new row alone, which
        // does not tell whether it was this renewal that took place.
        let explains =
            patch.written().any(|change| change.conditional) || matches!(patch.verifier, VerifierChange::Renew { .. });
        let mut writer = Writer::new(id, patch.epoch);
        // What cannot be read is not written over (R16).
        writer.require(READABLE);
        writer.lifetime(lifetime, patch.resets_identity_age());
        writer.fields(patch);
        let (epoch, renewed) = writer.verifier(&patch.verifier);
        writer.identity(&patch.identity, epoch);
        if let Some(cookie) = &patch.cookie {
            let cookie = writer.value(Value::raw(cookie.as_ref()));
            writer.set("cookie", &cookie);
        }
        if !explains {
            return writer.finish(table);
        }
        let (conditions, Writer { values, set, .. }) = (writer.conditions(), writer);
        let statement = format!(
            "with l as materialized (select * from {table} where id = $1 and expires > now() for update), \
             u as (update {table} s set {} from l where s.id = $1 and {conditions} returning {renewed} as renewed) \
             select u.renewed, {COLUMNS} from l left join u on true left join l r on u.renewed is null",
            set.join(", "),
        );
        Self { statement, values, explains }
    }

    /// Changes the row, or nothing.
    pub(super) fn touch(table: &str, id: &'a SessionId, epoch: Epoch, lifetime: Lifetime) -> Self {
        let mut writer = Writer::new(id, epoch);
        writer.require("l.verifier is not null");
        writer.lifetime(lifetime, false);
        writer.finish(table)
    }
}

/// `l` is the row as it is.
struct Writer<'a> {
    values: Vec<Value<'a>>,
    set: Vec<String>,
    conditions: Vec<String>,
}

impl<'a> Writer<'a> {
    fn new(id: &'a SessionId, epoch: Epoch) -> Self {
        let values = vec![Value::id(id), Value::epoch(epoch)];
        Self { values, set: Vec::new(), conditions: vec!["l.epoch = $2".to_owned()] }
    }

    /// The plainest statement. Where another one holds the row, it waits, and goes by what it then finds.
    fn finish(mut self, table: &str) -> Update<'a> {
        self.require("l.expires > now()");
        let statement =
            format!("update {table} l set {} where l.id = $1 and {}", self.set.join(", "), self.conditions());
        Update { statement, values: self.values, explains: false }
    }

    /// All of them as one that the server does not look into when it plans: only the id leads to a row.
    fn conditions(&self) -> String {
        format!("case when {} then true end", self.conditions.join(" and "))
    }

    fn value(&mut self, value: Value<'a>) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn set(&mut self, column: &str, to: &str) {
        self.set.push(format!("{column} = {to}"));
    }

    fn require(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    /// As [`Lifetime::time_left`].
    fn lifetime(&mut self, lifetime: Lifetime, resets_age: bool) {
        let (idle, absolute) = (self.value(Value::Span(lifetime.idle)), self.value(Value::Span(lifetime.absolute)));
        let wanted = match lifetime.extent {
            Extent::Extend => format!("greatest(l.expires, now() + {idle})"),
            Extent::Set => format!("now() + {idle}"),
        };
        // A moment to come is now, as for an age; and the end of time has nothing behind it.
        let since = if resets_age { "now()" } else { "least(l.identity_changed, now())" };
        self.set("expires", &format!("least({wanted}, {since} + {absolute})"));
        if !lifetime.idle.is_zero() {
            self.set("touched", "now()");
        }
        if resets_age {
            self.set("identity_changed", "now()");
        }
    }

    /// The epoch that it leads to, and whether a renewal takes place.
    fn verifier(&mut self, change: &'a VerifierChange) -> (&'static str, String) {
        match change {
            VerifierChange::Unchanged => ("l.epoch", "true".to_owned()),
            VerifierChange::Rotate(verifier) => {
                let verifier = self.value(Value::hash(Some(verifier)));
                self.set("epoch", "l.epoch + 1");
                self.set("verifier", &verifier);
                self.set("previous", "null");
                self.set("verifier_changed", "now()");
                ("l.epoch + 1", "true".to_owned())
            }
            VerifierChange::Renew { current, new } => {
                let (current, new) = (self.value(Value::hash(Some(current))), self.value(Value::hash(Some(new))));
                let renews = format!("l.verifier = {current}");
                for (column, to) in [("verifier", &*new), ("previous", &*current), ("verifier_changed", "now()")] {
                    self.set(column, &format!("case when {renews} then {to} else l.{column} end"));
                }
                ("l.epoch", renews)
            }
        }
    }

    fn identity(&mut self, change: &'a IdentityChange, epoch: &str) {
        let identity = match change {
            IdentityChange::Unchanged | IdentityChange::Affirmed => return,
            IdentityChange::Set(identity) => Some(identity),
            IdentityChange::Removed => None,
        };
        let identity = self.value(Value::raw(identity));
        self.set("identity", &identity);
        self.set("identity_epoch", epoch);
    }

    /// As [`Patch::merge_into`], up to merging: what would have to be merged is refused.
    fn fields(&mut self, patch: &'a Patch) {
        let kept = self.kept_marks(patch.clear);
        let (mut fields, mut keep) = match &kept {
            None => ("l.fields".to_owned(), "l.keep".to_owned()),
            Some(marks) => (
                format!(
                    "(select coalesce(jsonb_object_agg(f.key, f.value), '{{}}') from jsonb_each(l.fields) f \
                     where l.keep ->> f.key = any({marks}))"
                ),
                format!(
                    "(select coalesce(jsonb_object_agg(k.key, k.value), '{{}}') from jsonb_each_text(l.keep) k \
                     where k.value = any({marks}))"
                ),
            ),
        };
        for change in patch.written().filter(|change| change.conditional) {
            self.condition(&change, kept.as_deref());
        }
        let written: Vec<_> = patch.written().filter_map(|change| stored(change.field, change.value)).collect();
        let names = || patch.written_fields().iter().flat_map(|field| names(field));
        let is_marked = |name: &&str| written.iter().any(|field| field.keep != Keep::No && field.name == *name);
        let is_written = |name: &&str| written.iter().any(|field| field.name == *name);
        fields = self.without(fields, names().filter(|name| !is_written(name)));
        keep = self.without(keep, names().filter(|name| !is_marked(name)));
        if !written.is_empty() {
            let value = self.value(Value::Json(text::fields(written.iter().copied())));
            fields = format!("{fields} || {value}");
        }
        if written.iter().any(|field| field.keep != Keep::No) {
            let marks = self.value(Value::Json(text::marks(written.iter().copied())));
            keep = format!("{keep} || {marks}");
        }
        let filled: Vec<_> = patch
            .filled_fields()
            .iter()
            .copied()
            .filter_map(|field| stored(field, patch.result.find(field.name)).map(|value| (field, value)))
            .collect();
        for (field, value) in &filled {
            let is_absent = format!("{} is null", self.stored(field, kept.as_deref()));
            let json = self.value(Value::Json(text::fields([*value])));
            let mark = self.value(Value::Json(text::marks([*value])));
            fields = format!("{fields} || case when {is_absent} then {json} else '{{}}' end");
            keep = format!("{keep} || case when {is_absent} then {mark} else '{{}}' end");
        }
        if patch.limit > 0 && !(written.is_empty() && filled.is_empty()) {
            let most = self.value(Value::count(most(patch)));
            self.require(&format!("pg_column_size({fields}) <= {most}"));
        }
        for (column, to) in [("fields", fields), ("keep", keep)] {
            if to != format!("l.{column}") {
                self.set(column, &to);
            }
        }
    }

    /// An object without these names.
    fn without(&mut self, object: String, names: impl Iterator<Item = &'static str>) -> String {
        let names: Vec<_> = names.map(|name| text::encode(name.as_bytes())).collect();
        if names.is_empty() {
            return object;
        }
        let names = self.value(Value::Texts(names));
        format!("({object} - {names})")
    }

    /// The marks of fields that are not cleared; `None` where nothing is.
    fn kept_marks(&mut self, clear: Clear) -> Option<String> {
        if clear == Clear::Nothing {
            return None;
        }
        let kept = [Keep::SignIn, Keep::Always].into_iter().filter(|mark| clear.keeps(*mark));
        let marks = kept.filter_map(text::mark).map(Cow::Borrowed).collect();
        Some(self.value(Value::Texts(marks)))
    }

    /// The field is still as it was loaded; or it is cleared, and there is nothing to merge with.
    fn condition(&mut self, change: &Change<'a>, kept: Option<&str>) {
        let stored = self.stored(change.field, kept);
        let base = self.value(Value::Text(change.base.map(text::encode)));
        self.require(&match kept {
            None => format!("{stored} is not distinct from {base}"),
            // Null too where `stored` is.
            Some(_) => format!("nullif({stored}, {base}) is null"),
        });
    }

    /// A field's text as it is stored and not cleared, under its name or the first of its older ones that is there (R15).
    fn stored(&mut self, field: &'static Field, kept: Option<&str>) -> String {
        let texts: Vec<String> = names(field)
            .map(|name| {
                let name = self.value(Value::Text(Some(text::encode(name.as_bytes()))));
                match kept {
                    None => format!("l.fields ->> {name}"),
                    Some(marks) => format!("case when l.keep ->> {name} = any({marks}) then l.fields ->> {name} end"),
                }
            })
            .collect();
        format!("coalesce({})", texts.join(", "))
    }
}

fn names(field: &'static Field) -> impl Iterator<Item = &'static str> {
    std::iter::once(field.name).chain(field.aliases.iter().copied())
}

fn stored<'a>(field: &'static Field, value: Option<&'a [u8]>) -> Option<StoredField<'a>> {
    Some(StoredField::new(field.name, field.keep, value?))
}

/// How large the column may become: what it would be if nobody else has changed a field, and the room that the patch's limit
/// leaves to others. Never more than the limit. Where it is less, by the little in which the two counts differ, the
/// conflict is resolved by asking again.
fn most(patch: &Patch) -> usize {
    let room = patch.limit.saturating_sub(patch.result.as_bytes().len());
    column_size(&patch.result).saturating_add(room)
}

/// `pg_column_size` of a `jsonb` of texts: a header, and of each field two lengths, the name and the text.
fn column_size(fields: &Fields) -> usize {
    let sizes =
        fields.iter().map(|field| 8 + text::encode(field.name.as_bytes()).len() + text::encode(field.value).len());
    8 + sizes.sum::<usize>()
}
