//! Requests of one case, for a tool that counts instructions: see `instructions.sh`.

use std::env::args;

use http_session_benches::{Body, Case, Contender, Program};

/// The one function that is counted: from the request to the response.
#[inline(never)]
fn counted_answer(program: &mut Program, request: http::Request<Body>) -> http::Response<()> {
    program.answer(request)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("there is a runtime");
    let _guard = runtime.enter();

    let [_, contender, case, requests] = args().collect::<Vec<_>>().try_into().expect("contender, case, requests");
    let contender = Contender::ALL.into_iter().find(|known| known.name() == contender).expect("a contender");
    let case = Case::ALL.into_iter().find(|known| known.name() == case).expect("a case");
    let requests: usize = requests.parse().expect("a number of requests");
    let Some(mut program) = contender.prepare(case) else { return };
    for _ in 0..100 {
        program.check(contender, case);
    }
    for _ in 0..requests {
        let request = program.request();
        let response = counted_answer(&mut program, request);
        program.receive(&response);
    }
}
