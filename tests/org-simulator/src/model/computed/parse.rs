//! The grammar of formulas, as far as it is supported:
//!
//! ```text
//! or         = and { ("||") and }            sum     = product { ("+" | "-" | "&") product }
//! and        = comparison { "&&" comparison } product = unary { ("*" | "/") unary }
//! comparison = sum [ operator sum ]          unary   = [ "-" | "!" ] atom
//! atom       = number | text | field | TRUE | FALSE | NULL | function "(" arguments ")" | "(" or ")"
//! ```

use super::formula::{Expression, Function, Operator};

/// Parentheses and functions within each other.
const MAX_NESTING: usize = 40;

const COMPARISONS: [(&str, Operator); 8] = [
    ("<>", Operator::NotEqual),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("==", Operator::Equal),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

/// Parses the text of a formula.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    let mut reader = Reader { rest: text, depth: 0 };
    let tree = reader.or()?;
    reader.skip_blanks();
    if reader.rest.is_empty() { Ok(tree) } else { Err(reader.unexpected()) }
}

fn binary(operator: Operator, left: Expression, right: Expression) -> Expression {
    Expression::Binary(operator, Box::new(left), Box::new(right))
}

impl Reader<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, symbol: &str) -> bool {
        self.skip_blanks();
        let rest = self.rest.strip_prefix(symbol);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, symbol: &str) -> Result<(), String> {
        if self.takes(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> String {
        match self.rest.chars().next() {
            Some(c) => format!("syntax error at '{c}'"),
            None => "the formula ends too early".to_owned(),
        }
    }

    fn or(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err("the formula is nested too deeply".to_owned());
        }
        let mut left = self.and()?;
        while self.takes("||") {
            left = binary(Operator::Or, left, self.and()?);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, String> {
        let mut left = self.comparison()?;
        while self.takes("&&") {
            left = binary(Operator::And, left, self.comparison()?);
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        let left = self.sum()?;
        let operator = COMPARISONS.iter().find(|(symbol, _)| self.takes(symbol));
        match operator {
            Some((_, operator)) => Ok(binary(*operator, left, self.sum()?)),
            None => Ok(left),
        }
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        loop {
            self.skip_blanks();
            let operator = match self.rest {
                rest if rest.starts_with("&&") => return Ok(left),
                rest if rest.starts_with('+') => Operator::Add,
                rest if rest.starts_with('-') => Operator::Subtract,
                rest if rest.starts_with('&') => Operator::Join,
                _ => return Ok(left),
            };
            self.rest = &self.rest[1..];
            left = binary(operator, left, self.product()?);
        }
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.unary()?;
        loop {
            let operator = if self.takes("*") {
                Operator::Multiply
            } else if self.takes("/") {
                Operator::Divide
            } else {
                return Ok(left);
            };
            left = binary(operator, left, self.unary()?);
        }
    }

    fn unary(&mut self) -> Result<Expression, String> {
        if self.takes("-") {
            return Ok(Expression::Negative(Box::new(self.atom()?)));
        }
        if self.takes("!") {
            return Ok(Expression::Call(Function::Not, vec![self.atom()?]));
        }
        self.atom()
    }

    fn atom(&mut self) -> Result<Expression, String> {
        self.skip_blanks();
        match self.rest.chars().next() {
            Some('(') => {
                self.expect("(")?;
                let inner = self.or()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(quote @ ('"' | '\'')) => self.text(quote),
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_ascii_alphabetic() => self.name(),
            _ => Err(self.unexpected()),
        }
    }

    fn text(&mut self, quote: char) -> Result<Expression, String> {
        let (mut text, mut escaped) = (String::new(), false);
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => {
                    text.push(if c == 'n' { '\n' } else { c });
                    escaped = false;
                }
                '\\' => escaped = true,
                c if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(Expression::Text(text));
                }
                c => text.push(c),
            }
        }
        Err("a text has no closing quote".to_owned())
    }

    fn number(&mut self) -> Result<Expression, String> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(self.rest.len());
        let number = self.rest[..end].parse().map_err(|_| self.unexpected())?;
        self.rest = &self.rest[end..];
        Ok(Expression::Number(number))
    }

    fn name(&mut self) -> Result<Expression, String> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if self.takes("(") {
            return self.call(name);
        }
        if self.rest.starts_with([':', '$']) {
            return Err(format!("the simulator does not support '{name}:' in formulas"));
        }
        Ok(match name.to_ascii_uppercase().as_str() {
            "TRUE" => Expression::Bool(true),
            "FALSE" => Expression::Bool(false),
            "NULL" => Expression::Null,
            _ => Expression::Field(name.split('.').map(str::to_owned).collect()),
        })
    }

    fn call(&mut self, name: &str) -> Result<Expression, String> {
        let known = Function::ALL.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
        let (name, function, least, most) =
            known.ok_or_else(|| format!("the simulator does not support the function {name} in formulas"))?;
        let mut arguments = Vec::new();
        if !self.takes(")") {
            loop {
                arguments.push(self.or()?);
                if !self.takes(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        let paired = *function != Function::Case || arguments.len() % 2 == 0;
        if !(*least..=*most).contains(&arguments.len()) || !paired {
            return Err(format!("incorrect number of parameters for function {name}: {}", arguments.len()));
        }
        Ok(Expression::Call(*function, arguments))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn operators_bind_as_in_salesforce() {
        let number = Expression::Number;
        let product = binary(Operator::Multiply, number(2.0), number(3.0));
        assert_eq!(parse("1 + 2 * 3").unwrap(), binary(Operator::Add, number(1.0), product));
        let tree = parse("A__c & 'x' = \"y\" && !B__c").unwrap();
        assert!(matches!(tree, Expression::Binary(Operator::And, ..)), "{tree:?}");
    }

    #[test]
    fn an_unsupported_formula_says_what_is_not_supported() {
        for (text, expected) in [
            ("REGEX(Name, 'x')", "the simulator does not support the function REGEX in formulas"),
            ("Owner:User.Email", "the simulator does not support 'Owner:' in formulas"),
            ("IF(TRUE, 1)", "incorrect number of parameters for function IF: 2"),
            ("CASE(A__c, 1, 2, 3, 4)", "incorrect number of parameters for function CASE: 5"),
            ("1 +", "the formula ends too early"),
            ("1 ; 2", "syntax error at ';'"),
            ("'abc", "a text has no closing quote"),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
        assert!(parse(&"(".repeat(5_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,60}", near in "[-A-Za-z_(),.&|!='\" 0-9*/<>]{0,40}") {
            let _ = parse(&text);
            let _ = parse(&near);
        }
    }
}
