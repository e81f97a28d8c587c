//! A page of commands: what is in its fenced blocks.

/// A command of the page, and what it says comes of it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The words of the command, as a shell splits them.
    pub(crate) words: Vec<String>,
    /// The block of JSON under it, if there is one.
    pub(crate) answer: Option<String>,
    /// The block of text under it, if there is one: an error.
    pub(crate) error: Option<String>,
}

/// The `grpcurl` commands of a page, in order.
pub(crate) fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (language, text) in blocks(page) {
        match language {
            "sh" => {
                for words in commands(text).into_iter().filter(|words| words[0] == "grpcurl") {
                    steps.push(Step { words, answer: None, error: None });
                }
            }
            "json" => steps.last_mut().unwrap().answer = Some(text.to_owned()),
            "text" => steps.last_mut().unwrap().error = Some(text.to_owned()),
            _ => {}
        }
    }
    steps
}

fn blocks(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap())
}

/// Splits a script into commands and words: single quotes, and lines that go on after a backslash.
fn commands(script: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut letters = script.chars();
    let mut is_quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            _ if is_quoted => word.get_or_insert_default().push(letter),
            '\\' => assert_eq!(letters.next(), Some('\n'), "only line ends are escaped: {script}"),
            '"' | '$' | '`' | '|' | '>' | ';' | '&' => panic!("`{letter}` is not understood here: {script}"),
            ' ' | '\n' => {
                let command = commands.last_mut().unwrap();
                command.extend(word.take());
                if letter == '\n' && !command.is_empty() {
                    commands.push(Vec::new());
                }
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    assert!(!is_quoted, "a quote is not closed: {script}");
    commands.last_mut().unwrap().extend(word);
    commands.retain(|command| !command.is_empty());
    commands
}

#[test]
fn a_page_is_split_into_commands_as_a_shell_does() {
    let page = "# A\n\n```sh\ngrpcurl -d '{\"a\": \"b c\"}' \\\n  host x.Y/Z\necho 'no' more\ngrpcurl list\n```\n\n\
                ```json\n{}\n```\n\nwords\n\n```sh\ngrpcurl ''\n```\n\n```text\nERROR\n```\n";
    let steps = steps(page);
    let words: Vec<_> = steps.iter().map(|step| step.words.join("|")).collect();
    assert_eq!(words, ["grpcurl|-d|{\"a\": \"b c\"}|host|x.Y/Z", "grpcurl|list", "grpcurl|"]);
    let told: Vec<_> = steps.iter().map(|step| (step.answer.as_deref(), step.error.as_deref())).collect();
    assert_eq!(told, [(None, None), (Some("{}"), None), (None, Some("ERROR"))]);
}
