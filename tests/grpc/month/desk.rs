//! Customers who ask and people who answer.

use super::life::{Event, Life};
use crate::canary::words;
use crate::service::{by_payment, evaluate, request_id, timestamp};
use chrono::{DateTime, Datelike, Days, NaiveTime, TimeDelta, Utc, Weekday};
use makegood::proto::makegood::v1;
use sha2::{Digest, Sha256};
use v1::resolve_refund_request_request as resolve;
use v1::{Claim, Outcome, RefundMethod, RefundRequestStage as Stage, RemedyKind};

/// A request as its customer knows it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) payment: Option<usize>,
    pub(crate) stage: Stage,
    /// Whether it ever had an answer: an approval, a denial or a question.
    pub(crate) is_answered: bool,
    /// Since when the customer waits for us.
    pub(crate) waits_since: Option<DateTime<Utc>>,
    /// When the last question was asked.
    pub(crate) asked_at: Option<DateTime<Utc>>,
    has_failed: bool,
}

/// How long a question waits, by the shipped policy.
const QUESTION_DAYS: i64 = 30;
const PEOPLE: [&str; 2] = ["agent:maria", "agent:kim"];

/// Until when an answer is due (§4.1): three business days later, where Saturdays and Sundays are none.
pub(crate) fn due(since: DateTime<Utc>) -> DateTime<Utc> {
    let is_weekend = |at: DateTime<Utc>| matches!(at.weekday(), Weekday::Sat | Weekday::Sun);
    let mut due = since;
    let mut left = 3;
    if is_weekend(due) {
        // What comes on a weekend came with the first minute of Monday.
        while is_weekend(due) {
            due = due + Days::new(1);
        }
        due = due.date_naive().and_time(NaiveTime::MIN).and_utc();
    }
    while left > 0 {
        due = due + Days::new(1);
        left -= i32::from(!is_weekend(due));
    }
    due
}

impl Case {
    /// What a sweep at an instant does to it.
    pub(crate) fn sweep(&mut self, now: DateTime<Utc>) {
        let ends = self.asked_at.map(|asked| asked + TimeDelta::days(QUESTION_DAYS));
        if self.stage == Stage::AwaitingInformation && ends.is_some_and(|ends| ends <= now) {
            self.stage = Stage::Expired;
        }
    }
}

impl Life {
    pub(crate) async fn ask(&mut self, claim: Claim, payment: Option<usize>) {
        let named = payment.map(|payment| self.payments[payment].id.clone());
        let request = v1::EvaluateRequestRequest {
            purchase: named.as_deref().and_then(by_payment),
            ..evaluate(&self.account_id, "", claim)
        };
        let request = self.by("frontend:shop", request);
        let answer = match self.service.refunds().evaluate_request(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => {
                let reason = self.refused(&status, &["OPEN_REQUEST_EXISTS", "ACCOUNT_NOT_FOUND"]);
                if reason == "ACCOUNT_NOT_FOUND" {
                    // The shop has yet to tell of the payment.
                    self.note_within((24, 100), Event::Ask { claim, payment });
                }
                return;
            }
        };
        let decision = answer.decision.unwrap();
        self.said(claim.as_str_name());
        self.said(&format!("row {}", decision.row));
        let request = answer.refund_request.unwrap();
        self.cases.push(Case {
            id: request.refund_request_id.clone(),
            payment,
            stage: Stage::Submitted,
            is_answered: false,
            waits_since: None,
            asked_at: None,
            has_failed: false,
        });
        let case = self.cases.len() - 1;
        self.follow(case, &request);
        if self.chance.percent(6) {
            self.note_within((1, 30), Event::TakeBack { case });
        }
    }

    /// Takes in where a case is by now, and what follows from it.
    pub(crate) fn follow(&mut self, case: usize, request: &v1::RefundRequest) {
        let known = &mut self.cases[case];
        assert_eq!(known.id, request.refund_request_id);
        let before = std::mem::replace(&mut known.stage, request.stage());
        let is_new_here = before != known.stage;
        match known.stage {
            Stage::InReview => {
                let since = *known.waits_since.get_or_insert(self.now);
                let promised = request.respond_by.unwrap();
                assert_eq!(promised, timestamp(&due(since).to_rfc3339()), "{}: {since}", self.account_id);
            }
            Stage::AwaitingInformation | Stage::Approved | Stage::Denied | Stage::Settled => {
                known.is_answered = true;
                known.waits_since = None;
            }
            _ => known.waits_since = None,
        }
        if known.stage == Stage::AwaitingInformation && is_new_here {
            known.asked_at = Some(self.now);
        }
        let stage = known.stage;
        self.said(stage.as_str_name());
        self.find_paybacks(case, request);
        if is_new_here && stage == Stage::InReview {
            self.note_look(case);
        }
        if is_new_here && stage == Stage::AwaitingInformation && self.chance.percent(60) {
            self.note_within((2, 72), Event::Reply { case });
        }
    }

    /// Somebody will look at it, unless support is away or it is forgotten.
    pub(crate) fn note_look(&mut self, case: usize) {
        let at = self.now + self.chance.hours(3, 90);
        if at < self.holidays_from && !self.chance.percent(5) {
            self.note(at, Event::Look { case });
        }
    }

    pub(crate) async fn reply(&mut self, case: usize) {
        if self.cases[case].stage != Stage::AwaitingInformation {
            return;
        }
        let paper = self.chance.percent(50).then(|| v1::Evidence {
            kind: v1::EvidenceKind::Statement.into(),
            uri: format!("evidence://{}/{case}", self.account_id),
            sha256: Sha256::digest(format!("{} {case} {}", self.account_id, self.now)).to_vec(),
            size_bytes: 1_000,
        });
        // Who named no purchase names it now.
        let named = self.cases[case].payment.is_none().then(|| self.payments[0].id.clone());
        let told = v1::ProvideInformationRequest {
            request_id: request_id(),
            account_id: self.account_id.clone(),
            refund_request_id: self.cases[case].id.clone(),
            purchase: named.as_deref().and_then(by_payment),
            details: Some(v1::RequestDetails { explanation: words("it was so"), ..Default::default() }),
            evidence: paper.into_iter().collect(),
        };
        let request = self.by("frontend:shop", told);
        match self.service.refunds().provide_information(request).await {
            Ok(answer) => {
                self.cases[case].payment.get_or_insert(0);
                // The customer has had an answer, and waits for another one from now on.
                self.cases[case].stage = Stage::Submitted;
                self.follow(case, &answer.into_inner().refund_request.unwrap());
            }
            Err(status) => drop(self.refused(&status, &["OPEN_REQUEST_EXISTS"])),
        }
    }

    pub(crate) async fn take_back(&mut self, case: usize) {
        let request = v1::WithdrawRefundRequestRequest {
            request_id: request_id(),
            account_id: self.account_id.clone(),
            refund_request_id: self.cases[case].id.clone(),
            reason: String::new(),
        };
        let request = self.by("frontend:shop", request);
        match self.service.refunds().withdraw_refund_request(request).await {
            Ok(answer) => self.follow(case, &answer.into_inner().refund_request.unwrap()),
            Err(status) => drop(self.refused(&status, &["REQUEST_STAGE_CONFLICT"])),
        }
    }

    pub(crate) async fn read(&self, case: usize) -> v1::RefundRequest {
        let query = v1::GetRefundRequestRequest {
            account_id: self.account_id.clone(),
            refund_request_id: self.cases[case].id.clone(),
        };
        let answer = self.service.refunds().get_refund_request(self.by("agent:maria", query)).await;
        answer.unwrap().into_inner().refund_request.unwrap()
    }

    pub(crate) async fn look(&mut self, case: usize) {
        if self.cases[case].stage != Stage::InReview {
            return;
        }
        let request = self.read(case).await;
        let denial = resolve::Resolution::Deny(resolve::Deny {
            clauses: vec!["5.3".to_owned()],
            sentence: words("We decline late requests when the credits are heavily used (§5.3)."),
        });
        let question = resolve::Resolution::Ask(resolve::Ask {
            requested_details: vec!["logs".to_owned()],
            sentence: words("Which attempts do you mean (§5.2)?"),
        });
        // Who was promised money by one person is not kept waiting by the next.
        let is_half_done = request.approvals_required == 2 && !request.approvals.is_empty();
        let resolution = match self.chance.below(100) {
            _ if is_half_done => self.approval(case, &request),
            0..10 => resolve::Resolution::Keep(resolve::Keep {}),
            10..20 => question,
            20..45 => denial.clone(),
            _ => self.approval(case, &request),
        };
        if self.resolve(case, &request, resolution).await.is_none() {
            self.resolve(case, &request, denial).await.unwrap();
        }
        if self.cases[case].stage == Stage::InReview {
            self.note_look(case);
        }
    }

    /// What the policy recommends, and what is unused where it recommends nothing.
    fn approval(&self, case: usize, request: &v1::RefundRequest) -> resolve::Resolution {
        let recommended = request.decisions.last().and_then(|last| last.recommendation.as_ref());
        let is_recommended = recommended.is_some_and(|advice| advice.outcome() == Outcome::Approve);
        let unused = v1::Remedy { kind: RemedyKind::RefundUnused.into(), ..Default::default() };
        let method =
            if self.cases[case].has_failed { RefundMethod::Other } else { RefundMethod::Unspecified };
        resolve::Resolution::Approve(resolve::Approve {
            remedies: if is_recommended { vec![] } else { vec![unused] },
            method: method.into(),
            sentence: String::new(),
        })
    }

    async fn resolve(
        &mut self,
        case: usize,
        read: &v1::RefundRequest,
        resolution: resolve::Resolution,
    ) -> Option<()> {
        let request = v1::ResolveRefundRequestRequest {
            request_id: request_id(),
            account_id: self.account_id.clone(),
            refund_request_id: read.refund_request_id.clone(),
            etag: read.etag.clone(),
            reason: words("looked at it"),
            resolution: Some(resolution),
            ..Default::default()
        };
        let last = read.approvals.last().map(|approval| approval.approver.as_str());
        let person = if last == Some(PEOPLE[0]) { PEOPLE[1] } else { PEOPLE[0] };
        let request = self.by(person, request);
        match self.service.refunds().resolve_refund_request(request).await {
            Ok(answer) => {
                self.follow(case, &answer.into_inner().refund_request.unwrap());
                Some(())
            }
            Err(status) => {
                self.refused(&status, &["REMEDY_NOT_POSSIBLE"]);
                None
            }
        }
    }

    /// The money of a case did not arrive or was stopped: it is with us again, unless it was taken back or has run out.
    pub(crate) async fn reopened(&mut self, case: usize) {
        self.cases[case].has_failed = true;
        let is_closed = matches!(self.cases[case].stage, Stage::Withdrawn | Stage::Expired);
        let request = self.read(case).await;
        let expected = if is_closed { self.cases[case].stage } else { Stage::InReview };
        assert_eq!(request.stage(), expected, "{} at {}: {}", self.account_id, self.now, request.etag);
        self.follow(case, &request);
    }
}
