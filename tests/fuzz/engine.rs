//! The engine: seeds, mutated at random, given to a target until the time is over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Octets of an input at most.
const OCTETS_MAX: usize = 8 * 1024;

/// A small random generator (splitmix64): the same seed gives the same run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below the bound, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs a target on every seed, then on mutations of them.
pub fn run(name: &str, seeds: &[Vec<u8>], target: fn(&[u8])) {
    assert!(!seeds.is_empty(), "{name}: no seeds");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = from_environment("EIDER_FUZZ_SEED")
        .unwrap_or(u64::from(now.subsec_nanos()) ^ now.as_secs() << 20);
    let seconds = Duration::from_secs(from_environment("EIDER_FUZZ_SECONDS").unwrap_or(2));
    let mut random = Random::new(seed);
    let started = Instant::now();
    let mut inputs = 0u64;
    for input in seeds {
        attempt(name, seed, input, target);
    }
    while started.elapsed() < seconds {
        let input = mutated(seeds, &mut random);
        attempt(name, seed, &input, target);
        inputs += 1;
    }
    eprintln!("{name}: {inputs} inputs, seed {seed}");
}

fn attempt(name: &str, seed: u64, input: &[u8], target: fn(&[u8])) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        panic!("{name}: EIDER_FUZZ_SEED={seed} found b\"{}\"", input.escape_ascii());
    }
}

/// What parsers care about.
const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\"",
    b"\\",
    b"(",
    b")",
    b"[",
    b"]",
    b"<",
    b">",
    b"{",
    b"}",
    b"{0}\r\n",
    b"{3+}\r\n",
    b"~{2+}\r\n",
    b"{4294967296}",
    b"{99999999999999999999+}\r\n",
    b"*",
    b"%",
    b"&",
    b"&-",
    b"&AOk-",
    b"\xc3\xa9",
    b"\xff",
    b"1",
    b"0",
    b"4294967295",
    b"4294967296",
    b"18446744073709551615",
    b":",
    b",",
    b"$",
    b"-",
    b"+",
    b".",
    b"..",
    b"\r\n.\r\n",
    b"\r\n..",
    b"NIL",
    b"UID ",
    b"BODY[",
    b"BODY.PEEK[",
    b"HEADER.FIELDS (",
    b"<0.1>",
    b"\\Seen",
    b"OR ",
    b"NOT ",
    b"CHARSET ",
    b"UTF-8",
    b"=?utf-8?q?=41?=",
    b"=?",
    b"?=",
    b"--a",
    b"\r\n--a\r\n",
    b"\r\n--a--\r\n",
    b"Content-Type: ",
    b"multipart/mixed; boundary=a\r\n",
    b"message/rfc822",
    b"Content-Transfer-Encoding: base64\r\n",
    b"\r\n\r\n",
    b";UID=",
    b"%2F",
    b"@",
    b":;",
    b"\t",
];

/// A seed with one to eight changes.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    input.truncate(OCTETS_MAX);
    for _ in 0..=random.below(8) {
        change(&mut input, seeds, random);
    }
    input.truncate(OCTETS_MAX * 2);
    input
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(16) + 1).min(input.len());
    match random.below(8) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = u8::try_from(random.below(256)).unwrap(),
        2 => drop(input.drain(at..end)),
        3 => {
            let copied = input[at..end].to_vec();
            input.splice(at..at, copied);
        }
        4 => input.truncate(at),
        5 => {
            // the beginning of one seed, the end of another
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..other.len().min(from + OCTETS_MAX)]);
        }
        _ => {
            let token = TOKENS[random.below(TOKENS.len())];
            input.splice(at..at, token.iter().copied());
        }
    }
}
