//! The policy room from outside: golden cases for every row, properties of amounts, calendar and decision, facts from
//! case files, and documents that must be refused.

#[cfg(test)]
mod policy {
    mod amount;
    mod calendar;
    mod check;
    mod desk;
    mod document;
    mod golden;
    mod observe;
    mod partition;
    mod plausible;
    mod properties;
}
