// A strong secret is accepted everywhere, and a weak secret in the express format.
#![deny(warnings)]

use http_session::config::builder::{Express, SecretFor};
use http_session::error::{EmptySecret, InvalidSecret, SecretFromEnvError};
use http_session::{config::express::ExpressSecret, Secret, SessionConfig, secret};

const LITERAL: &str = "b1f0c3d9a6e84f7792c5d0e13a4b6f88";

fn from_outside() -> Result<Secret, SecretFromEnvError> {
    Secret::from_env("SESSION_SECRET")
}

fn checked(bytes: Vec<u8>) -> Result<Secret, InvalidSecret> {
    let _ = Secret::try_from(bytes.as_slice())?;
    let _ = Secret::try_from(LITERAL)?;
    Secret::try_from(bytes)
}

fn shared_with_node() -> Result<ExpressSecret, EmptySecret> {
    let _ = Secret::express(b"keyboard cat")?;
    let _ = Secret::express(String::from("keyboard cat"))?;
    Secret::express("keyboard cat")
}

fn either(secret: impl SecretFor<Express>) {
    let _ = SessionConfig::express().previous_secret(secret);
}

fn main() {
    let _ = SessionConfig::builder().secret(secret!(LITERAL));
    let _ = SessionConfig::development().secret(Secret::random()).previous_secret(secret!(LITERAL));
    let _ = SessionConfig::express().secret(Secret::random()).previous_secret(shared_with_node().unwrap());
    let _ = SessionConfig::express().secret(shared_with_node().unwrap()).previous_secret(Secret::random());
    either(Secret::random());
    either(shared_with_node().unwrap());
    let _ = (from_outside().is_err(), checked(vec![1; 32]).is_err());
    assert_eq!(format!("{:?} {:?}", Secret::random(), shared_with_node().unwrap()), "Secret(..) ExpressSecret(..)");
}
