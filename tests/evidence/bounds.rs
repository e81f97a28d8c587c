//! However much there is, a pack stays within its bounds and says what it leaves out.

use super::records::{attempt, denial, records};
use makegood::evidence::{MAX_TEXT_BYTES, Texts, compile};

fn all(texts: &Texts) -> [&str; 13] {
    let Texts {
        product_description,
        customer_reference,
        service_date,
        service_documentation,
        access_activity_log,
        refund_policy,
        refund_policy_disclosure,
        refund_refusal_explanation,
        duplicate_charge_id,
        duplicate_charge_explanation,
        cancellation_policy,
        cancellation_rebuttal,
        uncategorized_text,
    } = texts;
    [
        product_description,
        customer_reference,
        service_date,
        service_documentation,
        access_activity_log,
        refund_policy,
        refund_policy_disclosure,
        refund_refusal_explanation,
        duplicate_charge_id,
        duplicate_charge_explanation,
        cancellation_policy,
        cancellation_rebuttal,
        uncategorized_text,
    ]
}

#[test]
fn a_log_that_is_too_long_keeps_whole_lines_and_counts_the_rest() {
    let mut records = records();
    records.attempts =
        (0..10_000).map(|job| attempt(&format!("job-{job}"), 3, 1, 0, "2025-03-05T10:30:00Z")).collect();
    records.attempts_in_all = 12_345;
    let pack = compile(&records);
    let log = pack.texts.access_activity_log;
    assert!(log.len() <= MAX_TEXT_BYTES, "{}", log.len());
    assert!(log.len() > MAX_TEXT_BYTES - 300, "as much as there is room for: {}", log.len());
    let lines: Vec<&str> = log.lines().collect();
    let (note, kept) = lines.split_last().unwrap();
    assert_eq!(*note, format!("[{} more of 12345]", 12_345 - kept.len()));
    for (job, line) in kept.iter().enumerate() {
        let line_of_job = format!(
            "2025-03-05 10:30:00 UTC  job job-{job}, attempt 1: 3 of 3 outputs delivered, 1 credit charged"
        );
        assert_eq!(*line, line_of_job);
    }
    // The page shows more, and says as well what it leaves out.
    assert_eq!(pack.html.matches("<td>3 of 3 outputs</td>").count(), 2_500);
    assert!(pack.html.contains("9845 more attempts of 12345 in all, not shown here."));
    assert!(pack.html.len() < 1_000_000, "{}", pack.html.len());
}

#[test]
fn every_text_stays_within_its_bound_and_between_two_characters() {
    let mut records = records();
    let long = "é".repeat(MAX_TEXT_BYTES);
    records.requests[0].answers = vec![denial("2025-03-07T12:00:00Z", &long); 3];
    records.policy.document = None;
    records.policy.text.clone_from(&long);
    records.purchase.plan.clone_from(&long);
    for (number, name) in (0..32).map(|number| (number, format!("refund_policy_{number}"))) {
        records.purchase.attributes.insert(name, format!("{number} {}", "ß".repeat(1_000)));
    }
    let texts = compile(&records).texts;
    for text in all(&texts) {
        assert!(text.len() <= MAX_TEXT_BYTES, "{}", text.len());
    }
    for cut in [&texts.refund_policy, &texts.product_description, &texts.refund_policy_disclosure] {
        let (kept, note) = cut.split_once("…\n").unwrap();
        let left_out = note.strip_prefix('[').unwrap().strip_suffix(" more bytes]").unwrap();
        assert!(left_out.parse::<usize>().unwrap() > 0);
        assert!(kept.len() > MAX_TEXT_BYTES - 110, "{}", kept.len());
    }
    assert!(texts.refund_refusal_explanation.ends_with("\n[2 more of 3]"), "the rest is counted");
}

#[test]
fn what_fits_is_whole() {
    let texts = compile(&records()).texts;
    for text in all(&texts).into_iter().filter(|text| !std::ptr::eq(*text, texts.refund_policy.as_str())) {
        assert!(!text.contains("more of") && !text.contains("more bytes"), "{text}");
    }
    assert_eq!(texts.access_activity_log.lines().count(), 3);
}
