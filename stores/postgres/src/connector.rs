//! How to open a connection beside those of the pool.

use tokio_postgres::{CancelToken, NoTls};

#[derive(Clone)]
pub(super) enum Connector {
    Plain,
    #[cfg(feature = "tls")]
    Tls(tokio_postgres_rustls::MakeRustlsConnect),
    /// The user built the pool, and knows how.
    Unknown,
}

impl Connector {
    /// Asks the server to give up the statement. The protocol does not say whether it did.
    pub(super) async fn cancel(self, token: CancelToken) {
        let _ = match self {
            Self::Plain => token.cancel_query(NoTls).await,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => token.cancel_query(tls).await,
            Self::Unknown => Ok(()),
        };
    }
}
