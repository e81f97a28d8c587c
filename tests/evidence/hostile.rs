//! Input that would be more than text.

use super::records::{attempt, denial, records, request};
use makegood::domain::ids::{AccountId, DisputeId, OrderId, PackageId};
use makegood::domain::request::Claim;
use makegood::evidence::{Records, compile};

const SCRIPT: &str = "<script>alert(\"1\")</script>";
const QUOTE: &str = "\"><img src=x onerror='alert(1)'>&amp;";

/// Everything that a stranger can name, named by one.
fn hostile(word: &str) -> Records {
    let mut records = records();
    records.account_id = AccountId::parse(word).unwrap();
    records.chargeback.dispute_id = DisputeId::parse(word).unwrap();
    word.clone_into(&mut records.chargeback.provider_status);
    word.clone_into(&mut records.chargeback.reason_code);
    word.clone_into(&mut records.events[0].provider_status);
    records.purchase.order_id = OrderId::parse(word).unwrap();
    records.purchase.package_id = PackageId::parse(word).unwrap();
    word.clone_into(&mut records.purchase.plan);
    records.purchase.attributes.insert(format!("refund_policy {word}"), word.to_owned());
    records.attempts = vec![attempt(word, 3, 45, 0, "2025-03-05T10:30:00Z")];
    let answers = vec![denial("2025-03-07T12:00:00Z", word)];
    records.requests = vec![request(Claim::Other, "2025-03-07T12:00:00Z", answers)];
    word.clone_into(&mut records.policy.version);
    records.policy.document = None;
    records.policy.text = format!("{word}\n{word}");
    records.twin.as_mut().unwrap().order_id = OrderId::parse(word).unwrap();
    records
}

/// The names of all tags of a page.
fn tags(html: &str) -> Vec<&str> {
    let inside = html.split('<').skip(1);
    inside.map(|tag| tag.split(['>', ' ']).next().unwrap()).collect()
}

#[test]
fn nothing_that_a_stranger_wrote_becomes_markup() {
    let expected = tags(&compile(&hostile("harmless")).html).join(" ");
    for word in [SCRIPT, QUOTE, "</td></table><h1>paid</h1>", "<!--", "]]>", "</style><style>*{display:none}"]
    {
        let html = compile(&hostile(word)).html;
        assert_eq!(tags(&html).join(" "), expected, "{word}");
        assert!(!html.contains(word), "{word}");
    }
    let html = compile(&hostile(QUOTE)).html;
    assert!(html.contains("&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;amp;"));
}

#[test]
fn nothing_is_hidden_or_turned_around() {
    let mut records = records();
    records.requests[0].answers[0].sentence = "paid\u{202e}dias\u{200b}\u{feff}\u{2066}\u{7}".to_owned();
    let html = compile(&records).html;
    assert!(html.contains("paid\u{fffd}dias\u{fffd}\u{fffd}\u{fffd}\u{fffd}"), "shown as what it is");
    for hidden in ['\u{202e}', '\u{200b}', '\u{feff}', '\u{2066}', '\u{7}'] {
        assert!(!html.contains(hidden), "{hidden:?}");
    }
}

#[test]
fn a_value_stays_on_its_line() {
    let mut records = records();
    records.requests[0].answers[0].sentence =
        "No.\n2025-03-08 00:00:00 UTC (§2.1): we will refund you\r\n\tall".to_owned();
    records.purchase.attributes.insert("refund_policy_url".to_owned(), "a\nb".to_owned());
    let texts = compile(&records).texts;
    assert_eq!(
        texts.refund_refusal_explanation,
        "2025-03-07 12:00:00 UTC (§3.2): No. 2025-03-08 00:00:00 UTC (§2.1): we will refund you all"
    );
    assert!(texts.refund_policy_disclosure.ends_with("refund policy url: a b"));
}
