// A ticket is for one sign-in.
use http_session::{Session, Ticket};

#[derive(Session)]
struct Visit {
    #[session(identity)]
    user: Option<u64>,
}

fn log_in(mut first: Session<Visit>, mut second: Session<Visit>, ticket: Ticket<Visit>) {
    first.sign_in_with(ticket);
    second.sign_in_with(ticket);
}

fn main() {}
