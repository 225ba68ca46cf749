//! The handler of all visits. It does the steps of its plan, each after a gate, and tells the model what it did.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use http::{Response, StatusCode};
use http_session::error::SaveError;
use http_session::record::Keep;
use http_session::{Session, SignedOut};

use super::plan::{End, Step};
use super::truth::Mark;
use super::world::World;
use crate::support::{Oops, Request};

/// A field for each merge rule and each `keep` attribute. `hits` and `log` change together, and so do `shelf` and
/// `high`.
#[derive(Session, Debug)]
pub struct Basket {
    #[session(identity)]
    pub user: Option<u8>,
    #[session(merge = "add")]
    hits: i64,
    #[session(merge = "append")]
    pub log: Vec<u32>,
    #[session(merge = "append", keep = "sign_in")]
    cart: Vec<u32>,
    #[session(merge = "keys")]
    shelf: BTreeMap<u32, u32>,
    #[session(merge = "max")]
    high: u32,
    nonce: Option<u32>,
    #[session(merge = "reject")]
    choice: Option<u32>,
    note: Option<u32>,
    #[session(keep)]
    theme: Option<u32>,
}

/// Returns the `keep` attribute of a field of [`Basket`].
pub fn mark_of(name: &str) -> Keep {
    match name {
        "cart" => Keep::SignIn,
        "theme" => Keep::Always,
        _ => Keep::No,
    }
}

/// Request extension that tells the handler which visit it serves.
#[derive(Clone)]
pub struct Job {
    pub world: Arc<World>,
    pub visit: usize,
}

pub const TEXT: &str = "from the handler";

pub async fn handle(request: Request) -> Result<Response<String>, Oops> {
    let Job { world, visit } = request.extensions().get::<Job>().expect("a job").clone();
    let mut handler = Handler { world, visit };
    let plan = handler.world.lock().truth.course(visit).visit.clone();
    let session = match Session::<Basket>::extract(request.extensions()).await {
        Ok(session) => session,
        Err(rejection) => return Ok(response(rejection.status(), rejection.body_text())),
    };
    handler.world.lock().truth.opened(visit, &session);
    let mut session = Some(session);
    for step in plan.steps {
        handler.world.gate("step").await;
        handler.world.note(|| format!("    {visit} {step:?}"));
        let current = match session.take() {
            Some(session) => session,
            None => Session::extract(request.extensions()).await.expect("a session after the end of one"),
        };
        session = handler.take_step(step, current).await;
    }
    handler.world.gate("end").await;
    drop(session);
    handler.world.note(|| format!("    {visit} {:?}", plan.end));
    match plan.end {
        End::Panic => std::panic::resume_unwind(Box::new("as planned")),
        End::Hang => {
            handler.world.lock().truth.course(visit).hangs = true;
            std::future::pending().await
        }
        End::InnerError => Err(Oops),
        End::Status(status) => {
            handler.world.lock().truth.course(visit).is_handled = true;
            Ok(response(StatusCode::from_u16(status).expect("a status"), TEXT))
        }
    }
}

fn response(status: StatusCode, text: &str) -> Response<String> {
    let mut response = Response::new(text.to_owned());
    *response.status_mut() = status;
    response
}

struct Handler {
    world: Arc<World>,
    visit: usize,
}

impl Handler {
    /// Returns a new mark: a number that no other write uses.
    fn mark(&self, user: Option<u8>) -> u32 {
        let truth = &mut self.world.lock().truth;
        // A save that waits for its turn will also write what is pending when the turn comes.
        let offered = truth.course(self.visit).given_up > 1;
        truth.marks.push(Mark { visit: self.visit, user, offered, dropped: false });
        // The first mark is 1, since 0 is the default of a field and would not be stored.
        let mark = truth.marks.len() as u32;
        truth.course(self.visit).pending.push(mark);
        mark
    }

    /// Returns a mark for a field that may be overwritten, so the mark need not be found in the store.
    fn passing(&self, user: Option<u8>) -> u32 {
        let mark = self.mark(user);
        self.world.lock().truth.course(self.visit).pending.pop();
        mark
    }

    /// Notes that the pending changes are taken back.
    fn drop_pending(&self) {
        let truth = &mut self.world.lock().truth;
        for mark in std::mem::take(&mut truth.course(self.visit).pending) {
            truth.mark(mark).dropped = true;
        }
    }

    /// Notes that the pending changes may be stored from now on.
    fn offer(&self) {
        let truth = &mut self.world.lock().truth;
        for mark in truth.course(self.visit).pending.clone() {
            truth.mark(mark).offered = true;
        }
    }

    fn count(&self, session: &mut Session<Basket>) {
        let mark = self.mark(session.user);
        session.hits += 1;
        session.log.push(mark);
    }

    async fn take_step(&mut self, step: Step, mut session: Session<Basket>) -> Option<Session<Basket>> {
        match step {
            Step::Read => assert_eq!(session.hits, session.log.len() as i64),
            Step::Count => self.count(&mut session),
            Step::Cart => {
                let mark = self.mark(session.user);
                session.cart.push(mark);
            }
            Step::Theme => session.theme = Some(self.passing(session.user)),
            Step::Shelve => {
                let mark = self.passing(session.user);
                session.shelf.insert(mark, mark);
                session.high = session.high.max(mark);
                session.note = Some(mark);
            }
            Step::Nonce => session.nonce = Some(self.passing(session.user)),
            Step::Choose => session.choice = Some(self.passing(session.user)),
            Step::Take => self.take(&mut session).await,
            Step::TwoHandles => {
                // R4: a handle that was opened before a change of identity loses its changes.
                let _: &mut Basket = &mut session;
                let mut second = Session::<Basket>::of(&session).expect("a second handle");
                self.count(&mut second);
                self.count(&mut session);
            }
            Step::Save => {
                self.offer();
                let saved = session.save().await;
                self.saved(&saved);
            }
            Step::GiveUpSave => {
                self.offer();
                self.world.lock().truth.course(self.visit).given_up += 1;
                let _ = pin!(session.save()).poll(&mut Context::from_waker(Waker::noop()));
            }
            Step::Reload => {
                if session.reload().await.is_ok() {
                    self.drop_pending();
                }
            }
            Step::Discard => {
                session.discard();
                self.drop_pending();
            }
            Step::Touch => session.touch(),
            Step::Passive => session.passive(),
            Step::Rotate => session.rotate(),
            step => return self.change_identity(step, session).await,
        }
        Some(session)
    }

    async fn change_identity(&mut self, step: Step, mut session: Session<Basket>) -> Option<Session<Basket>> {
        let before = session.user;
        match step {
            Step::SignIn(user) | Step::AssignUser(user) => {
                self.world.lock().truth.course(self.visit).users.push(user);
                if matches!(step, Step::SignIn(_)) {
                    session.sign_in(user);
                } else {
                    session.user = Some(user);
                }
                if before.is_some_and(|before| before != user) {
                    self.drop_pending();
                }
            }
            Step::AssignNobody => {
                session.user = None;
                if before.is_some() {
                    let from_record = self.world.lock().truth.course(self.visit).seen.user().is_some();
                    self.world.lock().truth.course(self.visit).assigns_nobody |= from_record;
                    self.drop_pending();
                }
            }
            Step::SignOut | Step::RecordSignOut => {
                self.world.lock().truth.course(self.visit).leaves = true;
                if before.is_some() {
                    self.drop_pending();
                }
                let work = session.sign_out();
                if step == Step::SignOut {
                    self.left(work.await.ok());
                }
            }
            Step::Regenerate => {
                self.world.lock().truth.course(self.visit).begins = true;
                session.regenerate();
                self.drop_pending();
            }
            _ => {
                self.world.lock().truth.course(self.visit).leaves = true;
                self.drop_pending();
                let work = session.destroy();
                if step == Step::Destroy {
                    self.left(work.await.ok());
                }
                return None;
            }
        }
        Some(session)
    }

    /// Takes a nonce. Only one of many takers may succeed (R13).
    async fn take(&self, session: &mut Session<Basket>) {
        if session.is_new() {
            self.offer();
        }
        if let Ok(Some(nonce)) = session.take(|basket| basket.nonce.take()).await {
            let truth = &mut self.world.lock().truth;
            let first = truth.taken.insert(nonce);
            truth.check(self.visit, first, "R13: a nonce was taken twice");
        }
    }

    /// Checks that a save is in the store after it succeeded (R12).
    fn saved(&self, saved: &Result<(), SaveError>) {
        let truth = &mut self.world.lock().truth;
        if saved.is_err() {
            return;
        }
        for mark in std::mem::take(&mut truth.course(self.visit).pending) {
            let stored = truth.written.iter().any(|(_, written)| *written == mark);
            truth.check(self.visit, stored, "R12: a save succeeded but is not stored");
        }
    }

    fn left(&self, answer: Option<SignedOut>) {
        if matches!(answer, Some(SignedOut::SignedOut | SignedOut::AlreadySignedOut)) {
            self.world.lock().truth.left(self.visit);
        }
    }
}
