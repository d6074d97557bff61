//! minijinja's side: expressions and block templates, compiled strictly and evaluated in bounds.

use super::Params;
use super::compile::Problem;
use super::escape::Escape;
use super::names::{check_filters, check_names, hyphen_hint};
use super::path::{Path, Step, View};
use super::session::{Root, Session};
use super::value::{Names, to_json_text, to_params};
use crate::event::is_seen;
use crate::secret::Part;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Expression, UndefinedBehavior, Value};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, OnceLock};

/// Steps that one template may take.
const FUEL: u64 = 100_000;
/// Bytes that a template may fill in, and all of one action's templates together.
pub(super) const MAX_OUTPUT_BYTES: usize = 1 << 20;
/// What stands for the references of a block template.
pub(super) const SECRETS: &str = "__secrets";

/// What stands between `{{` and `}}`.
pub(super) struct Hole {
    pub source: String,
    kind: HoleKind,
}

enum HoleKind {
    /// Only a path: the value is copied exactly.
    Path(Path),
    Expression(Expression<'static, 'static>),
}

impl Hole {
    /// Compiles an expression and looks at all its names.
    pub fn compile(source: &str) -> Result<Self, Problem> {
        hyphen_hint(source)?;
        let expression = environment()
            .compile_expression_owned(source.to_owned())
            .map_err(|error| Problem::new(explain(&error)))?;
        check_names(&expression.undeclared_variables(false))?;
        check_filters(source)?;
        let known = |path: &Path| matches!(path.first(), "event" | "vars") || is_seen(path.first());
        let kind = match Path::parse(source).filter(known) {
            Some(path) => HoleKind::Path(path),
            None => HoleKind::Expression(expression),
        };
        Ok(Self { source: source.to_owned(), kind })
    }

    /// Whether it only copies.
    pub fn is_path(&self) -> bool {
        matches!(self.kind, HoleKind::Path(_))
    }

    /// The dotted names it uses.
    pub fn names(&self) -> BTreeSet<String> {
        match &self.kind {
            HoleKind::Path(path) => [path.to_string()].into(),
            HoleKind::Expression(expression) => expression.undeclared_variables(true).into_iter().collect(),
        }
    }

    /// Its value, and whether it was marked `|safe`.
    pub fn evaluate(&self, session: &Arc<Session>) -> Result<(Params, bool), String> {
        match &self.kind {
            HoleKind::Path(path) => Ok((walk(path, session)?, false)),
            HoleKind::Expression(expression) => {
                session.take_missing();
                let names = Value::from_object(Names(Arc::clone(session)));
                let value = expression.eval(names).map_err(|error| failure(&error, session, &self.source))?;
                Ok((to_params(&value, session)?, value.is_safe()))
            }
        }
    }
}

/// The value at a path, exactly as it is.
fn walk(path: &Path, session: &Session) -> Result<Params, String> {
    let (root, from) = match path.first() {
        "vars" => (Root::Vars, 1),
        "event" => (Root::Event, 1),
        _ => (Root::Event, 0),
    };
    let mut view = session.view(root, &[]).ok_or("the event is empty")?;
    for (index, step) in path.0.iter().enumerate().skip(from) {
        let Some(below) = View::child(view, step) else {
            return Err(view.missing(&Path(path.0[..index].to_vec()), step));
        };
        view = below;
    }
    Ok(view.to_params())
}

/// A text with statements, comments or trimming holes: rendered as a whole.
pub(super) struct Block {
    environment: Environment<'static>,
    /// What `__secrets[n]` stands for.
    references: Vec<Part>,
}

impl Block {
    pub const NAME: &'static str = "template";

    /// `source` has `{{ __secrets[n] }}` where the reference `n` stands.
    pub fn compile(source: String, references: Vec<Part>, escape: Escape) -> Result<Self, Problem> {
        let mut environment = strict();
        environment.set_formatter(move |out, _, value| {
            let text = if value.is_none() { "null".to_owned() } else { shown(value) };
            Ok(out.write_str(&if value.is_safe() { text } else { escape.text(&text) })?)
        });
        environment.add_template_owned(Self::NAME, source).map_err(|error| Problem::new(explain(&error)))?;
        let block = Self { environment, references };
        check_names(&block.undeclared(false))?;
        Ok(block)
    }

    /// What goes into the source for the reference `index`.
    pub fn placeholder(index: usize) -> String {
        format!("{{{{ {SECRETS}[{index}] }}}}")
    }

    /// The references that stand beside the template's own text.
    pub fn references(&self) -> &[Part] {
        &self.references
    }

    pub fn undeclared(&self, nested: bool) -> std::collections::HashSet<String> {
        let template = self.environment.get_template(Self::NAME);
        template.map(|template| template.undeclared_variables(nested)).unwrap_or_default()
    }

    pub fn evaluate(&self, session: &Arc<Session>) -> Result<Params, String> {
        session.take_missing();
        let markers: Vec<_> =
            self.references.iter().map(|part| session.mention(std::slice::from_ref(part))).collect();
        let secrets = Value::from_pairs([(SECRETS, Value::from(markers))]);
        let names = minijinja::value::merge_maps([secrets, Value::from_object(Names(Arc::clone(session)))]);
        let template = self.environment.get_template(Self::NAME).map_err(|error| explain(&error))?;
        let mut out = Capped(Vec::new());
        template
            .render_captured_to(names, &mut out)
            .map_err(|error| failure(&error, session, "the template"))?;
        let text = String::from_utf8(out.0).map_err(|error| error.to_string())?;
        session.split(&text).map(super::value::text)
    }
}

/// A value in a text: decimals in the spelling of JSON.
fn shown(value: &Value) -> String {
    let float =
        (value.is_number() && !value.is_integer()).then(|| f64::try_from(value.clone()).ok()).flatten();
    match float.and_then(crate::json::Number::from_f64) {
        Some(number) => number.text().to_owned(),
        None => value.to_string(),
    }
}

/// Takes so much and no more.
struct Capped(Vec<u8>);

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT_BYTES {
            return Err(io::Error::other(too_large()));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn too_large() -> String {
    format!("the templates fill in more than {MAX_OUTPUT_BYTES} bytes")
}

pub(super) fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(strict)
}

fn strict() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_debug(false);
    environment.remove_global("debug");
    // minijinja's own would turn large integers into text and drop the zeros of decimals.
    environment.add_filter("tojson", |value: Value| {
        to_json_text(&value).map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error))
    });
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
    environment
}

/// minijinja's error as a sentence, without its invented file name.
fn explain(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

fn failure(error: &minijinja::Error, session: &Session, source: &str) -> String {
    use std::error::Error as _;
    match error.kind() {
        ErrorKind::OutOfFuel => format!("`{source}` takes more than {FUEL} steps"),
        ErrorKind::UndefinedError => {
            session.take_missing().unwrap_or_else(|| format!("a value in `{source}` is undefined"))
        }
        ErrorKind::WriteFailure => too_large(),
        _ => match error.source() {
            Some(cause) => format!("`{source}`: {}: {cause}", explain(error)),
            None => format!("`{source}`: {}", explain(error)),
        },
    }
}

/// The steps below `vars` of a dotted name that begins with it.
pub(super) fn vars_steps(name: &str) -> Option<Vec<Step>> {
    let path = Path::parse(name)?;
    (path.first() == "vars").then(|| path.0[1..].to_vec())
}
