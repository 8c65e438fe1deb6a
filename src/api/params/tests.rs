//! What parameters become, and how mistakes are told.

use super::*;
use serde_json::json;

fn params(values: Value) -> Params {
    let Value::Object(values) = values else { panic!("an object") };
    Params::new(Caller::root(), values, BTreeMap::new(), None)
}

#[test]
fn values_are_coerced() {
    let mut p = params(json!({
        "a": "Yes", "b": 0, "c": "17", "d": 4.0, "e": "2020-01-01T00:00:00Z", "f": "1577836800000",
        "g": "{\"x\":1}", "h": {"y": 2}, "i": "", "j": "ABCDEF0123456789abcdef01", "k": "2020-01-01",
        "l": "Wed, 01 Jan 2020 00:00:00 +0000"
    }));
    assert!(p.boolean("a").required());
    assert!(!p.boolean("b").required());
    assert_eq!(p.integer("c", 0..=20).required(), 17);
    assert_eq!(p.count("d").required(), 4);
    for date in ["e", "f", "k", "l"] {
        assert_eq!(p.date(date).required(), 1_577_836_800_000, "{date}");
    }
    assert_eq!(p.json("g").required(), "{\"x\":1}");
    assert_eq!(p.json("h").required(), "{\"y\":2}");
    assert_eq!(p.text("i", 10).optional(), None);
    let id: UserId = p.id("j").required();
    assert_eq!(id.to_string(), "abcdef0123456789abcdef01");
    assert!(p.finish(Unknown::Rejected).is_ok());
}

#[test]
fn all_failures_are_reported_at_once() {
    let mut p = params(json!({"n": "x", "t": 5, "list": "a,b", "extra": 1, "nil": null}));
    p.integer("n", 0..=9).optional();
    p.text("t", 5).optional();
    p.texts("list", 5).optional();
    p.boolean("nil").optional();
    p.text("missing", 5).required();
    let problem = p.finish(Unknown::Rejected).unwrap_err();
    assert_eq!(problem.status.as_u16(), 400);
    let details = problem.body.get("details").unwrap().as_object().unwrap();
    let paths: Vec<&str> = details.keys().map(String::as_str).collect();
    assert_eq!(paths, ["extra", "list", "missing", "n", "nil", "t"]);
    assert_eq!(problem.body.get("code").unwrap(), "InputValidationError");
}

#[test]
fn me_is_the_caller() {
    let mut p = params(json!({"user": "me"}));
    p.user();
    assert!(p.finish(Unknown::Ignored).is_err());
}

#[test]
fn parameters_of_missing_features_are_refused_when_they_say_something() {
    let mut p = params(json!({"targets": [], "pubKey": "", "encryptMessages": false}));
    p.not_supported_yet(&["targets", "pubKey", "encryptMessages", "mtaRelay"]);
    assert!(p.finish(Unknown::Rejected).is_ok());
    let mut p = params(json!({"targets": ["a@b"]}));
    p.not_supported_yet(&["targets"]);
    assert!(p.finish(Unknown::Rejected).is_err());
}
