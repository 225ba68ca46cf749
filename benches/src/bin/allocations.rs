//! Heap allocations and bytes of one request, counted by the allocator: exact, and the same on every machine.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http_session_benches::{Case, Contender, Visit};

/// Requests of one measurement: growing tables and queues of the store count with their part.
const REQUESTS: u64 = 2000;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

fn count(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes as u64, Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
#[expect(unsafe_code, reason = "an allocator is unsafe by nature")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted<R>(work: impl FnOnce() -> R) -> (R, u64, u64) {
    let before = (ALLOCATIONS.load(Relaxed), BYTES.load(Relaxed));
    let result = work();
    (result, ALLOCATIONS.load(Relaxed) - before.0, BYTES.load(Relaxed) - before.1)
}

/// Allocations and bytes of one request, without making it.
fn measure(contender: Contender, case: Case) -> Option<(f64, f64)> {
    let mut program = contender.prepare(case)?;
    for _ in 0..100 {
        program.check(contender, case);
    }
    let (mut allocations, mut bytes) = (0, 0);
    for _ in 0..REQUESTS {
        let request = program.request();
        let (response, more_allocations, more_bytes) = counted(|| program.answer(request));
        allocations += more_allocations;
        bytes += more_bytes;
        program.receive(&response);
    }
    Some((allocations as f64 / REQUESTS as f64, bytes as f64 / REQUESTS as f64))
}

/// What the design allows above the bare handler: a store that answers at once, an extension map that is empty.
fn budget(contender: Contender, case: Case, decoding: f64) -> Option<f64> {
    const MAP: f64 = 2.0;
    let (handle, visits) = match contender {
        Contender::Bare | Contender::TowerSessions => return None,
        Contender::Service => (1.0, 0.0),
        Contender::Layer => (2.0 + MAP, 0.0),
        Contender::ServiceWaiting => (1.0, 1.0),
        Contender::LayerWaiting => (2.0 + MAP, 1.0),
    };
    Some(match case {
        Case::Untouched => handle,
        Case::Read => handle + decoding + visits,
        Case::Modify => handle + decoding + 1.0 + 2.0 * visits,
        Case::Rolling => handle + decoding + 4.0 + 2.0 * visits,
        Case::Create => handle + 4.0 + visits,
        // Not in the budget.
        Case::SignIn | Case::Forged => return None,
    })
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("there is a runtime");
    let _guard = runtime.enter();

    let json = serde_json::to_vec(&Visit::example()).expect("a visit is JSON");
    let (visit, decoding, _) = counted(|| serde_json::from_slice::<Visit>(&json));
    black_box(visit).expect("a visit decodes");
    println!("D, what decoding the session's value allocates: {decoding}\n");
    println!("Allocations of one request above the bare handler (budget) / bytes above it\n");

    print!("| request |");
    Contender::ALL.iter().for_each(|contender| print!(" {} |", contender.name()));
    println!("\n|---|{}", "---|".repeat(Contender::ALL.len()));
    for case in Case::ALL {
        let Some(bare) = measure(Contender::Bare, case) else { continue };
        print!("| {} |", case.name());
        for contender in Contender::ALL {
            match measure(contender, case) {
                None => print!(" |"),
                Some((allocations, bytes)) if contender == Contender::Bare => print!(" {allocations} / {bytes:.0} |"),
                Some((allocations, bytes)) => {
                    let above = ((allocations - bare.0) * 100.0).round() / 100.0;
                    let allowed = budget(contender, case, decoding as f64);
                    let allowed = allowed.map_or_else(String::new, |budget| format!(" ({budget})"));
                    print!(" {above}{allowed} / {:.0} |", bytes - bare.1);
                }
            }
        }
        println!();
    }
}
