use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use crate::TemplateError;

/// How many words and signs may stand between one pair of delimiters.
pub const MAX_TOKENS: usize = 400;
/// How many `elif` a template may have.
pub const MAX_ELIFS: usize = 100;

/// Refuses what the library would follow down the stack until there is none left: it bounds nesting of blocks and
/// brackets, but neither chains such as `a ~ a ~ a`, calls and subscripts, nor `elif`.
pub fn check(source: &str) -> Result<(), TemplateError> {
    let (mut tokens, mut elifs) = (0, 0);
    // What does not tokenize is refused by the parser, with the same tokens before it.
    for (token, span) in tokenize(source, false, SyntaxConfig::default()).map_while(Result::ok) {
        match token {
            Token::TemplateData(_) => continue,
            Token::VariableStart | Token::BlockStart => tokens = 0,
            Token::Ident("elif") => elifs += 1,
            _ => {}
        }
        tokens += 1;
        let line = usize::from(span.start_line);
        if tokens > MAX_TOKENS {
            return Err(TemplateError::TooManyTokens { line });
        }
        if elifs > MAX_ELIFS {
            return Err(TemplateError::TooManyElifs { line });
        }
    }
    Ok(())
}
