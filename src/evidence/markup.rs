//! HTML in which every value is text and nothing else.

/// A page as it grows. Only names and styles of ours are written as they are.
pub(super) struct Markup {
    out: String,
}

impl Markup {
    pub(super) const fn new() -> Self {
        Self { out: String::new() }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    /// Markup of ours.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.out.push_str(markup);
    }

    /// A value.
    pub(super) fn text(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                '\n' => self.out.push('\n'),
                letter if hides(letter) => self.out.push('\u{fffd}'),
                letter => self.out.push(letter),
            }
        }
    }

    /// A value between tags of one name.
    pub(super) fn element(&mut self, (open, close): (&'static str, &'static str), text: &str) {
        self.raw(open);
        self.text(text);
        self.raw(close);
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        if !text.is_empty() {
            self.element(("<p>", "</p>\n"), text);
        }
    }

    /// Names and values, those without a value left out.
    pub(super) fn facts(&mut self, facts: &[(&'static str, String)]) {
        self.raw("<table class=\"facts\"><tbody>\n");
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            self.element(("<tr><th scope=\"row\">", "</th>"), name);
            self.element(("<td>", "</td></tr>\n"), value);
        }
        self.raw("</tbody></table>\n");
    }

    /// A table with a heading for each column.
    pub(super) fn table<const N: usize>(
        &mut self,
        heads: [&'static str; N],
        rows: impl Iterator<Item = [String; N]>,
    ) {
        self.raw("<table><thead><tr>");
        for head in heads {
            self.element(("<th scope=\"col\">", "</th>"), head);
        }
        self.raw("</tr></thead><tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for cell in row {
                self.element(("<td>", "</td>"), &cell);
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody></table>\n");
    }
}

/// Characters that would hide text or turn it around: a reader must see what is there.
fn hides(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
