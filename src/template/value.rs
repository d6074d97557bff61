//! The event and `vars` as minijinja values, made lazily, and minijinja values as parameters.

use super::Params;
use super::path::{Path, Step, View};
use super::session::{Root, Session};
use crate::event::is_seen;
use crate::json::{Json, Number};
use crate::secret::Part;
use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use std::fmt;
use std::sync::Arc;

/// The names a template sees: `event`, its fields, `vars`.
#[derive(Debug)]
pub(super) struct Names(pub Arc<Session>);

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let node = |root| Node { session: Arc::clone(&self.0), root, steps: Vec::new() };
        match name {
            "event" => Some(Value::from_object(node(Root::Event))),
            "vars" => Some(Value::from_object(node(Root::Vars))),
            _ if is_seen(name) => Arc::new(node(Root::Event)).get_value(key),
            _ => None,
        }
    }
}

/// A list or map within the event or `vars`.
#[derive(Clone, Debug)]
pub(super) struct Node {
    session: Arc<Session>,
    root: Root,
    steps: Vec<Step>,
}

impl Node {
    fn view(&self) -> View<'_> {
        self.session.view(self.root, &self.steps).expect("a node is made only for a place that is there")
    }

    /// What an author would write for it.
    fn path(&self) -> Path {
        let root = (self.root == Root::Vars).then(|| Step::Key("vars".into()));
        Path(root.into_iter().chain(self.steps.iter().cloned()).collect())
    }

    fn child(self: &Arc<Self>, step: Step) -> Option<Value> {
        let Some(view) = self.view().child(&step) else {
            self.session.note_missing(self.view().missing(&self.path(), &step));
            return None;
        };
        Some(match view {
            View::Json(Json::Null) | View::Params(Params::Data(Json::Null)) => Value::from(()),
            View::Json(json) | View::Params(Params::Data(json)) => self.scalar(json, step),
            View::Params(Params::Secret(parts)) => Value::from_object(Hidden(self.session.mention(parts))),
            View::Params(_) => self.below(step),
        })
    }

    fn scalar(&self, json: &Json, step: Step) -> Value {
        match json {
            Json::Null => Value::from(()),
            Json::Bool(flag) => Value::from(*flag),
            Json::String(text) => Value::from(text.as_str()),
            Json::Number(number) => number_value(number),
            Json::Array(_) | Json::Object(_) => self.below(step),
        }
    }

    fn below(&self, step: Step) -> Value {
        let mut node = self.clone();
        node.steps.push(step);
        Value::from_object(node)
    }
}

impl Object for Node {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        if self.view().length().is_some() { ObjectRepr::Seq } else { ObjectRepr::Map }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some(name) => self.child(Step::Key(name.into())),
            None => self.child(Step::Index(key.as_usize()?)),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match (self.view().keys(), self.view().length()) {
            (Some(keys), _) => Enumerator::Values(keys.into_iter().map(Value::from).collect()),
            (None, Some(length)) => Enumerator::Seq(length),
            (None, None) => Enumerator::NonEnumerable,
        }
    }

    /// As JSON, numbers as they were written; a secret is its marker.
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.view() {
            View::Json(json) => fmt::Display::fmt(json, f),
            View::Params(params) => fmt::Display::fmt(&marked(params, &self.session), f),
        }
    }
}

/// `params` with markers for its secrets.
fn marked(params: &Params, session: &Session) -> Json {
    match params {
        Params::Data(data) => data.clone(),
        Params::Secret(parts) => session.mention(parts).into(),
        Params::Template(_) => Json::Null,
        Params::List(items) => Json::Array(items.iter().map(|item| marked(item, session)).collect()),
        Params::Map(members) => {
            Json::object(members.iter().map(|(key, value)| (key.clone(), marked(value, session))))
        }
    }
}

/// A secret: prints its marker and can do nothing else.
#[derive(Debug)]
struct Hidden(String);

impl Object for Hidden {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An integer past 64 bits: prints its text and refuses arithmetic.
#[derive(Debug)]
struct Big(Number);

impl Object for Big {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.text())
    }
}

fn number_value(number: &Number) -> Value {
    match (number.as_i64(), number.as_u64()) {
        (Some(integer), _) => Value::from(integer),
        (None, Some(integer)) => Value::from(integer),
        (None, None) if number.is_integer() => Value::from_object(Big(number.clone())),
        (None, None) => Value::from(number.as_f64()),
    }
}

/// What a template's expression yielded.
///
/// # Errors
/// A number that JSON does not have, a function, a mangled secret.
pub(super) fn to_params(value: &Value, session: &Session) -> Result<Params, String> {
    convert(value, Some(session))
}

/// `value` as JSON text, exactly; a secret in it is its marker.
pub(super) fn to_json_text(value: &Value) -> Result<String, String> {
    let json = convert(value, None)?.literal().ok_or("a secret is no JSON")?;
    Ok(json.to_string())
}

/// With a session markers become secrets again, without one they stay.
fn convert(value: &Value, session: Option<&Session>) -> Result<Params, String> {
    if let Some(node) = value.downcast_object_ref::<Node>() {
        return Ok(match (node.view(), session) {
            (View::Params(params), None) => Params::Data(marked(params, &node.session)),
            (view, _) => view.to_params(),
        });
    }
    if let Some(big) = value.downcast_object_ref::<Big>() {
        return Ok(Params::Data(Json::Number(big.0.clone())));
    }
    match value.kind() {
        ValueKind::Undefined => Err(undefined(session)),
        ValueKind::None => Ok(Params::Data(Json::Null)),
        ValueKind::Bool => Ok(Params::Data(Json::Bool(value.is_true()))),
        ValueKind::Number => number(value).map(|number| Params::Data(Json::Number(number))),
        ValueKind::Map => members(value, session),
        ValueKind::Seq | ValueKind::Iterable => items(value, session).map(Params::List),
        ValueKind::String => string(&value.to_string(), session),
        _ if value.downcast_object_ref::<Hidden>().is_some() => string(&value.to_string(), session),
        kind => Err(format!("a {kind} is no value for a parameter")),
    }
}

fn undefined(session: Option<&Session>) -> String {
    session.and_then(Session::take_missing).unwrap_or_else(|| "the value is undefined".to_owned())
}

fn string(found: &str, session: Option<&Session>) -> Result<Params, String> {
    match session {
        Some(session) => session.split(found).map(text),
        None => Ok(Params::Data(found.into())),
    }
}

/// The parameter of a text: data if there is no secret in it.
pub(super) fn text(parts: Vec<Part>) -> Params {
    let literal = |part: &Part| match part {
        Part::Literal(text) => Some(text.clone()),
        Part::Reference(_) => None,
    };
    match parts.iter().map(literal).collect::<Option<String>>() {
        Some(text) => Params::Data(text.into()),
        None => Params::Secret(parts),
    }
}

fn number(value: &Value) -> Result<Number, String> {
    if value.is_integer() {
        return Number::parse(&value.to_string()).ok_or_else(|| format!("{value} is no JSON number"));
    }
    let float = f64::try_from(value.clone()).map_err(|error| error.to_string())?;
    Number::from_f64(float).ok_or_else(|| format!("{value} is no JSON number"))
}

fn items(value: &Value, session: Option<&Session>) -> Result<Vec<Params>, String> {
    let items = value.try_iter().map_err(|error| error.to_string())?;
    items.map(|item| convert(&item, session)).collect()
}

fn members(value: &Value, session: Option<&Session>) -> Result<Params, String> {
    let keys = value.try_iter().map_err(|error| error.to_string())?;
    let member = |key: Value| {
        let item = value.get_item(&key).map_err(|error| error.to_string())?;
        Ok((key.to_string(), convert(&item, session)?))
    };
    keys.map(member).collect::<Result<_, String>>().map(Params::Map)
}
