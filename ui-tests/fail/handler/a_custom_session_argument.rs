// Only the library decides which arguments a handler can take.
use http_session::{Session, error::SessionRejection, middleware::SessionArgument};

#[derive(Session)]
struct Visit {}

struct MySession(Session<Visit>);

impl SessionArgument for MySession {
    type Data = Visit;
    fn from_session(session: Result<Session<Visit>, SessionRejection>) -> Result<Self, SessionRejection> {
        session.map(Self)
    }
}
fn main() {}
