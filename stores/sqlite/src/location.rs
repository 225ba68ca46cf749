//! Where a database is: URLs and paths.

use std::path::{Path, PathBuf};

use http_session_store::error::ConnectError;
use percent_encoding::percent_decode_str;

#[derive(Debug, PartialEq)]
pub(crate) enum Location {
    File(PathBuf),
    Memory,
}

impl Location {
    pub(crate) fn from_url(url: &str) -> Result<Self, ConnectError> {
        let Some(location) = url.strip_prefix("sqlite:") else {
            return Err(ConnectError::UnknownScheme { known: &["sqlite:"], features: &[] });
        };
        if location == ":memory:" {
            return Ok(Self::Memory);
        }
        let path = match location.strip_prefix("//") {
            Some(path) if path.starts_with('/') => path,
            Some(_) => {
                return Err(ConnectError::InvalidUrl(
                    "a path after `sqlite://` must begin with `/`; a relative path follows `sqlite:`",
                ));
            }
            None => location,
        };
        if path.is_empty() || path.ends_with('/') {
            return Err(ConnectError::InvalidUrl("it does not name a file"));
        }
        if path.contains(['?', '#']) {
            return Err(ConnectError::InvalidUrl(
                "query parameters are not accepted, use `SqliteOptions`; a `?` in a path is written `%3F`",
            ));
        }
        match percent_decode_str(path).decode_utf8() {
            Ok(path) if !path.contains('\0') => Ok(Self::from_path(Path::new(&*path))),
            _ => Err(ConnectError::InvalidUrl("its path is not valid UTF-8, or contains a NUL")),
        }
    }

    pub(crate) fn from_path(path: &Path) -> Self {
        // SQLite gives these names a meaning of its own, such as `:memory:`. A directory in front makes each a file name.
        let bytes = path.as_os_str().as_encoded_bytes();
        let is_special = bytes.starts_with(b":") || bytes.starts_with(b"file:");
        Self::File(if is_special { Path::new(".").join(path) } else { path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_or_memory() {
        for (url, path) in [
            ("sqlite:sessions.db", "sessions.db"),
            ("sqlite:./a/b.db", "./a/b.db"),
            ("sqlite:/var/lib/app/sessions.db", "/var/lib/app/sessions.db"),
            ("sqlite:///var/lib/app/sessions.db", "/var/lib/app/sessions.db"),
            ("sqlite:my%20sessions%3F.db", "my sessions?.db"),
            ("sqlite:%3Amemory:", "./:memory:"),
            ("sqlite:file:sessions.db", "./file:sessions.db"),
        ] {
            let Ok(Location::File(file)) = Location::from_url(url) else { panic!("{url}") };
            assert_eq!(file.to_str(), Some(path), "{url}");
        }
        assert!(matches!(Location::from_url("sqlite::memory:"), Ok(Location::Memory)));
    }

    #[test]
    fn a_url_that_names_neither_is_refused_with_a_reason() {
        for url in ["", "sessions.db", "redis://localhost", "SQLITE:sessions.db"] {
            assert!(matches!(Location::from_url(url), Err(ConnectError::UnknownScheme { .. })), "{url}");
        }
        for url in [
            "sqlite:",
            "sqlite:/",
            "sqlite://",
            "sqlite:///",
            "sqlite://sessions.db",
            "sqlite://host/sessions.db",
            "sqlite:sessions.db?mode=rwc",
            "sqlite:a#b",
            "sqlite:%00",
            "sqlite:%ff",
        ] {
            assert!(matches!(Location::from_url(url), Err(ConnectError::InvalidUrl(_))), "{url}");
        }
    }
}
