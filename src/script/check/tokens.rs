//! A script's tokens, for what its syntax tree does not keep.

use rhai::{Engine, Position, Token};

/// All tokens of a script that parses.
pub(super) fn tokens(text: &str) -> Vec<(Token, Position)> {
    let (engine, texts) = (Engine::new_raw(), [text]);
    let (tokens, control) = engine.lex(&texts);
    let mut found = Vec::new();
    // How many braces are open in each `${…}` that is.
    let mut interpolations: Vec<usize> = Vec::new();
    // Rhai's iterator ends nowhere else.
    for (token, at) in tokens.take_while(|(token, _)| *token != Token::EOF) {
        match (&token, interpolations.last_mut()) {
            (Token::InterpolatedString(..), _) => interpolations.push(0),
            (Token::LeftBrace | Token::MapStart, Some(braces)) => *braces += 1,
            (Token::RightBrace, Some(braces)) if *braces > 1 => *braces -= 1,
            (Token::RightBrace, Some(_)) => {
                interpolations.pop();
                // What follows is the rest of the text, as the parser says to the tokenizer.
                control.borrow_mut().is_within_text = true;
            }
            _ => {}
        }
        found.push((token, at));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_texts_and_comments_is_no_token_and_what_is_filled_in_is() {
        let text = "let a = `x ${f(#{b: `${1}`})} fn 2 ${{ 3 }}`; // 4\nfn g() { \"5 ${6}\" /* 7 */ }";
        let numbers = tokens(text).into_iter().filter_map(|(token, _)| match token {
            Token::IntegerConstant(number) => Some(number),
            _ => None,
        });
        assert_eq!(numbers.collect::<Vec<_>>(), [1, 3]);
        let functions = tokens(text).into_iter().filter(|(token, _)| *token == Token::Fn);
        assert_eq!(functions.map(|(_, at)| at.line()).collect::<Vec<_>>(), [Some(2)]);
    }

    #[test]
    fn a_text_that_does_not_parse_ends_too() {
        for text in ["`${", "`a", "\"", "}}}", "`${`${`${", "/*", "\u{0}", "'"] {
            assert!(tokens(text).len() < 20, "{text}");
        }
    }
}
