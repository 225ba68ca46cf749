//! Rows that another program wrote, or changed.

use std::fs;

use http_session::error::StoreErrorKind;
use http_session::record::{Epoch, RawJson};
use http_session::store::{Cursor, Destroyed, EnumerateSessions as _, IndexSessions as _, Inserted, Touched, Updated};
use http_session::{SessionId, SessionStore as _};
use http_session_sqlite::SqliteStore;

use super::{Files as _, LIFETIME, id, noting, record};
use http_session_test_kit::Folder;
use rusqlite::{Connection, Row};

/// All columns of all rows.
fn dump(connection: &Connection) -> Vec<String> {
    let mut statement = connection.prepare("SELECT * FROM sessions ORDER BY id").unwrap();
    let columns = statement.column_count();
    let column = |row: &Row<'_>, place| format!("{:?}", row.get_ref(place).unwrap());
    let rows = statement.query_map([], |row| Ok((0..columns).map(|place| column(row, place)).collect()));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// Changes to a good row after which its values cannot be read.
const VALUES: [&str; 15] = [
    "fields = ''",
    "fields = 'not json'",
    "fields = '{'",
    "fields = '[]'",
    "fields = '{\"note\":1}'",
    "fields = '{\"note\":\"1\"} {}'",
    r#"fields = '{"note":"\\x0"}'"#,
    r#"fields = '{"\\xff":"1"}'"#,
    "fields = CAST(x'7b22ff' AS TEXT)",
    "fields = substr(fields, 1, 5)",
    "keep = '{\"note\":\"never\"}'",
    "keep = 'x'",
    "identity = '\\'",
    "identity = CAST(x'ff' AS TEXT)",
    "cookie = '\\x0'",
];

/// Changes after which not even its epoch and times can be read.
const HEADS: [&str; 4] =
    ["created = -1", "touched = -9223372036854775808", "verifier = x'00'", "previous = zeroblob(33)"];

async fn damaged(folder: &Folder, store: &SqliteStore, number: u64, damage: &str) -> SessionId {
    let id = id(number);
    assert_eq!(store.insert(&id, &record(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
    let connection = folder.connection();
    connection.pragma_update(None, "ignore_check_constraints", true).unwrap();
    let changed = connection.execute(&format!("UPDATE sessions SET {damage} WHERE id = ?1"), [id.as_str()]).unwrap();
    assert_eq!(changed, 1, "{damage}");
    id
}

#[tokio::test]
async fn r16_a_row_that_cannot_be_read_is_corrupt_and_stays_as_it_is() {
    let folder = Folder::new();
    let store = folder.store().await;
    for (number, damage) in (0..).zip(VALUES.into_iter().chain(HEADS)) {
        let id = damaged(&folder, &store, number, damage).await;
        let before = dump(&folder.connection());

        let corrupt = Some(StoreErrorKind::Corrupt);
        assert_eq!(store.load(&id).await.err().map(|error| error.kind()), corrupt, "{damage}");
        let patch = noting(&record(b"1"), b"2");
        assert_eq!(store.update(&id, &patch, LIFETIME).await.err().map(|error| error.kind()), corrupt, "{damage}");
        assert_eq!(store.insert(&id, &record(b"2"), LIFETIME).await.unwrap(), Inserted::Taken, "{damage}");
        let other = Some(Epoch(7));
        if HEADS.contains(&damage) {
            assert_eq!(store.destroy(&id, other).await.err().map(|error| error.kind()), corrupt, "{damage}");
        } else {
            assert_eq!(store.destroy(&id, other).await.unwrap(), Destroyed::Superseded, "{damage}");
        }
        assert_eq!(dump(&folder.connection()), before, "{damage}");

        // A touch and a destroy do not read the values.
        if VALUES.contains(&damage) {
            assert_eq!(store.touch(&id, Epoch(0), LIFETIME).await.unwrap(), Touched::Applied, "{damage}");
        }
        assert_eq!(store.destroy(&id, None).await.unwrap(), Destroyed::Destroyed, "{damage}");
        assert!(store.load(&id).await.unwrap().is_none_or(|record| record.is_tombstone()), "{damage}");
    }
    assert_eq!(store.len().await.unwrap(), 0);
}

#[tokio::test]
async fn r16_a_good_row_lives_beside_bad_ones() {
    let folder = Folder::new();
    let store = folder.store().await;
    assert_eq!(store.insert(&id(1000), &record(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
    for (number, damage) in (0..).zip(VALUES) {
        damaged(&folder, &store, number, damage).await;
    }
    assert_eq!(store.load(&id(1000)).await.unwrap().unwrap().fields, record(b"1").fields);
    assert_eq!(store.ids(None, 100).await.unwrap().ids.len(), VALUES.len() + 1);
    store.clear().await.unwrap();
    assert_eq!(store.len().await.unwrap(), 0);
}

/// Far larger than a record may be, and in many pieces. The time to read it grows with its bytes and no faster, and other calls
/// do not wait.
#[tokio::test]
async fn r16_other_calls_do_not_wait_for_a_huge_row() {
    use std::fmt::Write as _;

    let folder = Folder::new();
    let store = folder.with(SqliteStore::options().time_limit(std::time::Duration::from_secs(60))).await;
    let mut many = String::from("{");
    for number in 0..100_000 {
        let _ = write!(many, "\"field {number}\":\"1\",");
    }
    many.push_str("\"note\":\"1\"}");
    let large = format!("{{\"note\":\"1\",\"large\":\"{}\"}}", "7".repeat(20_000_000));
    let long_name = format!("{{\"{}\":\"1\"}}", "n".repeat(70_000));
    for (number, (fields, is_readable)) in (0..).zip([(&many, true), (&large, true), (&long_name, false)]) {
        assert_eq!(store.insert(&id(number), &record(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
        let sql = "UPDATE sessions SET fields = ?1, keep = ?1 WHERE id = ?2";
        let sql = if number == 0 { sql } else { "UPDATE sessions SET fields = ?1 WHERE id = ?2" };
        folder.connection().execute(sql, (fields, id(number).as_str())).unwrap();
        if number == 0 {
            let marks = "UPDATE sessions SET keep = replace(keep, '\"1\"', '\"always\"')";
            folder.connection().execute(marks, []).unwrap();
        }
        let loaded = store.load(&id(number)).await;
        assert_eq!(loaded.is_ok(), is_readable, "{loaded:?}");
        let updated = store.update(&id(number), &noting(&record(b"1"), b"2"), LIFETIME).await;
        if is_readable {
            assert_eq!(updated.unwrap(), Updated::Applied { renewed: true });
            let fields = store.load(&id(number)).await.unwrap().unwrap().fields;
            assert_eq!(fields.find("note"), Some(b"2".as_slice()));
            assert_eq!(fields.iter().count(), if number == 0 { 100_001 } else { 2 });
        } else {
            assert_eq!(updated.unwrap_err().kind(), StoreErrorKind::Corrupt);
        }
    }
}

/// Keys that another program wrote.
#[tokio::test]
async fn r2_a_key_that_is_not_an_id_is_left_out_and_hides_no_session() {
    let folder = Folder::new();
    let store = folder.store().await;
    for number in 0..4 {
        assert_eq!(store.insert(&id(number), &record(b"1"), LIFETIME).await.unwrap(), Inserted::Inserted);
    }
    let connection = folder.connection();
    for (number, key) in [(0, b"\\".as_slice()), (1, b"\xff"), (3, b"")] {
        let sql = "UPDATE sessions SET id = CAST(?1 AS TEXT) WHERE id = ?2";
        assert_eq!(connection.execute(sql, (key, id(number).as_str())).unwrap(), 1);
    }
    // More than a page of them, before the only key that is an id.
    for number in 0..150 {
        let sql = "INSERT INTO sessions SELECT '\\' || ?1, expires, epoch, identity_epoch, verifier, previous, created, \
                   identity_changed, verifier_changed, touched, identity, cookie, keep, fields FROM sessions WHERE id = ?2";
        assert_eq!(connection.execute(sql, (number, id(2).as_str())).unwrap(), 1);
    }
    connection.execute("UPDATE sessions SET identity = '1'", []).unwrap();
    let mut named = Vec::new();
    let mut page = store.ids(None, 1).await.unwrap();
    loop {
        named.extend(page.ids);
        let Some(next) = page.next else { break };
        page = store.ids(Some(&next), 1).await.unwrap();
    }
    assert_eq!(named, [id(2)]);
    for limit in [1, 10, 1000] {
        assert_eq!(store.linked(&RawJson::new(b"1"), None, limit).await.unwrap(), [id(2)]);
        assert!(store.linked(&RawJson::new(b"1"), Some(&id(2)), limit).await.unwrap().is_empty());
    }
    store.clear().await.unwrap();
    assert!(store.load(&id(2)).await.unwrap().unwrap().is_tombstone());
    assert!(store.ids(Some(&Cursor::new("\\")), 1).await.is_err(), "a page never ends there");
}

/// As a failing disk damages a file.
#[tokio::test]
async fn r16_a_damaged_file_is_an_error_and_never_a_panic() {
    let mut noticed = 0;
    for round in 0..http_session_test_kit::times(60).max(6) {
        let folder = Folder::new();
        let store = folder.store().await;
        for number in 0..200 {
            let note = vec![b'x'; 40 + usize::try_from(number % 7).unwrap() * 900];
            assert_eq!(store.insert(&id(number), &record(&note), LIFETIME).await.unwrap(), Inserted::Inserted);
        }
        drop(store);
        http_session_test_kit::servers::wait_until("the log is in the file", || {
            !folder.0.join("sessions.db-wal").exists()
        });

        let mut bytes = fs::read(folder.file()).unwrap();
        match round % 3 {
            0 => {
                let (half, end) = (bytes.len() / 2, bytes.len());
                bytes.truncate(if round % 2 == 0 { half } else { end - 100 });
            }
            1 => {
                // After the header and the schema.
                for byte in bytes.iter_mut().skip(8 * 4096).step_by(97) {
                    *byte = rand::random();
                }
            }
            _ => bytes.iter_mut().skip(4096).for_each(|byte| *byte = rand::random()),
        }
        fs::write(folder.file(), &bytes).unwrap();

        let store = match SqliteStore::connect(&folder.url()).await {
            Ok(store) => store,
            Err(error) => {
                let _ = error.to_string();
                noticed += 1;
                continue;
            }
        };
        for number in 0..200 {
            match store.load(&id(number)).await {
                Ok(Some(record)) => assert!(!record.is_tombstone()),
                Ok(None) => noticed += 1,
                Err(error) => {
                    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
                    noticed += 1;
                }
            }
            if let Err(error) = store.update(&id(number), &noting(&record(b"1"), b"2"), LIFETIME).await {
                assert!(matches!(error.kind(), StoreErrorKind::Corrupt | StoreErrorKind::Unknown), "{error:?}");
            }
        }
    }
    assert!(noticed > 0, "the damage was noticed");
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    fs::write(folder.file(), "a diary, and nothing else, but rather a long one\n".repeat(100)).unwrap();
    let before = fs::read(folder.file()).unwrap();
    let error = SqliteStore::connect(&folder.url()).await.unwrap_err();
    assert!(error.to_string().ends_with("the file is not a SQLite database, or it is encrypted"), "{error}");
    assert_eq!(fs::read(folder.file()).unwrap(), before);
}
