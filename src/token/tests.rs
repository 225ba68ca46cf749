use proptest::prelude::*;

use super::*;

fn secret(byte: u8) -> Secret {
    Secret::try_from([&[byte; 31][..], b"!"].concat()).unwrap()
}

fn keys(first: u8, previous: &[u8]) -> Keys {
    let previous: Vec<Secret> = previous.iter().map(|byte| secret(*byte)).collect();
    Keys::new(&secret(first), &previous, "__Host-sid", "shop")
}

fn token(byte: u8) -> Token {
    Token { selector: [byte; 16], epoch: Epoch(u64::from(byte) << 56 | 7), verifier: [byte ^ 0xff; 16] }
}

fn verify(keys: &Keys, texts: &[&str]) -> SmallVec<[Verified<Token>; 1]> {
    keys.verify_all(texts.iter().map(|text| text.as_bytes()), b"")
}

#[test]
fn r1_a_token_has_this_layout_and_this_mac() {
    let token = Token {
        selector: std::array::from_fn(|index| index as u8),
        epoch: Epoch(0x0102_0304_0506_0708),
        verifier: std::array::from_fn(|index| 0xf0 + index as u8),
    };
    let keys = keys(b'k', &[]);
    let text = keys.sign(&token, b"agent");
    // Computed a second time, sharing only the hash function with the code under test.
    let hmac = |key: &[u8], message: &[u8]| -> Vec<u8> {
        let pad = |with: u8| (0..64).map(|at| key.get(at).unwrap_or(&0) ^ with).collect::<Vec<u8>>();
        let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
        Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
    };
    let signed = [&token.selector[..], &[1, 2, 3, 4, 5, 6, 7, 8], &token.verifier].concat();
    let with_length = |part: &[u8]| [&(part.len() as u64).to_be_bytes(), part].concat();
    let purpose = [&b"http-session 1 cookie"[..], b"__Host-sid", b"shop"].map(with_length).concat();
    let key = hmac(secret(b'k').as_bytes(), &purpose);
    let message = [with_length(b"agent"), signed.clone()].concat();
    let expected = URL_SAFE_NO_PAD.encode([signed, hmac(&key, &message)].concat());
    assert_eq!(text.as_str(), expected);
    assert_eq!(text.as_str().len(), 96);
    let verified = keys.verify_all([expected.as_bytes()].into_iter(), b"agent");
    assert_eq!(verified[..], [Verified { value: token, signed_by: SignedBy::Current, candidate: 0 }]);
}

#[test]
fn r2_another_name_scope_fingerprint_or_secret_is_another_key() {
    let ours = keys(1, &[]);
    let text = ours.sign(&token(1), b"agent");
    let found = |keys: &Keys, fingerprint: &[u8]| {
        !keys.verify_all([text.as_str().as_bytes()].into_iter(), fingerprint).is_empty()
    };
    assert!(found(&ours, b"agent"));
    assert!(!found(&ours, b""));
    assert!(!found(&keys(2, &[]), b"agent"));
    assert!(!found(&Keys::new(&secret(1), &[], "__Host-si", "dshop"), b"agent"));
    assert!(!found(&Keys::new(&secret(1), &[], "sid", "shop"), b"agent"));
    assert!(!found(&Keys::new(&secret(1), &[], "__Host-sid", "shopagent"), b""));
}

#[test]
fn r3_one_candidate_is_tried_with_all_secrets() {
    let many: Vec<u8> = (1..=20).collect();
    let old = keys(20, &[]).sign(&token(3), b"");
    let verified = verify(&keys(0, &many), &[old.as_str(), old.as_str()]);
    assert_eq!(verified[..], [Verified { value: token(3), signed_by: SignedBy::Previous, candidate: 0 }]);
}

#[test]
fn r3_duplicates_cost_at_most_eight_macs_and_give_at_most_four() {
    use std::cell::Cell;
    let cost = |candidates: &[u32], secrets: u32| {
        let macs = Cell::new(0);
        let verified = within_budget(candidates.iter().copied().enumerate(), 0..secrets, |candidate, secret| {
            macs.set(macs.get() + 1);
            (candidate % 100 == *secret).then_some(*candidate)
        });
        (macs.get(), verified.into_iter().map(|found| (found.candidate, found.signed_by)).collect::<Vec<_>>())
    };
    assert_eq!(cost(&[99], 20), (20, vec![]));
    assert_eq!(cost(&[99, 99, 99], 20), (20, vec![]));
    assert_eq!(cost(&[98, 99], 20), (8, vec![]));
    let bad: Vec<u32> = (150..199).collect();
    assert_eq!(cost(&bad, 3), (8, vec![]));
    // The current secret comes first, and a verified candidate is not tried again.
    let (current, previous) = (SignedBy::Current, SignedBy::Previous);
    assert_eq!(cost(&[1, 50, 100], 2), (5, vec![(2, current), (0, previous)]));
    assert_eq!(
        cost(&[0, 100, 200, 300, 400, 500], 1),
        (4, vec![(0, current), (1, current), (2, current), (3, current)])
    );
    assert_eq!(cost(&[], 3), (0, vec![]));
}

#[test]
fn r3_only_the_exact_text_verifies() {
    let keys = keys(1, &[]);
    let text = keys.sign(&token(1), b"").as_str().to_owned();
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(keys.verify_all([changed.as_slice()].into_iter(), b"").is_empty(), "{at}");
    }
    for other in [&text[1..], &format!("{text}A"), &format!("{text}="), &format!(" {}", &text[1..]), ""] {
        assert!(verify(&keys, &[other]).is_empty());
    }
}

#[test]
fn r1_the_verifiers_hash() {
    let hash = verifier_hash(&[7; 16]);
    assert!(hashes_match(&hash, &verifier_hash(&[7; 16])));
    assert!(!hashes_match(&hash, &verifier_hash(&[8; 16])));
    assert!(!hashes_match(&VerifierHash::NONE, &VerifierHash::NONE));
}

#[test]
fn r26_debug_shows_no_token() {
    let text = keys(1, &[]).sign(&token(3), b"");
    assert_eq!(format!("{:?}", token(3)), "Token(..)");
    assert_eq!(format!("{text:?}"), "TokenText(..)");
}

proptest! {
    #[test]
    fn what_is_signed_verifies(selector: [u8; 16], epoch: u64, verifier: [u8; 16], fingerprint: Vec<u8>) {
        let token = Token { selector, epoch: Epoch(epoch), verifier };
        let keys = keys(1, &[]);
        let text = keys.sign(&token, &fingerprint);
        let verified = keys.verify_all([text.as_str().as_bytes()].into_iter(), &fingerprint);
        prop_assert_eq!(verified.len(), 1);
        prop_assert_eq!(&verified[0].value, &token);
    }

    #[test]
    fn r3_nothing_else_does(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 90..100), 0..12)) {
        prop_assert!(keys(1, &[2]).verify_all(texts.iter().map(Vec::as_slice), b"").is_empty());
    }
}
