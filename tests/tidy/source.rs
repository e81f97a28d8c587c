//! One Rust file, read far enough for the rules: code, literals and comments apart.

/// A word or a sign of the code, with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// One Rust file.
pub(crate) struct Source {
    /// From the root of the project, with `/`.
    pub(crate) path: String,
    /// As it is written.
    pub(crate) text: String,
    /// The code without comments and literals, as long as the text.
    pub(crate) code: String,
    /// The string literals alone, with the line each begins on.
    pub(crate) literals: Vec<(usize, String)>,
    /// The code outside tests.
    pub(crate) tokens: Vec<Token>,
    /// All of the code.
    pub(crate) all_tokens: Vec<Token>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, literals) = split(text);
        let all_tokens = tokens(&code);
        let only_tests =
            path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/");
        let tokens = if only_tests { Vec::new() } else { outside_tests(&all_tokens) };
        Self { path: path.to_owned(), text: text.to_owned(), code, literals, tokens, all_tokens }
    }

    /// The lines on which a sequence of words and signs begins, outside tests.
    pub(crate) fn lines_of(&self, sequence: &[&str]) -> Vec<usize> {
        lines_of(&self.tokens, sequence)
    }

    /// The same, tests included.
    pub(crate) fn lines_anywhere_of(&self, sequence: &[&str]) -> Vec<usize> {
        lines_of(&self.all_tokens, sequence)
    }
}

fn lines_of(tokens: &[Token], sequence: &[&str]) -> Vec<usize> {
    let matches = |window: &&[Token]| window.iter().zip(sequence).all(|(token, word)| token.text == *word);
    tokens.windows(sequence.len()).filter(matches).map(|window| window[0].line).collect()
}

/// Blanks comments and literals out of the code, and gathers the string literals.
fn split(text: &str) -> (String, Vec<(usize, String)>) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut literals) = (String::new(), Vec::new());
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let end = end_of_blank(&chars, at);
        let part: String = chars[at..end.unwrap_or(at + 1)].iter().collect();
        if end.is_some() {
            if !part.starts_with('/') && !part.starts_with('\'') {
                literals.push((line, part.clone()));
            }
            code.extend(part.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        } else {
            code.push_str(&part);
        }
        line += part.matches('\n').count();
        at = end.unwrap_or(at + 1);
    }
    (code, literals)
}

/// Where the comment or literal that begins here ends, if one does.
fn end_of_blank(chars: &[char], at: usize) -> Option<usize> {
    let starts =
        |text: &str| text.chars().enumerate().all(|(index, letter)| chars.get(at + index) == Some(&letter));
    if starts("//") {
        return Some(position(chars, at, "\n").unwrap_or(chars.len()));
    }
    if starts("/*") {
        return Some(end_of_nested_comment(chars, at));
    }
    if starts("'") {
        let is_escape = chars.get(at + 1) == Some(&'\\');
        let closes = if is_escape {
            position(chars, at + 3, "'")
        } else {
            (chars.get(at + 2) == Some(&'\'')).then_some(at + 2)
        };
        return closes.map(|close| close + 1);
    }
    let is_word = |letter: &char| letter.is_alphanumeric() || *letter == '_';
    if starts("r") && !at.checked_sub(1).is_some_and(|before| is_word(&chars[before]) && chars[before] != 'b')
    {
        let hashes = chars[at + 1..].iter().take_while(|letter| **letter == '#').count();
        if chars.get(at + 1 + hashes) == Some(&'"') {
            let close = format!("\"{}", "#".repeat(hashes));
            return position(chars, at + 2 + hashes, &close).map(|end| end + close.len());
        }
    }
    if !starts("\"") {
        return None;
    }
    let mut end = at + 1;
    while end < chars.len() && chars[end] != '"' {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    Some((end + 1).min(chars.len()))
}

fn end_of_nested_comment(chars: &[char], at: usize) -> usize {
    let (mut depth, mut end) = (0_usize, at);
    while end < chars.len() {
        match (chars[end], chars.get(end + 1)) {
            ('/', Some('*')) => (depth, end) = (depth + 1, end + 2),
            ('*', Some('/')) if depth == 1 => return end + 2,
            ('*', Some('/')) => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
    }
    end
}

fn position(chars: &[char], from: usize, what: &str) -> Option<usize> {
    let what: Vec<char> = what.chars().collect();
    (from..chars.len()).find(|at| chars[*at..].starts_with(&what))
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let line = index + 1;
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
            let length = match first {
                _ if is_word(first) => rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            tokens.push(Token { line, text: rest[..length].to_owned() });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// Leaves out every item under `#[cfg(test)]`.
fn outside_tests(tokens: &[Token]) -> Vec<Token> {
    let is_mark = |at: usize| {
        let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
        mark.iter()
            .enumerate()
            .all(|(index, word)| tokens.get(at + index).is_some_and(|token| token.text == *word))
    };
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if is_mark(at) {
            at = end_of_item(tokens, at);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The end of the item that begins here: its semicolon, or the brace that closes it.
pub(crate) fn end_of_item(tokens: &[Token], from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.text.as_str() {
            ";" if depth == 0 => return at + 1,
            "{" | "(" | "[" => depth += 1,
            "}" if depth == 1 => return at + 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = "a /* b /* c */ d */ \"e \\\" f\" 'g' r#\"h \" i\"# b\"j\" // k\n'l: loop {}";
    let source = Source::new("src/any.rs", text);
    let words: Vec<&str> = source.tokens.iter().map(|token| token.text.as_str()).collect();
    assert_eq!(words, ["a", "b", "'", "l", ":", "loop", "{", "}"]);
    assert_eq!(source.literals.len(), 3);
}

#[test]
fn lines_are_counted_through_literals() {
    let source = Source::new("src/any.rs", "\"one\ntwo\"\n/* three\nfour */ word \"five\"");
    assert_eq!(source.lines_of(&["word"]), [4]);
    assert_eq!(source.literals[1], (4, "\"five\"".to_owned()));
}

#[test]
fn what_is_under_cfg_test_is_outside() {
    let text = "fn kept() {}\n#[cfg(test)]\nmod tests { fn gone() { {} } }\n#[cfg(test)]\nmod more;\nfn kept_too() {}";
    let source = Source::new("src/any.rs", text);
    assert!(source.lines_of(&["gone"]).is_empty() && source.lines_of(&["more"]).is_empty());
    assert_eq!((source.lines_of(&["kept"]), source.lines_of(&["kept_too"])), (vec![1], vec![6]));
}
