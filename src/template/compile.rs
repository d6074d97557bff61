//! Compiling parameters: their types, their references, their templates.

use super::check::{fits, rereads};
use super::destination::check_destination;
use super::escape::Escape;
use super::jinja::{Block, Hole, vars_steps};
use super::path::{Path, View};
use super::scan::{Piece, ScanError, scan, without_strings};
use super::{Params, Vars};
use crate::diagnostic::did_you_mean;
use crate::json::{Json, Object};
use crate::registry::{ConfigError, Param, ParamType, token};
use crate::secret::{Part, Reference};
use std::fmt;

/// A compiled text.
pub struct Template {
    /// As it was written.
    pub(super) source: String,
    /// What it must yield.
    pub(super) ty: ParamType,
    pub(super) body: Body,
}

/// What a template consists of.
pub(super) enum Body {
    /// Exactly one reference, to be read as the type wanted.
    Reference(Reference),
    /// Exactly one hole: keeps its JSON type.
    Value(Hole),
    Text(Vec<Segment>),
    Block(Box<Block>),
}

pub(super) enum Segment {
    Literal(String),
    Reference(Reference),
    Hole(Hole),
}

impl Template {
    /// Whether its holes only copy, so that what it fills in is no larger than what came in.
    pub(super) fn only_copies(&self) -> bool {
        match &self.body {
            Body::Reference(_) => true,
            Body::Value(hole) => hole.is_path(),
            Body::Text(segments) => segments.iter().all(|segment| match segment {
                Segment::Hole(hole) => hole.is_path(),
                Segment::Literal(_) | Segment::Reference(_) => true,
            }),
            Body::Block(_) => false,
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.source).finish()
    }
}

/// What is wrong with one text.
#[derive(Debug)]
pub(super) struct Problem {
    message: String,
    help: Option<String>,
}

impl Problem {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<ScanError> for Problem {
    fn from(error: ScanError) -> Self {
        Self { message: error.message, help: error.help }
    }
}

/// Compiles a map of parameters; `null` is an empty one. Without a schema any value is taken.
pub(super) fn params(value: &Json, schema: &[Param<'_>], vars: &Vars) -> Result<Params, Vec<ConfigError>> {
    let mut compiler = Compiler { vars, errors: Vec::new() };
    let compiled = match value {
        _ if schema.is_empty() => compiler.value(value, ParamType::Any, ""),
        Json::Null => compiler.map(&Object::new(), schema),
        Json::Object(object) => compiler.map(object, schema),
        other => {
            let message = format!("a map of parameters is wanted here, not a {}", other.kind());
            let names = schema.iter().map(|param| param.name).collect::<Vec<_>>().join(", ");
            return Err(vec![ConfigError::at("", message).with_help(format!("the parameters are {names}"))]);
        }
    };
    if compiler.errors.is_empty() { Ok(compiled) } else { Err(compiler.errors) }
}

struct Compiler<'a> {
    vars: &'a Vars,
    errors: Vec<ConfigError>,
}

impl Compiler<'_> {
    fn map(&mut self, object: &Object, schema: &[Param<'_>]) -> Params {
        for param in schema.iter().filter(|param| param.required && object.get(param.name).is_none()) {
            self.errors.push(ConfigError::at("", missing(param)));
        }
        let mut members = Vec::new();
        for (key, value) in object.iter() {
            match schema.iter().find(|param| param.name == key) {
                Some(param) => members.push((key.to_owned(), self.value(value, param.ty, &token(key)))),
                None => self.errors.push(unknown(key, schema)),
            }
        }
        Params::Map(members)
    }

    fn value(&mut self, value: &Json, ty: ParamType, pointer: &str) -> Params {
        if let Json::String(text) = value {
            return self.text(text, ty, pointer);
        }
        if let Err(message) = fits(value, ty) {
            self.errors.push(ConfigError::at(pointer, message));
        }
        let inner = if ty == ParamType::SlackAny { ty } else { ParamType::Any };
        match value {
            Json::Array(items) => {
                let item = |(index, item)| self.value(item, inner, &format!("{pointer}/{index}"));
                Params::List(items.iter().enumerate().map(item).collect())
            }
            Json::Object(object) => {
                let member = |(key, value): (&str, &Json)| {
                    (key.to_owned(), self.value(value, inner, &format!("{pointer}{}", token(key))))
                };
                Params::Map(object.iter().map(member).collect())
            }
            other => Params::Data(other.clone()),
        }
    }

    fn text(&mut self, text: &str, ty: ParamType, pointer: &str) -> Params {
        match template(text, ty, self.vars) {
            Ok(Params::Data(data)) => {
                if let Err(message) = fits(&data, ty) {
                    self.errors.push(ConfigError::at(pointer, message));
                }
                Params::Data(data)
            }
            Ok(params) => params,
            Err(problem) => {
                let error = ConfigError::at(pointer, problem.message);
                self.errors.push(ConfigError { help: problem.help, ..error });
                Params::Data(Json::Null)
            }
        }
    }
}

fn unknown(key: &str, schema: &[Param<'_>]) -> ConfigError {
    let names = || schema.iter().map(|param| param.name);
    let error = ConfigError::key(token(key), format!("there is no parameter `{key}`"));
    match did_you_mean(key, names()) {
        Some(near) => error.with_help(format!("did you mean `{near}`?")),
        None => error.with_help(format!("the parameters are {}", names().collect::<Vec<_>>().join(", "))),
    }
}

fn template(text: &str, ty: ParamType, vars: &Vars) -> Result<Params, Problem> {
    let pieces = scan(text)?;
    if pieces.iter().all(|piece| matches!(piece, Piece::Literal(_) | Piece::Reference(_))) {
        return Ok(without_holes(text, pieces, ty));
    }
    let body = if pieces.iter().any(|piece| matches!(piece, Piece::Block(_))) {
        if matches!(ty, ParamType::Url | ParamType::Path) {
            return Err(Problem::new("a URL or path takes only `{{ }}`, no statements, comments or `{{-`"));
        }
        Body::Block(Box::new(block(pieces, Escape::of(ty))?))
    } else {
        holes(pieces)?
    };
    if ty == ParamType::Url {
        check_destination(&body)?;
    }
    let template = Template { source: text.to_owned(), ty, body };
    super::references::names(&template)
        .iter()
        .try_for_each(|name| check_vars(name, &template.source, vars))?;
    Ok(Params::Template(template.into()))
}

fn without_holes(text: &str, mut pieces: Vec<Piece>, ty: ParamType) -> Params {
    if let ([Piece::Reference(reference)], true) = (&*pieces, rereads(ty)) {
        let body = Body::Reference(reference.clone());
        return Params::Template(Template { source: text.to_owned(), ty, body }.into());
    }
    let part = |piece| match piece {
        Piece::Reference(reference) => Part::Reference(reference),
        Piece::Literal(text) | Piece::Hole(text) | Piece::Block(text) => Part::Literal(text),
    };
    super::value::text(pieces.drain(..).map(part).collect())
}

fn holes(pieces: Vec<Piece>) -> Result<Body, Problem> {
    if let [Piece::Hole(source)] = &*pieces {
        return Ok(Body::Value(Hole::compile(source)?));
    }
    let segment = |piece| {
        Ok(match piece {
            Piece::Literal(text) | Piece::Block(text) => Segment::Literal(text),
            Piece::Reference(reference) => Segment::Reference(reference),
            Piece::Hole(source) => Segment::Hole(Hole::compile(&source)?),
        })
    };
    Ok(Body::Text(pieces.into_iter().map(segment).collect::<Result<_, Problem>>()?))
}

fn block(pieces: Vec<Piece>, escape: Escape) -> Result<Block, Problem> {
    let mut source = String::new();
    let mut references = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Literal(text) | Piece::Block(text) => source.push_str(&text),
            Piece::Hole(inner) => source.push_str(&format!("{{{{ {inner} }}}}")),
            Piece::Reference(reference) => {
                source.push_str(&Block::placeholder(references.len()));
                references.push(Part::Reference(reference));
            }
        }
    }
    Block::compile(source, references, escape)
}

/// Refuses a path of `vars` that leads nowhere, unless the template is ready for that.
fn check_vars(name: &str, source: &str, vars: &Vars) -> Result<(), Problem> {
    let Some(steps) = vars_steps(name) else { return Ok(()) };
    let words = without_strings(source);
    if words.contains("default") || words.contains("|d") || words.contains("| d") || words.contains("defined")
    {
        return Ok(());
    }
    let mut view = View::Params(vars.params());
    let mut path = Path::parse("vars").expect("`vars` is a path");
    for step in steps {
        let Some(below) = view.child(&step) else { return Err(Problem::new(view.missing(&path, &step))) };
        view = below;
        path.0.push(step);
    }
    Ok(())
}

/// A summary is a sentence of the reference; here it goes on after a colon.
fn missing(param: &Param<'_>) -> String {
    let summary = param.summary.trim_end_matches('.');
    let mut chars = summary.chars();
    let first = chars.next().map(|char| char.to_lowercase().to_string()).unwrap_or_default();
    format!("`{}` is missing: {first}{}", param.name, chars.as_str())
}
