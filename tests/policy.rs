//! The policy room from outside: golden cases for every row, properties of amounts, calendar and decision, facts from
//! case files, and documents that must be refused.

#[cfg(test)]
mod policy {
    mod amount;
    mod calendar;
    mod carried;
    mod case;
    mod chargebacks;
    mod check;
    mod desk;
    mod determinism;
    mod document;
    mod examples;
    mod explanations;
    mod fuzz;
    mod golden;
    mod misspelt;
    mod mutation;
    mod observe;
    mod partition;
    mod plausible;
    mod properties;
    mod resolution;
    mod schema;
    mod shown;
}
