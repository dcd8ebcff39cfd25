//! `${{ … }}`: its grammar, and whether what it names exists where it stands.
use github_actions_expressions::call::{Call, Error as CallError, Function};
use github_actions_expressions::literal::Literal;
use github_actions_expressions::{Error, Expr, SpannedExpr};

use super::super::found::{Found, instead, near, one_of, shown};
use super::super::source::Mark;
use super::super::yaml::{Content, Node, Style};
use super::Check;
use super::places::{ALL, Place};

/// Most expressions of a file that are looked at.
const MOST: usize = 5_000;
/// Most characters of an expression that GitHub reads.
const LONGEST: usize = 21_000;
const FUNCTIONS: &[&str] = &[
    "contains",
    "startsWith",
    "endsWith",
    "format",
    "join",
    "toJSON",
    "fromJSON",
    "hashFiles",
    "case",
    "success",
    "always",
    "cancelled",
    "failure",
];

/// An expression in a text.
struct Embedded<'n> {
    /// Behind `${{`.
    body: &'n str,
    closed: bool,
    /// Where `${{` begins in the value.
    begins: usize,
    /// Behind `}}`.
    ends: usize,
}

/// All expressions of a text. A `}}` inside of quotes does not end one.
fn expressions(text: &str) -> Vec<Embedded<'_>> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Some(begins) = text[from..].find("${{").map(|at| from + at) {
        let start = begins + 3;
        let (mut quoted, mut end) = (false, None);
        for (at, c) in text[start..].char_indices() {
            match c {
                '\'' => quoted = !quoted,
                '}' if !quoted && text[start + at..].starts_with("}}") => {
                    end = Some(start + at);
                    break;
                }
                _ => {}
            }
        }
        let closed = end.is_some();
        let end = end.unwrap_or(text.len());
        from = if closed { end + 2 } else { end };
        all.push(Embedded {
            body: &text[start..end],
            closed,
            begins,
            ends: from,
        });
    }
    all
}

impl Check<'_, '_> {
    /// Checks every expression in the node and below it, keys too.
    pub(super) fn expressions(&mut self, node: &Node, place: &Place) {
        match &node.seen().content {
            Content::Scalar { value, .. } => {
                // The same expressions in the file, where the value may be folded or escaped.
                let (source, seen) = (self.source, node.seen());
                let raw = source.text.get(seen.start.at..seen.end.at).unwrap_or("");
                let mut openings = raw.match_indices("${{");
                for found in &expressions(value) {
                    let opening = openings.next().map_or(0, |(at, _)| at);
                    self.one(seen.start.at + opening, found, place);
                }
            }
            Content::List { items, .. } => {
                for item in items {
                    self.expressions(item, place);
                }
            }
            Content::Map { entries, .. } => {
                for entry in entries {
                    self.expressions(&entry.key, place);
                    self.expressions(&entry.value, place);
                }
            }
            Content::Alias(_) => {}
        }
    }

    /// A condition is an expression as a whole, with or without `${{ }}`.
    pub(super) fn condition(&mut self, node: &Node, place: &Place) {
        let Some(text) = self.text(node, "if") else {
            return;
        };
        let found = expressions(text);
        match &found[..] {
            [] => {
                if self.too_many(node.start.at) {
                    return;
                }
                let first = text.len() - text.trim_start().len();
                let exact = !matches!(
                    &node.seen().content,
                    Content::Scalar {
                        style: Style::Block,
                        ..
                    }
                ) && !text.contains('\n');
                let quote = usize::from(!matches!(
                    &node.seen().content,
                    Content::Scalar {
                        style: Style::Plain,
                        ..
                    }
                ));
                let start = node.seen().start.at + quote;
                let mark = |at: usize| {
                    if exact {
                        self.source.at(start + at)
                    } else {
                        node.start
                    }
                };
                let found = self.judge(text, first, place, &mark);
                self.found.extend(found);
            }
            [one]
                if one.begins > 0 && !text[..one.begins].trim().is_empty()
                    || one.ends < text.len() && !text[one.ends..].trim().is_empty() =>
            {
                let message = "this condition is always true: text stands outside of `${{ }}`; put all of it inside, or leave `${{ }}` away";
                self.warning(node, "expression", message);
                self.expressions(node, place);
            }
            _ => self.expressions(node, place),
        }
    }

    /// Counts an expression. True when it is one too many to be looked at.
    fn too_many(&mut self, at: usize) -> bool {
        self.judged += 1;
        if self.judged == MOST + 1 {
            let message = format!(
                "the expressions from here on were not looked at; {MOST} in a file are the limit"
            );
            let mark = self.source.at(at);
            self.found.push(Found::warning(mark, "limits", message));
        }
        self.judged > MOST
    }

    /// `opening` is where it stands in the file.
    fn one(&mut self, opening: usize, found: &Embedded<'_>, place: &Place) {
        if self.too_many(opening) {
            return;
        }
        let exact = self.source.text[opening..].starts_with(&format!("${{{{{}", found.body));
        if !found.closed {
            let message = "`${{` is not closed; expected `}}`";
            let mark = self.source.at(opening);
            self.found.push(Found::error(mark, "expression", message));
            return;
        }
        if place.contexts.is_empty() {
            let message = format!(
                "no expression may stand here; expected a fixed value instead of {}",
                shown(&format!("${{{{{}}}}}", found.body))
            );
            let mark = self.source.at(opening);
            self.found.push(Found::error(mark, "expression", message));
            return;
        }
        let mark = |at: usize| {
            let within = if exact { 3 + at } else { 0 };
            self.source.at(opening + within)
        };
        let first = found.body.len() - found.body.trim_start().len();
        let found = self.judge(found.body, first, place, &mark);
        self.found.extend(found);
    }

    /// What is wrong with an expression. `mark` tells where a byte of it stands in the file, `first` where it begins.
    fn judge(
        &self,
        body: &str,
        first: usize,
        place: &Place,
        mark: &dyn Fn(usize) -> Mark,
    ) -> Vec<Found> {
        let rule = "expression";
        let length = body.chars().count();
        if length > LONGEST {
            let message = format!("the expression has {length} characters; GitHub reads {LONGEST}");
            return vec![Found::error(mark(first), rule, message)];
        }
        let parsed = match Expr::parse(body) {
            Ok(parsed) => parsed,
            Err(error) => {
                let (at, message) = refusal(body, first, &error);
                return vec![Found::error(mark(at), rule, message)];
            }
        };
        let mut found = Vec::new();
        for (context, origin) in parsed.contexts() {
            let Some(Expr::Identifier(head)) = context.parts.first().map(|part| &part.inner) else {
                continue;
            };
            let at = mark(origin.span.start);
            let head = head.as_str();
            let is = |name: &&&str| name.eq_ignore_ascii_case(head);
            let tail = second(&context.parts);
            match ALL.iter().find(is) {
                None => {
                    let message = format!(
                        "there is no context {}; {}",
                        shown(head),
                        instead(head, place.contexts)
                    );
                    found.push(Found::error(at, rule, message));
                }
                Some(context) if !place.contexts.contains(context) => {
                    let message = format!(
                        "`{context}` cannot be used here; expected {}",
                        one_of(place.contexts)
                    );
                    found.push(Found::error(at, rule, message));
                }
                Some(&"needs") => found.extend(self.refers(at, "needs", tail, &self.job.needs)),
                Some(&"steps") => found.extend(self.refers(at, "steps", tail, &self.job.steps)),
                Some(_) => {}
            }
        }
        calls(&parsed, &mut |function, at| {
            let refused = match function {
                Function::Success | Function::Always | Function::Cancelled | Function::Failure => {
                    (!place.status).then_some("can be used in `if` alone")
                }
                Function::HashFiles => (!place.files).then_some("can be used in steps alone"),
                _ => None,
            };
            if let Some(refused) = refused {
                let name = body
                    .get(at..)
                    .unwrap_or_default()
                    .split('(')
                    .next()
                    .unwrap_or_default()
                    .trim();
                found.push(Found::error(
                    mark(at),
                    rule,
                    format!("`{name}()` {refused}"),
                ));
            }
        });
        found
    }

    /// A name behind `needs.` or `steps.` that stands for nothing: GitHub takes it for an empty text.
    fn refers(&self, at: Mark, head: &str, tail: Option<&str>, known: &[String]) -> Option<Found> {
        let tail = tail?;
        if known.iter().any(|name| name.eq_ignore_ascii_case(tail)) {
            return None;
        }
        let what = match head {
            "needs" => "this job does not need",
            _ => "this job has no step with the id",
        };
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let meant = match near(tail, &known) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => String::new(),
        };
        let message = format!("`{head}.{tail}` is always empty: {what} `{tail}`{meant}");
        Some(Found::warning(at, "expression", message))
    }
}

/// What the parser says of an expression, and at which byte.
fn refusal(body: &str, first: usize, error: &Error) -> (usize, String) {
    let place = |name: &str| {
        let found = body.to_ascii_lowercase().find(&name.to_ascii_lowercase());
        found.unwrap_or(first)
    };
    let text = shown(body.trim());
    match error {
        _ if body.trim().is_empty() => (first, "`${{ }}` is empty; expected an expression".into()),
        Error::Syntax(error)
            if body
                .get(error.offset..)
                .is_some_and(|rest| rest.starts_with('"')) =>
        {
            (
                error.offset,
                format!("{text} is no expression; expected single quotes around a text"),
            )
        }
        Error::Syntax(error) => (
            error.offset,
            format!("{text} is no expression: {}", error.message),
        ),
        Error::Call(CallError::UnknownFunction(name)) => {
            let message = format!(
                "there is no function {}; {}",
                shown(name),
                instead(name, FUNCTIONS)
            );
            (place(name), message)
        }
        Error::Call(CallError::Arity(function, expected)) => {
            let debug = format!("{function:?}");
            let name = FUNCTIONS
                .iter()
                .find(|name| name.eq_ignore_ascii_case(&debug));
            let name = name.copied().unwrap_or(&debug);
            (place(name), format!("`{name}()` takes {expected}"))
        }
        Error::Depth => (first, format!("{text} is nested too deeply")),
    }
}

/// The name behind the first dot, or in the first brackets.
fn second<'e>(parts: &'e [SpannedExpr<'_>]) -> Option<&'e str> {
    match &parts.get(1)?.inner {
        Expr::Identifier(name) => Some(name.as_str()),
        Expr::Index(index) => match &index.inner {
            Expr::Literal(Literal::String(name)) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// Tells every call in an expression and where it begins. The parser bounds how deep one can be.
fn calls(expression: &SpannedExpr<'_>, tell: &mut impl FnMut(&Function, usize)) {
    match &expression.inner {
        Expr::Call(Call { func, args }) => {
            tell(func, expression.origin.span.start);
            args.iter().for_each(|arg| calls(arg, tell));
        }
        Expr::Index(inner) => calls(inner, tell),
        Expr::Context(context) => context.parts.iter().for_each(|part| calls(part, tell)),
        Expr::BinExpr(both) => {
            calls(&both.lhs, tell);
            calls(&both.rhs, tell);
        }
        Expr::UnExpr { expr, .. } => calls(expr, tell),
        Expr::Literal(_) | Expr::Star | Expr::Identifier(_) => {}
    }
}
