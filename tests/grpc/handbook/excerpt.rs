//! An excerpt of an answer, as a page prints it, against the whole.

use serde_json::Value;
use std::collections::BTreeMap;

/// What `<names>` stand for.
pub(crate) type Names = BTreeMap<String, String>;

/// Says where an answer is not what was printed. Fields and elements that are not printed may be anything, except that `{}`
/// is an empty answer; `…` stands for any text; `<name>` is any text, and remembered.
pub(crate) fn compare(printed: &Value, answer: &Value, names: &mut Names) -> Result<(), String> {
    let differs = || Err(format!("printed {printed}, answered {answer}"));
    match (printed, answer) {
        (Value::Object(printed), Value::Object(answer)) if printed.is_empty() && !answer.is_empty() => {
            differs()
        }
        (Value::Object(fields), Value::Object(answer)) => {
            for (name, field) in fields {
                let given = answer.get(name).ok_or_else(|| format!("`{name}` is not in the answer"))?;
                compare(field, given, names).map_err(|error| format!("{name}: {error}"))?;
            }
            Ok(())
        }
        (Value::Array(printed), Value::Array(answer)) if printed.len() <= answer.len() => {
            for (place, (element, given)) in printed.iter().zip(answer).enumerate() {
                compare(element, given, names).map_err(|error| format!("[{place}]: {error}"))?;
            }
            Ok(())
        }
        (Value::String(text), Value::String(given)) => {
            if let Some(name) = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
                names.insert(name.to_owned(), given.clone());
                return Ok(());
            }
            let is_same = match text.split_once('…') {
                Some((begins, ends)) => {
                    given.len() > begins.len() + ends.len()
                        && given.starts_with(begins)
                        && given.ends_with(ends)
                }
                None => text == given,
            };
            if is_same { Ok(()) } else { differs() }
        }
        (printed, answer) if printed == answer => Ok(()),
        _ => differs(),
    }
}

/// Puts in what the names stand for.
pub(crate) fn filled_in(text: &str, names: &Names) -> String {
    let mut text = text.to_owned();
    for (name, value) in names {
        text = text.replace(&format!("<{name}>"), value);
    }
    assert!(!text.contains('<'), "nothing told what this stands for: {text}");
    text
}

#[test]
fn an_excerpt_is_held_against_the_answer_field_by_field() {
    let answer = serde_json::json!({"a": "one", "b": [{"c": "2025-03-03T12:00:00Z", "d": 1}, "x"], "e": {}});
    let holds = |printed: &str| {
        let mut names = Names::new();
        compare(&serde_json::from_str(printed).unwrap(), &answer, &mut names).map(|()| names)
    };
    for printed in [r#"{"a": "one"}"#, r#"{"a": "o…", "b": [{"c": "2025-03-03T…"}]}"#, r#"{"e": {}}"#] {
        assert_eq!(holds(printed), Ok(Names::new()), "{printed}");
    }
    for printed in [
        r#"{"a": "two"}"#,
        r#"{"f": "one"}"#,
        r#"{"a": "one…"}"#,
        r#"{"b": [{"d": 2}]}"#,
        r#"{"b": [{}]}"#,
        r#"{"b": ["…", "x", "y"]}"#,
        "{}",
    ] {
        assert!(holds(printed).is_err(), "{printed}");
    }
    let names = holds(r#"{"a": "<first>"}"#).unwrap();
    assert_eq!(filled_in("say <first>", &names), "say one");
}
