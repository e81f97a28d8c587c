//! The teller: prints the day as a table, for a terminal of a hundred columns.

use chrono::{DateTime, Utc};
use std::io::{self, Write};

/// Columns of the whole table: what an ordinary terminal window shows.
const WIDTH: usize = 100;
const TIME: usize = 12;
const WHO: usize = 8;
const WHAT: usize = 34;
const DECISION: usize = 24;
const CREDITS: usize = 7;
const MONEY: usize = 10;
/// Where the text below a line begins: under what happened.
const INDENT: usize = TIME + 1 + WHO + 1;

/// Columns of the totals.
const NAME: usize = 6;
const NUMBER: usize = 9;
const SUM: usize = 11;

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";

/// How an answer feels to the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// No decision, or one that changes nothing.
    Plain,
    /// Something was made good.
    Good,
    /// Somebody must do something first.
    Waiting,
    /// Refused, or taken.
    Bad,
}

/// One thing that happened, and what the service answered.
pub(super) struct Line {
    pub(super) at: DateTime<Utc>,
    /// The caller's role.
    pub(super) who: &'static str,
    pub(super) what: String,
    /// The answer, or empty.
    pub(super) decision: String,
    pub(super) mood: Mood,
    /// By how much the credits that can be spent changed.
    pub(super) credits: i64,
    /// Money that the customer paid, as `-9.99 USD`, or has back, as `+9.99 USD`; or empty.
    pub(super) money: String,
    /// What the customer reads, or empty.
    pub(super) sentence: String,
    /// What else is worth knowing, or empty.
    pub(super) note: String,
}

/// One account at the end of the day.
pub(super) struct Total {
    pub(super) name: &'static str,
    /// Bought, arrived, used, restored, refunded, available: credits.
    pub(super) credits: [i64; 6],
    pub(super) paid: String,
    pub(super) paid_back: String,
    /// What `GetBalance` says of it.
    pub(super) check: String,
    pub(super) confirmed: bool,
}

/// Who prints.
pub(super) struct Teller<'a> {
    out: &'a mut dyn Write,
    colours: bool,
    /// The last sentence, which is not said twice in a row.
    said: String,
}

impl<'a> Teller<'a> {
    pub(super) fn new(out: &'a mut dyn Write, colours: bool) -> Self {
        Self { out, colours, said: String::new() }
    }

    /// The head of the day.
    pub(super) fn heading(&mut self, title: &str, about: &str) -> io::Result<()> {
        let title = self.paint(BOLD, title);
        writeln!(self.out, "{title}")?;
        for row in wrap(about, WIDTH) {
            writeln!(self.out, "{row}")?;
        }
        let head = format!(
            "{:TIME$} {:WHO$} {:WHAT$} {:DECISION$} {:>CREDITS$} {:>MONEY$}",
            "when (UTC)", "who", "what happened", "decision", "credits", "money"
        );
        let rule = "─".repeat(WIDTH);
        writeln!(self.out, "\n{}\n{}", self.paint(BOLD, &head), self.paint(DIM, &rule))
    }

    /// The title of one customer's story.
    pub(super) fn scene(&mut self, title: &str) -> io::Result<()> {
        self.said.clear();
        let title = self.paint(BOLD, title);
        writeln!(self.out, "\n{title}")
    }

    /// One line, its cells wrapped, the customer's sentence and the note underneath.
    pub(super) fn line(&mut self, line: &Line) -> io::Result<()> {
        let what = wrap(&line.what, WHAT);
        let decision = wrap(&line.decision, DECISION);
        let rows = what.len().max(decision.len()).max(1);
        for row in 0..rows {
            let cell = |cells: &[String]| cells.get(row).cloned().unwrap_or_default();
            let first = |text: String| if row == 0 { text } else { String::new() };
            let head = format!(
                "{:TIME$} {:WHO$} {:WHAT$} ",
                first(line.at.format("%d %b %H:%M").to_string()),
                first(line.who.to_owned()),
                cell(&what),
            );
            let answer = format!("{:DECISION$}", cell(&decision));
            let answer = if answer.trim().is_empty() { answer } else { self.mood(line.mood, &answer) };
            let credits = first(if line.credits == 0 { String::new() } else { signed(line.credits) });
            let tail = format!(" {credits:>CREDITS$} {:>MONEY$}", first(line.money.clone()));
            let row = format!("{head}{answer}{tail}");
            writeln!(self.out, "{}", row.trim_end())?;
        }
        if !line.sentence.is_empty() && line.sentence != self.said {
            self.said.clone_from(&line.sentence);
            self.below(&format!("“{}”", line.sentence), "")?;
        }
        if !line.note.is_empty() {
            self.below(&line.note, DIM)?;
        }
        Ok(())
    }

    /// What is not as it should be.
    pub(super) fn wrong(&mut self, text: &str) -> io::Result<()> {
        self.below(&format!("NOT EXPECTED: {text}"), RED)
    }

    /// The table of the accounts.
    pub(super) fn totals(&mut self, totals: &[Total]) -> io::Result<()> {
        let names = ["bought", "arrived", "used", "restored", "refunded", "to spend"];
        let names = numbers(names.map(str::to_owned));
        let head = format!("{:NAME$}{names}{:>SUM$}{:>SUM$}  GetBalance", "", "paid", "paid back");
        let rule = "─".repeat(WIDTH);
        writeln!(self.out, "\n{}\n{}", self.paint(BOLD, &head), self.paint(DIM, &rule))?;
        for total in totals {
            let credits = numbers(total.credits.map(grouped));
            let mood = if total.confirmed { Mood::Good } else { Mood::Bad };
            let check = self.mood(mood, &total.check);
            writeln!(
                self.out,
                "{:NAME$}{credits}{:>SUM$}{:>SUM$}  {check}",
                total.name, total.paid, total.paid_back
            )?;
        }
        Ok(())
    }

    /// A last word.
    pub(super) fn closing(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out)?;
        for row in wrap(text, WIDTH) {
            writeln!(self.out, "{row}")?;
        }
        Ok(())
    }

    fn below(&mut self, text: &str, colour: &str) -> io::Result<()> {
        for row in wrap(text, WIDTH - INDENT) {
            let row = self.paint(colour, &row);
            writeln!(self.out, "{:INDENT$}{row}", "")?;
        }
        Ok(())
    }

    fn mood(&self, mood: Mood, text: &str) -> String {
        let colour = match mood {
            Mood::Plain => "",
            Mood::Good => GREEN,
            Mood::Waiting => YELLOW,
            Mood::Bad => RED,
        };
        self.paint(colour, text)
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours && !colour.is_empty() { format!("{colour}{text}{RESET}") } else { text.to_owned() }
    }
}

/// Breaks a text between words into rows of at most `width` letters; a longer word has a row of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match rows.last_mut() {
            Some(row) if length(row).saturating_add(1).saturating_add(length(word)) <= width => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}

/// The columns of the credits of one account.
fn numbers(cells: [String; 6]) -> String {
    cells.map(|cell| format!("{cell:>NUMBER$}")).concat()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// `+1,200`, `-30`.
pub(super) fn signed(number: i64) -> String {
    if number > 0 { format!("+{}", grouped(number)) } else { grouped(number) }
}

/// Digits in groups of three.
pub(super) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(place);
        if place > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::{Line, Mood, Teller, WIDTH, grouped, length, signed, wrap};
    use chrono::DateTime;

    fn line() -> Line {
        Line {
            at: DateTime::UNIX_EPOCH,
            who: "frontend",
            what: "asks to have a purchase back that was made twice in four seconds".to_owned(),
            decision: "REPLAYED APPROVE §2.1 row 14".to_owned(),
            mood: Mood::Good,
            credits: -1_100,
            money: "+99.99 USD".to_owned(),
            sentence: "You paid twice. ".repeat(12),
            note: String::new(),
        }
    }

    fn printed(colours: bool) -> String {
        let mut out = Vec::new();
        Teller::new(&mut out, colours).line(&line()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn words_are_kept_whole_and_rows_within_their_width() {
        assert_eq!(wrap("a double click", 8), ["a double", "click"]);
        assert_eq!(wrap("§§§ §§§ §§§", 7), ["§§§ §§§", "§§§"]);
        assert_eq!(wrap("  ", 7), [""; 0]);
    }

    #[test]
    fn long_cells_go_on_below_and_nothing_is_cut() {
        let text = printed(false);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.contains(&"seconds") && words.contains(&"14") && words.contains(&"-1,100"), "{text}");
        assert!(text.lines().all(|row| length(row) <= WIDTH), "{text}");
    }

    #[test]
    fn colours_are_only_there_where_they_are_wanted() {
        assert!(!printed(false).contains('\x1b'));
        assert!(printed(true).contains("\x1b[32m"));
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([grouped(0), grouped(999), grouped(-1_234_567)], ["0", "999", "-1,234,567"]);
        assert_eq!([signed(5_000), signed(-5)], ["+5,000", "-5"]);
    }
}
