//! Definition files for the Rhai language server: what a script can call and read, documented.
//!
//! The format is that of [Rhai's own generator](https://rhai.rs/book/engine/metadata/definitions.html):
//! `module static;` for what has no module, `module kv;` for what is called as `kv::get(…)`.

use super::functions::{self, Function};
use super::{KINDS, UserKind};
use crate::action;
use crate::event::{DOCUMENT, Field};
use crate::registry::Param;
use rhai::Engine;
use rhai::packages::{Package, StandardPackage};
use std::collections::{BTreeMap, BTreeSet};

/// How each file begins: one that does not is another's.
pub const MARK: &str = "// Made by `hookyard kinds --rhai-definitions`";

/// Of the language itself; the engine does not list them.
const WORDS: &[&str] = &["fn print(value: ?);", "fn debug(value: ?);", "fn type_of(value: ?) -> String;"];

/// Name and text of each file. `user`: the action kinds that scripts define.
pub fn definitions(user: &[UserKind]) -> BTreeMap<String, String> {
    let mut modules: BTreeMap<&str, String> = BTreeMap::new();
    for row in functions::table() {
        modules.entry(row.module).or_default().push_str(&function(row));
    }
    let global = modules.remove("").unwrap_or_default();
    let mut files = BTreeMap::from([
        file("hookyard", "static", &[types(), variables(), global].concat()),
        file("actions", "static", &actions(user)),
        file("rhai", "static", &rhais_own()),
    ]);
    files.extend(modules.into_iter().map(|(module, text)| file(module, module, &text)));
    files
}

fn file(name: &str, module: &str, text: &str) -> (String, String) {
    (format!("{name}.d.rhai"), format!("{MARK}: what is changed here is lost.\nmodule {module};\n{text}"))
}

/// A definition below its documentation.
fn item(docs: &str, definition: &str) -> String {
    let docs: String = docs.lines().map(|line| format!("/// {line}").trim_end().to_owned() + "\n").collect();
    format!("\n{docs}{definition}\n")
}

fn types() -> String {
    let time = "An instant, exact to the nanosecond; it prints as RFC 3339 in UTC.";
    let duration = "A length of time; it prints as it is written in rules: `1h 30m`.";
    [item(time, "type Time = ?;"), item(duration, "type Duration = ?;")].concat()
}

fn variables() -> String {
    let field = |Field { name, summary, .. }: &Field| format!("* `{name}`: {summary}\n");
    let fields: String = DOCUMENT.iter().map(field).collect();
    let event = format!(
        "The event, the first parameter of `on_event`. What a sender left out is absent: read it with \
         `event.get(\"metadata.team\", \"none\")`.\n\n{fields}"
    );
    let params = "The second parameter of `on_event`: `params` of the `script` action, or the parameters of the \
                  action kind that the file is.";
    let vars =
        "What stands under `vars:` in the rules, in every function. A secret in it can only be passed on.";
    let variables = [(&*event, "let event: Map;"), (params, "let params: Map;"), (vars, "const vars: Map;")];
    variables.iter().map(|(docs, variable)| item(docs, variable)).collect()
}

fn function(row: &Function) -> String {
    let gives = match row.gives {
        "" => String::new(),
        json => format!(" // {json}"),
    };
    let docs = format!("{}\n\n```rhai\n{}{gives}\n```", row.summary, row.example);
    let typed = |(name, ty): (&str, &str)| format!("{name}: {}", rhai_type(ty));
    let parameters: Vec<_> = row.parameters().map(typed).collect();
    let returned = rhai_type(row.returns());
    item(&docs, &format!("fn {}({}) -> {returned};", row.name(), parameters.join(", ")))
}

/// A type of the table as the language server knows it.
fn rhai_type(ty: &str) -> &str {
    match ty {
        "list" => "Array",
        "map" => "Map",
        "any" => "?",
        same => same,
    }
}

fn actions(user: &[UserKind]) -> String {
    let built_in = action::KINDS.iter().map(|row| action(row.name, row.summary, row.schema));
    let scripts = KINDS.iter().map(|row| action(row.name, row.summary, row.schema));
    let user = user.iter().map(|kind| {
        let summary = format!("{}\n\nDefined in {}.", kind.summary, kind.file);
        action(&kind.name, &summary, &kind.schema())
    });
    built_in.chain(scripts).chain(user).collect()
}

fn action(name: &str, summary: &str, schema: &[Param<'_>]) -> String {
    let parameter = |param: &Param<'_>| {
        let required = if param.required { ", required" } else { "" };
        let colon = if param.summary.is_empty() { "" } else { ": " };
        format!("`{}` ({}{required}){colon}{}", param.name, param.ty.name(), param.summary)
    };
    let beside = [
        format!("`name` (string): The name of the effect; `{name}-1`, `{name}-2`, … by default."),
        "`after` (duration): How long it waits before it goes out.".to_owned(),
    ];
    let lines = schema.iter().map(parameter).chain(beside);
    let lines: String = lines.map(|line| format!("* {line}\n")).collect();
    let docs = format!("{summary}\n\nAn effect: it goes out if the run ends well.\n\n{lines}");
    item(&docs, &format!("fn {name}(parameters: Map) -> ();"))
}

/// Rhai's own functions by name, so that the language server knows that they are there.
fn rhais_own() -> String {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    let each = |name: &str, count: usize| {
        // `get$…` is a field; `sleep` is refused.
        let callable = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name != "sleep";
        callable.then(|| (name.to_owned(), count))
    };
    let functions = engine.collect_fn_metadata(
        None,
        |function| each(&function.metadata.name, function.metadata.num_params),
        true,
    );
    let functions: BTreeSet<_> = functions.into_iter().collect();
    let define = |(name, count): &(String, usize)| {
        let parameters = vec!["_: ?"; *count].join(", ");
        format!("fn {name}({parameters}) -> ?;\n")
    };
    let about = "\n// Rhai's own, described at https://rhai.rs/book/.\n".to_owned();
    let words = WORDS.iter().map(|word| format!("{word}\n"));
    [about].into_iter().chain(words).chain(functions.iter().map(define)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::tests::kit;
    use crate::script::{Limits, Scripts};

    const CHAT: &str = r#"
const ACTION = #{ name: "chat", summary: "Posts to the chat.", params: #{ url: "url", text: "template? What to say." } };
fn on_event(event, params) { http(#{ url: params.url, json: #{ text: params.text } }); }
"#;

    fn with_chat() -> BTreeMap<String, String> {
        let files = [("actions/chat.rhai".to_owned(), CHAT.into())].into();
        let (vars, resolver) = (kit::vars().into(), kit::resolver());
        let (scripts, problems) =
            Scripts::compile(&files, &vars, &resolver, Limits::default(), &kit::context());
        assert_eq!(problems, []);
        definitions(&scripts.user_kinds().cloned().collect::<Vec<_>>())
    }

    #[test]
    fn a_module_is_a_file_with_the_documentation_of_its_functions() {
        let files = definitions(&[]);
        let log = r#"// Made by `hookyard kinds --rhai-definitions`: what is changed here is lost.
module log;

/// Writes a line into hookyard's log, at level `debug`.
///
/// ```rhai
/// log::debug("looked at")
/// ```
fn debug(value: ?) -> ();
"#;
        assert!(files["log.d.rhai"].starts_with(log), "{}", files["log.d.rhai"]);
        let hookyard = &files["hookyard.d.rhai"];
        let get = "/// ```rhai\n/// #{a: #{b: 1}}.get(\"a.c\", \"none\") // \"none\"\n/// ```\n\
                   fn get(map: Map, path: String, absent: ?) -> ?;\n";
        assert!(hookyard.contains(get), "{hookyard}");
        assert!(hookyard.contains("\nfn seconds(duration: Duration) -> int;\n"), "{hookyard}");
    }

    #[test]
    fn an_action_kind_is_a_function_with_its_parameters() {
        let actions = &with_chat()["actions.d.rhai"];
        let chat = "
/// Posts to the chat.
///
/// Defined in actions/chat.rhai.
///
/// An effect: it goes out if the run ends well.
///
/// * `text` (string): What to say.
/// * `url` (url, required)
/// * `name` (string): The name of the effect; `chat-1`, `chat-2`, … by default.
/// * `after` (duration): How long it waits before it goes out.
fn chat(parameters: Map) -> ();
";
        assert!(actions.ends_with(chat), "{actions}");
        for name in action::KINDS.iter().map(|row| row.name).chain(KINDS.iter().map(|row| row.name)) {
            assert!(actions.contains(&format!("\nfn {name}(parameters: Map) -> ();\n")), "{name}: {actions}");
        }
    }

    #[test]
    fn every_function_of_the_table_and_every_variable_is_in_it() {
        let files = definitions(&[]);
        for row in functions::table() {
            let name = if row.module.is_empty() { "hookyard" } else { row.module };
            let text = &files[&format!("{name}.d.rhai")];
            assert!(text.contains(&function(row)) && text.contains(row.summary), "{}", row.signature);
        }
        for variable in ["let event: Map;", "let params: Map;", "const vars: Map;"] {
            assert!(files["hookyard.d.rhai"].contains(&format!("\n{variable}\n")), "{variable}");
        }
        for field in DOCUMENT {
            assert!(files["hookyard.d.rhai"].contains(&format!("/// * `{}`: {}", field.name, field.summary)));
        }
        for own in ["fn print(value: ?);", "fn to_upper(_: ?) -> ?;", "fn split(_: ?, _: ?) -> ?;"] {
            assert!(files["rhai.d.rhai"].contains(own), "{own}");
        }
        assert!(!files["rhai.d.rhai"].contains("fn sleep"));
    }

    /// The shapes that the language server's grammar has, a definition a line.
    #[test]
    fn every_line_is_one_that_the_language_server_reads() {
        let types = regex::Regex::new(r"^(\?|\(\)|[A-Za-z]+)$").unwrap();
        let word =
            |word: &str| rhai::Engine::new().compile(format!("let {word} = 1;")).is_ok() || word == "_";
        for (file, text) in with_chat() {
            let mut lines = text.lines();
            assert!(lines.next().unwrap().starts_with(MARK), "{file}");
            assert!(lines.next().unwrap().starts_with("module "), "{file}");
            for line in lines.filter(|line| !line.is_empty() && !line.starts_with("//")) {
                let line = line.strip_suffix(';').expect(line);
                let Some(function) = line.strip_prefix("fn ") else {
                    let names = ["type Time = ?", "type Duration = ?"];
                    let variables = ["let event: Map", "let params: Map", "const vars: Map"];
                    assert!(names.contains(&line) || variables.contains(&line), "{file}: {line}");
                    continue;
                };
                let (parameters, returned) =
                    function.split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect(line);
                assert!(returned.is_empty() || types.is_match(returned.strip_prefix(" -> ").unwrap()));
                for parameter in parameters.split(", ").filter(|parameter| !parameter.is_empty()) {
                    let (name, ty) = parameter.split_once(": ").expect(line);
                    assert!(word(name) && types.is_match(ty), "{file}: {line}");
                }
            }
        }
    }
}
