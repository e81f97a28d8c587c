#[test]
fn scratch() {
    use super::*;
    let document = Document::parse(crate::policy::SHIPPED).unwrap();
    let begun = std::time::Instant::now();
    let mut last = "";
    let report = check(&document, &mut |progress| {
        if progress.doing != last { last = progress.doing; eprintln!("{:?} {:?}", begun.elapsed(), progress); }
    });
    eprintln!("{:?} cells {} nodes {} findings {}", begun.elapsed(), report.cells, report.nodes, report.findings.len());
    for finding in &report.findings {
        let e = finding.example.as_ref();
        eprintln!("{} {} [{}] -> {:?}", finding.kind, finding.message, e.map(|e| e.to_string()).unwrap_or_default(), e.map(|e| (e.decision.row.clone(), e.decision.outcome)));
    }
}
