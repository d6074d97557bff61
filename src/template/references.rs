//! What parameters would use, found without filling them in: references and authorities.

use super::compile::{Body, Segment, Template};
use super::jinja::vars_steps;
use super::path::View;
use super::{Params, Vars};
use crate::json::Json;
use crate::secret::{Part, Reference, Resolve};
use std::collections::BTreeSet;
use url::{Host, Url};

/// The schemes of the URLs that actions go to, each with its port.
const PORTS: [(&str, u16); 5] =
    [("http", 80), ("https", 443), ("smtp", 587), ("smtps", 465), ("smtp+plain", 25)];

/// The dotted names that a template uses.
pub(super) fn names(template: &Template) -> BTreeSet<String> {
    match &template.body {
        Body::Reference(_) => BTreeSet::new(),
        Body::Value(hole) => hole.names(),
        Body::Text(segments) => segments
            .iter()
            .filter_map(|segment| match segment {
                Segment::Hole(hole) => Some(hole.names()),
                Segment::Literal(_) | Segment::Reference(_) => None,
            })
            .flatten()
            .collect(),
        Body::Block(block) => block.undeclared(true).into_iter().collect(),
    }
}

/// Whether a template of `params` reads a field of the event by its bare name.
pub(super) fn reads(params: &Params, field: &str) -> bool {
    match params {
        Params::Data(_) | Params::Secret(_) => false,
        Params::List(items) => items.iter().any(|item| reads(item, field)),
        Params::Map(members) => members.iter().any(|(_, value)| reads(value, field)),
        Params::Template(template) => {
            names(template).iter().any(|name| name.split(['.', '[']).next() == Some(field))
        }
    }
}

/// All references of `params`, and of the `vars` that its templates use.
pub(super) fn collect(params: &Params, vars: &Vars, found: &mut BTreeSet<Reference>) {
    match params {
        Params::Data(_) => {}
        Params::Secret(parts) => found.extend(parts.iter().filter_map(reference).cloned()),
        Params::List(items) => items.iter().for_each(|item| collect(item, vars, found)),
        Params::Map(members) => members.iter().for_each(|(_, value)| collect(value, vars, found)),
        Params::Template(template) => {
            own(template, found);
            names(template).iter().for_each(|name| below(name, vars, found));
        }
    }
}

fn reference(part: &Part) -> Option<&Reference> {
    match part {
        Part::Reference(reference) => Some(reference),
        Part::Literal(_) => None,
    }
}

/// The references that stand in the template itself.
fn own(template: &Template, found: &mut BTreeSet<Reference>) {
    match &template.body {
        Body::Reference(reference) => {
            found.insert(reference.clone());
        }
        Body::Text(segments) => found.extend(segments.iter().filter_map(|segment| match segment {
            Segment::Reference(reference) => Some(reference.clone()),
            Segment::Literal(_) | Segment::Hole(_) => None,
        })),
        Body::Block(block) => found.extend(block.references().iter().filter_map(reference).cloned()),
        Body::Value(_) => {}
    }
}

/// All references at and below the place in `vars` that a name leads to, as far as it is there.
fn below(name: &str, vars: &Vars, found: &mut BTreeSet<Reference>) {
    let Some(steps) = vars_steps(name) else { return };
    let mut view = View::Params(vars.params());
    for step in &steps {
        let Some(next) = view.child(step) else { return };
        view = next;
    }
    collect(&view.to_params(), vars, found);
}

/// The authorities of all texts that begin as URLs do.
pub(super) fn authorities(params: &Params, resolver: &dyn Resolve, found: &mut BTreeSet<String>) {
    match params {
        Params::Data(data) => data_authorities(data, found),
        Params::Secret(parts) => found.extend(authority_in(&resolved(parts, resolver))),
        Params::List(items) => items.iter().for_each(|item| authorities(item, resolver, found)),
        Params::Map(members) => members.iter().for_each(|(_, value)| authorities(value, resolver, found)),
        Params::Template(template) => {
            // A hole right behind `https://host` could go on with the host or the port.
            let begin = resolved(&prefix(template), resolver);
            found.extend(super::escape::host_end(&begin).and_then(|_| authority_in(&begin)));
        }
    }
}

fn data_authorities(data: &Json, found: &mut BTreeSet<String>) {
    match data {
        Json::String(text) => found.extend(authority_in(text)),
        Json::Array(items) => items.iter().for_each(|item| data_authorities(item, found)),
        Json::Object(object) => object.iter().for_each(|(_, value)| data_authorities(value, found)),
        _ => {}
    }
}

/// What stands before the first hole.
fn prefix(template: &Template) -> Vec<Part> {
    let Body::Text(segments) = &template.body else { return Vec::new() };
    let parts = segments.iter().map_while(|segment| match segment {
        Segment::Literal(text) => Some(Part::Literal(text.clone())),
        Segment::Reference(reference) => Some(Part::Reference(reference.clone())),
        Segment::Hole(_) => None,
    });
    parts.collect()
}

fn resolved(parts: &[Part], resolver: &dyn Resolve) -> String {
    let piece = |part: &Part| match part {
        Part::Literal(text) => Some(text.clone()),
        Part::Reference(reference) => Some(resolver.resolve(reference).ok()?.expose().to_owned()),
    };
    parts.iter().map(piece).collect::<Option<String>>().unwrap_or_default()
}

fn authority_in(text: &str) -> Option<String> {
    let (scheme, _) = text.split_once("://")?;
    if !PORTS.iter().any(|(known, _)| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    authority(&Url::parse(text).ok()?)
}

/// The host and port that a URL leads to, `crm.example:443`. Another port is another server,
/// so what a script may reach is compared by both.
pub(crate) fn authority(url: &Url) -> Option<String> {
    let (host, port) = endpoint(url)?;
    Some(format!("{host}:{port}"))
}

/// The host and port that a URL leads to, for the schemes in [`PORTS`]. The port is the scheme's
/// if none is written; a dot at the end of a name only says that it is absolute.
pub(crate) fn endpoint(url: &Url) -> Option<(Host, u16)> {
    let (_, default) = PORTS.iter().find(|(scheme, _)| *scheme == url.scheme())?;
    let host = url.host_str()?;
    // Only of `http` and `https` does `url` read hosts; elsewhere it takes any text for a name.
    let host = Host::parse(host.strip_suffix('.').unwrap_or(host)).ok()?;
    Some((host, url.port().unwrap_or(*default)))
}
