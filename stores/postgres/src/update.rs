//! The statement of one update or touch.
//!
//! This is the contract of one record in SQL. The same contract is written in Rust, as `Entry` of `http-session-store`, which
//! the stores in memory and in SQLite run, and in Lua, in `http-session-redis`. Change all three together; the conformance suite
//! of `http-session-store` compares them.
//!
//! The text has only what the patch asks for, because the server takes longer to plan a long statement than to run it. In every
//! statement `l` is the row as it is now, locked.

use std::borrow::Cow;

use http_session_store::SessionId;
use http_session_store::record::{
    Change, Clear, Epoch, Extent, Field, Fields, IdentityChange, Keep, Lifetime, Patch, StoredField, VerifierChange,
};
use http_session_store::text;

use super::parameter::Parameter;
use super::statements::COLUMNS;

/// Whether the row can be read, as far as that is cheap to see (R16). It must refuse no row that can be read. Each write plans and
/// runs it, so it looks into no value: a load does that.
const READABLE: &str = "octet_length(l.verifier) = 32 and coalesce(octet_length(l.previous), 32) = 32 \
    and jsonb_typeof(l.fields) = 'object' and jsonb_typeof(l.keep) = 'object'";

pub(super) struct UpdateStatement<'a> {
    pub(super) text: String,
    pub(super) parameters: Vec<Parameter<'a>>,
    /// The statement returns a row with `renewed`; if that is null, nothing was written, and the row holds the record. Other
    /// statements return no row, and only the number of changed rows tells whether they wrote.
    pub(super) returns_record: bool,
}

impl<'a> UpdateStatement<'a> {
    /// Changes the row as the patch says, or changes nothing.
    pub(super) fn patch(table: &str, id: &'a SessionId, patch: &'a Patch, lifetime: Lifetime) -> Self {
        // A patch that merges is likely to be refused, and then the record is needed: without a second round trip. After a
        // renewal, `returning` sees only the new row, which does not tell whether it was this patch that renewed it.
        let returns_record =
            patch.written().any(|change| change.conditional) || matches!(patch.verifier, VerifierChange::Renew { .. });
        let mut builder = UpdateBuilder::new(id, patch.epoch);
        builder.require(READABLE);
        builder.lifetime(lifetime, patch.resets_identity_age());
        builder.fields(patch);
        let (epoch, renewed) = builder.verifier(&patch.verifier);
        builder.identity(&patch.identity, epoch);
        if let Some(cookie) = &patch.cookie {
            let cookie = builder.parameter(Parameter::raw(cookie.as_ref()));
            builder.set("cookie", &cookie);
        }
        if returns_record { builder.finish_with_record(table, &renewed) } else { builder.finish(table) }
    }

    /// Extends the life of the session, or changes nothing. It moves `expires`, which has an index, so that the server writes a
    /// new version of the row and of its entry in each index. Therefore the middleware does not touch at every request.
    pub(super) fn touch(table: &str, id: &'a SessionId, epoch: Epoch, lifetime: Lifetime) -> Self {
        let mut builder = UpdateBuilder::new(id, epoch);
        builder.require("l.verifier is not null");
        builder.lifetime(lifetime, false);
        builder.finish(table)
    }
}

struct UpdateBuilder<'a> {
    parameters: Vec<Parameter<'a>>,
    assignments: Vec<String>,
    conditions: Vec<String>,
}

impl<'a> UpdateBuilder<'a> {
    fn new(id: &'a SessionId, epoch: Epoch) -> Self {
        let parameters = vec![Parameter::id(id), Parameter::epoch(epoch)];
        Self { parameters, assignments: Vec::new(), conditions: vec!["l.epoch = $2".to_owned()] }
    }

    /// The plainest statement. If another transaction holds the row, this one waits, and checks the conditions again on the row
    /// that it then finds.
    fn finish(mut self, table: &str) -> UpdateStatement<'a> {
        self.require("l.expires > now()");
        let (assignments, conditions) = (self.assignments.join(", "), self.conditions());
        let text = format!("update {table} l set {assignments} where l.id = $1 and {conditions}");
        UpdateStatement { text, parameters: self.parameters, returns_record: false }
    }

    /// Locks the row, changes it if it meets the conditions, and otherwise returns it.
    fn finish_with_record(self, table: &str, renewed: &str) -> UpdateStatement<'a> {
        let (assignments, conditions) = (self.assignments.join(", "), self.conditions());
        // The first join has a row for every `l`, written or not. The second fills the columns of the record only if nothing was
        // written, so that an update that succeeds does not send the record back.
        let text = format!(
            "with l as materialized (select * from {table} where id = $1 and expires > now() for update), \
             u as (update {table} s set {assignments} from l where s.id = $1 and {conditions} returning {renewed} as renewed) \
             select u.renewed, {COLUMNS} from l left join u on true left join l r on u.renewed is null",
        );
        UpdateStatement { text, parameters: self.parameters, returns_record: true }
    }

    /// All conditions in one `case`, which the planner does not take apart. It would weigh an index for each of them, although
    /// only the id leads to the row. It would also be free to reorder them, so that a condition could fail on a row that
    /// [`READABLE`] refuses.
    fn conditions(&self) -> String {
        format!("case when {} then true end", self.conditions.join(" and "))
    }

    fn parameter(&mut self, parameter: Parameter<'a>) -> String {
        self.parameters.push(parameter);
        format!("${}", self.parameters.len())
    }

    fn set(&mut self, column: &str, to: &str) {
        self.assignments.push(format!("{column} = {to}"));
    }

    fn require(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    /// As [`Lifetime::time_left`].
    fn lifetime(&mut self, lifetime: Lifetime, resets_age: bool) {
        let (idle, absolute) = (
            self.parameter(Parameter::Interval(lifetime.idle)),
            self.parameter(Parameter::Interval(lifetime.absolute)),
        );
        let wanted = match lifetime.extent {
            // Never shortens a life (R7).
            Extent::Extend => format!("greatest(l.expires, now() + {idle})"),
            Extent::Set => format!("now() + {idle}"),
        };
        // An `identity_changed` in the future counts as now, as it does for ages. Without that, a session with `infinity` there
        // would not end, and adding to the last possible timestamp is an error.
        let since = if resets_age { "now()" } else { "least(l.identity_changed, now())" };
        self.set("expires", &format!("least({wanted}, {since} + {absolute})"));
        if !lifetime.idle.is_zero() {
            self.set("touched", "now()");
        }
        if resets_age {
            self.set("identity_changed", "now()");
        }
    }

    /// Returns the epoch after the update, and the condition under which a renewal takes place.
    fn verifier(&mut self, change: &'a VerifierChange) -> (&'static str, String) {
        match change {
            VerifierChange::Unchanged => ("l.epoch", "true".to_owned()),
            VerifierChange::Rotate(verifier) => {
                let verifier = self.parameter(Parameter::hash(Some(verifier)));
                self.set("epoch", "l.epoch + 1");
                self.set("verifier", &verifier);
                self.set("previous", "null");
                self.set("verifier_changed", "now()");
                ("l.epoch + 1", "true".to_owned())
            }
            // Not a condition of the statement: the rest of the patch is written even if another request has renewed before (R6).
            VerifierChange::Renew { current, new } => {
                let current = self.parameter(Parameter::hash(Some(current)));
                let new = self.parameter(Parameter::hash(Some(new)));
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
        let identity = self.parameter(Parameter::raw(identity));
        self.set("identity", &identity);
        self.set("identity_epoch", epoch);
    }

    /// As [`Patch::apply_to`], except that nothing is merged: merge rules are functions of the application, so a field that
    /// must be merged makes the statement refuse.
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
            self.require_unchanged(&change, kept.as_deref());
        }
        let written: Vec<_> = patch.written().filter_map(|change| stored(change.field, change.value)).collect();
        let names = || patch.written_fields().iter().flat_map(|field| names(field));
        let is_marked = |name: &&str| written.iter().any(|field| field.keep != Keep::No && field.name == *name);
        let is_written = |name: &&str| written.iter().any(|field| field.name == *name);
        // A field that is written is written over; what is left of it are its older names and its mark (R15).
        fields = self.without(fields, names().filter(|name| !is_written(name)));
        keep = self.without(keep, names().filter(|name| !is_marked(name)));
        if !written.is_empty() {
            let values = self.parameter(Parameter::Json(text::fields(written.iter().copied())));
            fields = format!("{fields} || {values}");
        }
        if written.iter().any(|field| field.keep != Keep::No) {
            let marks = self.parameter(Parameter::Json(text::marks(written.iter().copied())));
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
            let json = self.parameter(Parameter::Json(text::fields([*value])));
            let mark = self.parameter(Parameter::Json(text::marks([*value])));
            fields = format!("{fields} || case when {is_absent} then {json} else '{{}}' end");
            keep = format!("{keep} || case when {is_absent} then {mark} else '{{}}' end");
        }
        if patch.limit > 0 && !(written.is_empty() && filled.is_empty()) {
            let largest = self.parameter(Parameter::count(largest_column(patch)));
            self.require(&format!("pg_column_size({fields}) <= {largest}"));
        }
        for (column, to) in [("fields", fields), ("keep", keep)] {
            if to != format!("l.{column}") {
                self.set(column, &to);
            }
        }
    }

    /// The object without these names.
    fn without(&mut self, object: String, names: impl Iterator<Item = &'static str>) -> String {
        let names: Vec<_> = names.map(|name| text::encode(name.as_bytes())).collect();
        if names.is_empty() {
            return object;
        }
        let names = self.parameter(Parameter::Texts(names));
        format!("({object} - {names})")
    }

    /// The marks of fields that are not cleared; `None` if nothing is cleared.
    fn kept_marks(&mut self, clear: Clear) -> Option<String> {
        if clear == Clear::Nothing {
            return None;
        }
        let kept = [Keep::SignIn, Keep::Always].into_iter().filter(|mark| clear.keeps(*mark));
        let marks = kept.filter_map(text::mark).map(Cow::Borrowed).collect();
        Some(self.parameter(Parameter::Texts(marks)))
    }

    /// The field is still as it was loaded, or it is cleared and there is nothing to merge with.
    fn require_unchanged(&mut self, change: &Change<'a>, kept: Option<&str>) {
        let stored = self.stored(change.field, kept);
        let base = self.parameter(Parameter::Text(change.base.map(text::encode)));
        self.require(&match kept {
            None => format!("{stored} is not distinct from {base}"),
            // Null if the two are equal, and also if `stored` is null, because the field is cleared.
            Some(_) => format!("nullif({stored}, {base}) is null"),
        });
    }

    /// The text of a field that is stored and not cleared, under its name or the first of its older names (R15).
    fn stored(&mut self, field: &'static Field, kept: Option<&str>) -> String {
        let texts: Vec<String> = names(field)
            .map(|name| {
                let name = self.parameter(Parameter::Text(Some(text::encode(name.as_bytes()))));
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

/// How large the column may become: as large as it is if nobody else has changed a field, and the room that the patch's limit
/// leaves to others. It is never more than the limit allows. The server counts a little differently from the limit; if that
/// refuses a patch that fits, the middleware rebases it on the record and writes again.
fn largest_column(patch: &Patch) -> usize {
    let room = patch.limit.saturating_sub(patch.result.as_bytes().len());
    column_size(&patch.result).saturating_add(room)
}

/// `pg_column_size` of a `jsonb` of texts: a header, and for each field two lengths, the name and the text.
fn column_size(fields: &Fields) -> usize {
    let sizes =
        fields.iter().map(|field| 8 + text::encode(field.name.as_bytes()).len() + text::encode(field.value).len());
    8 + sizes.sum::<usize>()
}
