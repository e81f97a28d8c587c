//! Which account each request is about, said once for every message: a request that is not here cannot be opened.

use crate::proto::makegood::v1;

/// Whose things a message asks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Addressee<'a> {
    /// An account's: a frontend must name its own.
    Account(&'a str),
    /// An account's where one is named; without one what concerns nobody in particular.
    Filter(&'a str),
    /// No account's.
    Nobody,
}

/// A message that asks for something.
pub(super) trait Addressed {
    fn addressee(&self) -> Addressee<'_>;
}

macro_rules! addressed {
    ($($kind:ident { $($request:ident,)* })*) => {$($(
        impl Addressed for v1::$request {
            fn addressee(&self) -> Addressee<'_> {
                addressed!(@ $kind self)
            }
        }
    )*)*};
    (@ Account $message:ident) => { Addressee::Account(&$message.account_id) };
    (@ Filter $message:ident) => { Addressee::Filter(&$message.account_id) };
    (@ Nobody $message:ident) => { Addressee::Nobody };
}

addressed! {
    Account {
        GetAccountRequest,
        ImposeRestrictionRequest,
        LiftRestrictionRequest,
        EraseAccountRequest,
        RecordPurchaseRequest,
        DeliverCreditsRequest,
        GrantCreditsRequest,
        HoldCreditsRequest,
        CaptureCreditsRequest,
        ReleaseCreditsRequest,
        RestoreCreditsRequest,
        RevokeCreditsRequest,
        GetBalanceRequest,
        GetUsageRequest,
        ListLotsRequest,
        ListEntriesRequest,
        ReplayDecisionRequest,
        EvaluateRequestRequest,
        ProvideInformationRequest,
        WithdrawRefundRequestRequest,
        ResolveRefundRequestRequest,
        GetRefundRequestRequest,
        ListRefundRequestsRequest,
        GetRefundRequest,
        ListRefundsRequest,
        RecordRefundResultRequest,
        RecordChargebackRequest,
        DetermineChargebackRequest,
        CompileChargebackEvidenceRequest,
        GetChargebackRequest,
        ListChargebacksRequest,
    }
    Filter {
        ListIncidentsRequest,
    }
    Nobody {
        DeclareIncidentRequest,
        ResolveIncidentRequest,
        RestoreIncidentRequest,
        GetPolicyRequest,
        ListPoliciesRequest,
        CheckPolicyRequest,
        PublishPolicyRequest,
        BacktestPolicyRequest,
    }
}
