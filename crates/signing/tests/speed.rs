//! `cargo test --release -p signing --test speed -- --ignored --nocapture`

use std::hint::black_box;
use std::time::Instant;

use signing::{Secret, Verifier, sign_sha256, sign_standard};

const ROUNDS: u32 = 200_000;

#[test]
#[ignore = "a measurement"]
fn nanoseconds_for_300_bytes() {
    let text = Secret::generate([7; 32]);
    let secrets = [Secret::parse(&text).unwrap()];
    let verifier = Verifier::new(&text).unwrap();
    let asymmetric = [Secret::parse("whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap()];
    let id = "019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5b";
    let body = [b'x'; 300];
    let value = sign_standard(&secrets, id, 1_700_000_000, &body);

    measure("sign_standard", ROUNDS, || sign_standard(&secrets, id, black_box(1_700_000_000), &body));
    measure("sign_sha256", ROUNDS, || sign_sha256(&secrets[0], black_box(&body)));
    measure("Verifier::standard", ROUNDS, || {
        verifier.standard(id, "1700000000", &value, black_box(&body), 1_700_000_000, 300)
    });
    measure("Secret::parse", ROUNDS, || Secret::parse(black_box(&text)));
    measure("sign_standard, v1a", ROUNDS / 10, || sign_standard(&asymmetric, id, black_box(1_700_000_000), &body));
}

fn measure<T>(what: &str, rounds: u32, mut run: impl FnMut() -> T) {
    let start = Instant::now();
    for _ in 0..rounds {
        black_box(run());
    }
    println!("{what}: {} ns", start.elapsed().as_nanos() / u128::from(rounds));
}
