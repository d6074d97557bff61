//! Filling in: templates evaluated, secrets resolved, and what is shown kept apart from what is
//! used.

use super::check::{fits, read, wanted};
use super::compile::{Body, Segment, Template};
use super::escape::{Escape, dot_segment, host_end};
use super::jinja::{Hole, MAX_OUTPUT_BYTES, too_large};
use super::session::Session;
use super::value::text;
use super::{Params, RenderError, Rendered, Scope, Veil};
use crate::json::Json;
use crate::registry::{ParamType, token};
use crate::secret::{Part, Reference, Secret, shown};
use std::sync::Arc;

/// Fills in everything; the event is looked at only if there is a template.
pub(super) fn render(params: &Params, scope: Scope<'_>) -> Result<Rendered, RenderError> {
    let mut renderer = Renderer { scope, session: None, secrets: Vec::new(), output_bytes: 0 };
    let filled = renderer.node(params)?;
    let mut secrets = renderer.secrets;
    secrets.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.expose().len()));
    secrets.dedup();
    Ok(Rendered { plain: filled.plain, veil: filled.veil, secrets })
}

/// One parameter, or a part of it.
struct Filled {
    plain: Json,
    veil: Option<Box<Veil>>,
}

impl Filled {
    fn data(plain: Json) -> Self {
        Self { plain, veil: None }
    }

    fn secret(plain: Json, filled: Params, shown: Json) -> Self {
        Self { plain, veil: Some(Box::new(Veil { filled, shown })) }
    }

    fn is_plain(&self) -> bool {
        self.veil.is_none()
    }

    fn shown(&self) -> &Json {
        self.veil.as_ref().map_or(&self.plain, |veil| &veil.shown)
    }

    /// With what stands for it where another part has a secret in it.
    fn into_parts(self) -> (Veil, Json) {
        let plain = &self.plain;
        let bare = || Veil { filled: Params::Data(plain.clone()), shown: plain.clone() };
        (self.veil.map_or_else(bare, |veil| *veil), self.plain)
    }
}

struct Renderer<'a> {
    scope: Scope<'a>,
    session: Option<Arc<Session>>,
    secrets: Vec<(Secret, String)>,
    /// What templates have computed so far.
    output_bytes: usize,
}

impl Renderer<'_> {
    /// Where an error is, is only said on its way out: pointers are not made for what is right.
    fn node(&mut self, params: &Params) -> Result<Filled, RenderError> {
        let here = |message| RenderError { pointer: String::new(), message };
        match params {
            Params::Data(data) => Ok(Filled::data(data.clone())),
            Params::Secret(parts) => self.secret(parts).map_err(here),
            Params::Template(template) => self.template(template).map_err(here),
            Params::List(items) => self.list(items),
            Params::Map(members) => self.map(members),
        }
    }

    fn list(&mut self, items: &[Params]) -> Result<Filled, RenderError> {
        let mut done = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            done.push(self.node(item).map_err(|error| within(&format!("/{index}"), error))?);
        }
        if done.iter().all(Filled::is_plain) {
            return Ok(Filled::data(Json::Array(done.into_iter().map(|item| item.plain).collect())));
        }
        let (mut filled, mut plain, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for item in done {
            let (veil, item) = item.into_parts();
            filled.push(veil.filled);
            shown.push(veil.shown);
            plain.push(item);
        }
        Ok(Filled::secret(Json::Array(plain), Params::List(filled), Json::Array(shown)))
    }

    fn map(&mut self, members: &[(String, Params)]) -> Result<Filled, RenderError> {
        let mut done = Vec::with_capacity(members.len());
        for (key, value) in members {
            done.push((key, self.node(value).map_err(|error| within(&token(key), error))?));
        }
        if done.iter().all(|(_, value)| value.is_plain()) {
            return Ok(Filled::data(Json::object(done.into_iter().map(|(key, value)| (key, value.plain)))));
        }
        let (mut filled, mut plain, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for (key, value) in done {
            let (veil, value) = value.into_parts();
            filled.push((key.clone(), veil.filled));
            shown.push((key, veil.shown));
            plain.push((key, value));
        }
        Ok(Filled::secret(Json::object(plain), Params::Map(filled), Json::object(shown)))
    }

    fn secret(&mut self, parts: &[Part]) -> Result<Filled, String> {
        let plain = self.resolve_all(parts)?;
        Ok(Filled::secret(plain.into(), Params::Secret(parts.to_vec()), shown(parts).into()))
    }

    fn resolve_all(&mut self, parts: &[Part]) -> Result<String, String> {
        let mut plain = String::new();
        for part in parts {
            match part {
                Part::Literal(text) => plain.push_str(text),
                Part::Reference(reference) => plain.push_str(self.resolve(reference)?.expose()),
            }
        }
        Ok(plain)
    }

    fn resolve(&mut self, reference: &Reference) -> Result<Secret, String> {
        let secret = self.scope.resolver.resolve(reference).map_err(|error| error.to_string())?;
        self.secrets.push((secret.clone(), reference.to_string()));
        Ok(secret)
    }

    fn template(&mut self, template: &Template) -> Result<Filled, String> {
        let done = match &template.body {
            Body::Reference(reference) => return self.reread(reference, template.ty),
            Body::Value(hole) => {
                let value = self.value(hole, template.ty)?;
                self.computed(template, &value)?;
                self.node(&value).map_err(|error| error.message)?
            }
            Body::Block(block) => {
                let value = block.evaluate(&self.session())?;
                self.computed(template, &value)?;
                self.node(&value).map_err(|error| error.message)?
            }
            Body::Text(segments) => self.text(template, segments)?,
        };
        if template.ty == ParamType::Url {
            check_url(&done.plain)?;
        }
        fits(done.shown(), template.ty)?;
        Ok(done)
    }

    /// The value of a single hole.
    fn value(&mut self, hole: &Hole, ty: ParamType) -> Result<Params, String> {
        let (value, safe) = hole.evaluate(&self.session())?;
        check(&value, Escape::of(ty))?;
        // A whole URL is a value of `vars`, so it stays as it is.
        let escape = if safe || ty == ParamType::Url { Escape::None } else { Escape::of(ty) };
        // As a text first: then the keys of a map, which an event chooses, are escaped with it.
        Ok(escaped(typed(value, ty), escape))
    }

    fn text(&mut self, template: &Template, segments: &[Segment]) -> Result<Filled, String> {
        let pieces = self.pieces(segments, Escape::of(template.ty))?;
        let parts: Vec<Part> = pieces.iter().map(|piece| piece.part.clone()).collect();
        let filled = text(parts.clone());
        self.computed(template, &filled)?;
        if let Params::Data(data) = filled {
            return Ok(Filled::data(data));
        }
        let mut plain = String::new();
        for piece in pieces {
            match piece.part {
                Part::Literal(text) => plain.push_str(&text),
                Part::Reference(reference) => {
                    plain.push_str(&piece.escape.text(self.resolve(&reference)?.expose()));
                }
            }
        }
        Ok(Filled::secret(plain.into(), filled, shown(&parts).into()))
    }

    /// A single reference, read as the type that the parameter takes.
    fn reread(&mut self, reference: &Reference, ty: ParamType) -> Result<Filled, String> {
        let secret = self.resolve(reference)?;
        let value = read(secret.expose(), ty).unwrap_or_else(|| secret.expose().into());
        if !self.scope.resolver.placeholders() {
            // The value itself is secret: only what it should have been is said.
            fits(&value, ty).map_err(|_| format!("the value of {reference} is not {}", wanted(ty)))?;
        }
        let filled = Params::Secret(vec![Part::Reference(reference.clone())]);
        Ok(Filled::secret(value, filled, reference.to_string().into()))
    }

    fn pieces(&mut self, segments: &[Segment], escape: Escape) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        let mut host_is_ours = escape != Escape::Url;
        for segment in segments {
            match segment {
                Segment::Literal(text) => pieces.push(Piece::author(Part::Literal(text.clone()))),
                Segment::Reference(reference) => {
                    pieces.push(Piece::author(Part::Reference(reference.clone())));
                }
                Segment::Hole(hole) => {
                    host_is_ours = host_is_ours || self.ends_host(&pieces)?;
                    if !host_is_ours {
                        return Err("an event must not choose the host of a URL".to_owned());
                    }
                    let (value, safe) = hole.evaluate(&self.session())?;
                    check(&value, escape)?;
                    let escape = if safe { escape.of_safe() } else { escape };
                    pieces.extend(in_text(value, escape)?);
                }
            }
        }
        Ok(pieces)
    }

    /// Whether these pieces, which the author wrote, are a URL through its host.
    fn ends_host(&mut self, pieces: &[Piece]) -> Result<bool, String> {
        let parts: Vec<Part> = pieces.iter().map(|piece| piece.part.clone()).collect();
        Ok(host_end(&self.resolve_all(&parts)?).is_some())
    }

    fn session(&mut self) -> Arc<Session> {
        let scope = self.scope;
        Arc::clone(self.session.get_or_insert_with(|| Session::new(scope)))
    }

    /// Counts what was computed against the limit; copies are bounded by the size of the event.
    fn computed(&mut self, template: &Template, filled: &Params) -> Result<(), String> {
        if template.only_copies() {
            return Ok(());
        }
        self.output_bytes += size(filled);
        if self.output_bytes > MAX_OUTPUT_BYTES { Err(too_large()) } else { Ok(()) }
    }
}

fn within(place: &str, error: RenderError) -> RenderError {
    RenderError { pointer: [place, &error.pointer].concat(), ..error }
}

/// Refuses a value that its place cannot take.
fn check(value: &Params, escape: Escape) -> Result<(), String> {
    match value {
        _ if escape != Escape::Path => Ok(()),
        // The author's own.
        Params::Secret(_) => Ok(()),
        Params::Data(Json::String(text)) => escape.check(text),
        Params::Data(data) => escape.check(&data.to_string()),
        Params::List(_) | Params::Map(_) | Params::Template(_) => escape.check("/"),
    }
}

/// A piece of a text, and how the value of a reference in it is encoded for its place.
struct Piece {
    part: Part,
    escape: Escape,
}

impl Piece {
    /// What the author wrote into the text itself is already as it should be.
    fn author(part: Part) -> Self {
        Self { part, escape: Escape::None }
    }
}

/// A value in the middle of a text: text as it is, all else as JSON.
fn in_text(value: Params, escape: Escape) -> Result<Vec<Piece>, String> {
    let literal = |text: &str| vec![Piece { part: Part::Literal(escape.text(text)), escape }];
    let piece = |part| Piece { part: escaped_part(part, escape), escape };
    match value {
        Params::Data(Json::String(text)) => Ok(literal(&text)),
        Params::Data(data) => Ok(literal(&data.to_string())),
        Params::Secret(parts) => Ok(parts.into_iter().map(piece).collect()),
        other => match other.literal() {
            Some(data) => Ok(literal(&data.to_string())),
            None => Err("a list or map with a secret in it cannot be put into a text".to_owned()),
        },
    }
}

fn escaped_part(part: Part, escape: Escape) -> Part {
    match part {
        Part::Literal(text) => Part::Literal(escape.text(&text)),
        reference @ Part::Reference(_) => reference,
    }
}

fn escaped(value: Params, escape: Escape) -> Params {
    match value {
        Params::Data(data) => Params::Data(escape.json(data)),
        Params::Secret(parts) => {
            Params::Secret(parts.into_iter().map(|part| escaped_part(part, escape)).collect())
        }
        Params::List(items) => Params::List(items.into_iter().map(|item| escaped(item, escape)).collect()),
        Params::Map(members) => {
            Params::Map(members.into_iter().map(|(key, value)| (key, escaped(value, escape))).collect())
        }
        template @ Params::Template(_) => template,
    }
}

/// A value where a text is wanted becomes its JSON; `null` stays, and is refused.
fn typed(value: Params, ty: ParamType) -> Params {
    let texts = matches!(ty, ParamType::String | ParamType::Path | ParamType::SlackText | ParamType::Html);
    match value {
        Params::Data(data) if texts && !matches!(data, Json::String(_) | Json::Null) => {
            Params::Data(data.to_string().into())
        }
        other => other,
    }
}

fn check_url(url: &Json) -> Result<(), String> {
    match url.as_str().and_then(dot_segment) {
        Some(segment) => Err(format!("the path of the URL would have the segment `{segment}`")),
        None => Ok(()),
    }
}

fn size(params: &Params) -> usize {
    match params {
        Params::Data(data) => json_size(data),
        Params::Secret(parts) => shown(parts).len(),
        Params::Template(_) => 0,
        Params::List(items) => items.iter().map(size).sum::<usize>() + items.len(),
        Params::Map(members) => members.iter().map(|(key, value)| key.len() + size(value)).sum(),
    }
}

fn json_size(json: &Json) -> usize {
    match json {
        Json::Null | Json::Bool(_) => 4,
        Json::Number(number) => number.text().len(),
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(json_size).sum::<usize>() + items.len(),
        Json::Object(object) => object.iter().map(|(key, value)| key.len() + json_size(value)).sum(),
    }
}
