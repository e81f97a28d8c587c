//! The story of each RPC: load, decide, record. No SQL text, no wire.

mod account;
mod attempt;
mod backtest;
mod balance;
mod batch;
mod case;
mod change;
mod chargeback;
mod chargeback_list;
mod check_policy;
mod delivery;
mod determination;
mod dispute;
mod erasure;
mod evaluate;
mod evidence_pack;
mod grant;
mod history;
mod incident;
mod information;
mod judgement;
mod kept;
mod keyset;
mod lane;
mod lifecycle;
mod look_up;
mod overview;
mod page;
mod policies;
mod proposal;
mod publish;
mod purchase;
mod queue;
mod refund_list;
mod refund_request;
mod refund_result;
mod refusal;
mod rehearsal;
mod remedy;
mod replay;
mod restoration;
mod restriction;
mod revocation;
mod ruling;
mod run;
mod session;
mod sweep;
mod withdrawal;

use crate::clock::Clock;
use crate::domain::ids::Actor;
use crate::store::Store;
use balance::Balances;
use check_policy::Checks;
use lane::Lanes;
use rehearsal::Rehearsals;

// What the wire shows of a backtest.
pub use crate::policy::backtest::{
    Answered as BacktestAnswer, Example as BacktestExample, Flip, Reference, Sums,
};
// What the wire shows of a pack of evidence.
pub use crate::evidence::{Pack as EvidencePack, Records as EvidenceRecords, Texts as EvidenceTexts};
// What the wire shows of a decision, and of a document.
pub use crate::policy::check::{Example, Finding, FindingKind, Report};
pub use crate::policy::{
    Decision, Document, DocumentError, Facts, Grant, Outcome, Recommendation, RemedyKind, ReviewReason,
    RowOutcome, RowResult,
};

pub use account::{AccountView, GetAccount, MAX_RESTRICTIONS, Words};
pub use attempt::{
    CaptureCredits, HoldCredits, Moved, ReleaseCredits, RestoreAnswer, RestoreCredits, UsageAnswer,
};
pub use backtest::{Backtest, BacktestQuery, BacktestReport, Candidate};
pub use balance::{BalanceAt, BalanceView, GetBalance};
pub use batch::Hot;
pub use case::{PurchaseReference, RequestInput};
pub use chargeback::{ChargebackAnswer, RecordChargeback};
pub use chargeback_list::{
    ChargebackPage, ChargebackReference, ChargebackView, GetChargeback, ListChargebacks,
};
pub use check_policy::CheckedPolicy;
pub use delivery::{DeliverCredits, Delivered, DeliveryAnswer};
pub use determination::{DeterminationAnswer, DetermineChargeback};
pub use erasure::{EraseAccount, ErasureAnswer};
pub use evaluate::{EvaluateAnswer, EvaluateRequest};
pub use evidence_pack::{CompileChargebackEvidence, EvidenceView};
pub use grant::{GrantAnswer, GrantCredits};
pub use history::{GetUsage, ListEntries, ListLots, PageOf, PageRequest, TimeWindow};
pub use incident::{DeclareIncident, IncidentFilter, ResolveIncident};
pub use information::{MAX_EVIDENCE, ProvideInformation};
pub use judgement::CaseAnswer;
pub use keyset::KeysetPage;
pub use page::{Page, Turn};
pub use policies::Policies;
pub use proposal::{AskedRemedy, Proposal};
pub use publish::{GetPolicy, ListPolicies, PolicyView, PublishPolicy, Published};
pub use purchase::RecordPurchase;
pub use queue::{ListRefundRequests, QueuePage, QueuedRequest};
pub use refund_list::{GetRefund, ListRefunds, RefundPage};
pub use refund_request::{ApprovalView, CaseView, GetRefundRequest, StoredDecision};
pub use refund_result::{RecordRefundResult, RefundResultAnswer};
pub use refusal::{Error, Reason, Refusal, StoreFailure};
pub use replay::{ReplayAnswer, ReplayDecision};
pub use restoration::{RestorationView, RestoreIncident};
pub use restriction::{ImposeRestriction, ImposedAnswer, LiftRestriction, LiftedAnswer};
pub use revocation::{RevocationAnswer, RevocationTarget, RevokeCredits};
pub use ruling::{Resolution, ResolveRefundRequest};
pub use run::{Answered, Call, Mutation, account_not_found};
pub use sweep::Swept;
// How long a call may take.
pub use crate::store::within;
pub use withdrawal::WithdrawRefundRequest;

/// Who calls, when, and in which trace.
#[derive(Debug, Clone)]
pub struct Context {
    /// Whose request ids these are: a role and a subject.
    pub caller: Actor,
    /// The W3C trace id of the call, 32 hex digits.
    pub trace_id: Option<String>,
    /// The time of this call: the machine's, or a test clock's in development mode.
    pub clock: Clock,
}

/// Everything that commands work with.
#[derive(Debug, Clone)]
pub struct Desk {
    store: Store,
    policies: Policies,
    lanes: Lanes,
    balances: Balances,
    rehearsals: Rehearsals,
    checks: Checks,
}

impl Desk {
    /// A desk over a store, deciding by these policies. Its lanes run on the present runtime until the last clone
    /// of the desk is gone.
    #[must_use]
    pub fn new(store: Store, policies: Policies) -> Self {
        let (lanes, balances) = (Lanes::start(&store, &policies), Balances::start(&store));
        Self {
            store,
            policies,
            lanes,
            balances,
            rehearsals: Rehearsals::default(),
            checks: Checks::default(),
        }
    }
}
