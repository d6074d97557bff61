//! The table of the standard library: what it says is what the engines have and give.

use super::kit::*;
use crate::action::ActionError;
use crate::json::Json;
use crate::script::functions::{Function, table};
use crate::script::{Limits, safer};
use rhai::packages::{Package, StandardPackage};
use rhai::{Array, Engine, FnPtr, ImmutableString};
use std::any::TypeId;
use std::collections::BTreeSet;

type Called = (String, String, usize);

fn called(row: &Function) -> Called {
    (row.module.to_owned(), row.name().to_owned(), row.parameters().count())
}

/// What an engine has besides operators and printing; a field counts as the function of its name.
fn registered(engine: &Engine, standard: bool) -> BTreeSet<Called> {
    let all = engine.collect_fn_metadata(
        None,
        |function| {
            let name = function.metadata.name.trim_start_matches("get$").to_owned();
            Some((function.namespace.to_string(), name, function.metadata.num_params))
        },
        standard,
    );
    // `sleep` is Rhai's own and refused; the kinds of actions have tables of their own.
    let others = ["to_string", "to_debug", "sleep", "note", "log", "script", "exec"];
    let is_other = |(module, name, _): &Called| module.is_empty() && others.contains(&name.as_str());
    let is_word = |name: &str| name.starts_with(char::is_alphabetic);
    all.into_iter().filter(|called| is_word(&called.1) && !is_other(called)).collect()
}

/// Those of Rhai's own that are replaced.
fn replaced() -> BTreeSet<Called> {
    let mut engine = Engine::new_raw();
    safer::register(&mut engine);
    registered(&engine, false)
}

#[test]
fn every_function_has_a_row_and_every_row_is_registered() {
    let scripts = loaded(&[], Limits::default());
    let own = |engine| registered(engine, false).difference(&replaced()).cloned().collect::<BTreeSet<_>>();
    let rows: BTreeSet<Called> = table().map(called).collect();
    assert_eq!(rows, own(&scripts.engine));
    let pure: BTreeSet<Called> = table().filter(|row| row.is_pure()).map(called).collect();
    assert_eq!(pure, own(&scripts.condition_engine));
}

/// With all types of arguments, so that none of them reaches Rhai's.
#[test]
fn what_is_replaced_is_there_with_the_same_arguments() {
    let types = |engine: &Engine, standard| -> BTreeSet<(String, Vec<TypeId>)> {
        let all = engine.collect_fn_metadata(
            None,
            |function| Some((function.metadata.name.to_string(), function.metadata.param_types.to_vec())),
            standard,
        );
        all.into_iter().collect()
    };
    let mut rhai = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut rhai);
    let mut safe = Engine::new_raw();
    safer::register(&mut safe);
    let (theirs, ours) = (types(&rhai, true), types(&safe, false));
    // Rhai prints lists and maps by one function for all types.
    let prints = |name: &str| ["print", "debug", "to_string", "to_debug"].contains(&name);
    let unknown: Vec<_> = ours.difference(&theirs).filter(|(name, _)| !prints(name)).collect();
    assert_eq!(unknown, Vec::<&(String, Vec<TypeId>)>::new());
    // A function, or on a list the name of one, is what runs within a function of Rhai's.
    let name = [TypeId::of::<Array>(), TypeId::of::<ImmutableString>()];
    let calls = |types: &[TypeId]| {
        types.len() > 1 && types.contains(&TypeId::of::<FnPtr>()) || types.starts_with(&name)
    };
    let left: Vec<_> = theirs.difference(&ours).filter(|(_, types)| calls(types)).collect();
    assert_eq!(left, Vec::<&(String, Vec<TypeId>)>::new());
}

#[test]
fn every_pure_example_gives_what_its_row_says_in_scripts_and_conditions() {
    let scripts = loaded(&[], Limits::default());
    let rows: Vec<_> = table().filter(|row| row.is_pure()).collect();
    let values = values(&rows.iter().map(|row| row.example).collect::<Vec<_>>());
    for (row, value) in rows.into_iter().zip(values) {
        assert_eq!(value.to_string(), json(row.gives).to_string(), "{}", row.example);
        let given = Json::from(format!("[{}]", row.gives));
        let condition = scripts.condition(&format!("[{}].to_json() == {given}", row.example));
        let condition = condition.unwrap_or_else(|error| panic!("{}: {error}", row.example));
        assert_eq!(condition.holds(&event()), Ok(true), "{}", row.example);
    }
}

#[test]
fn every_other_example_runs_and_is_for_scripts_only() {
    let scripts = loaded(&[], Limits::default());
    for row in table().filter(|row| !row.is_pure()) {
        let ended = body(&format!("{};", row.example));
        assert!(!matches!(ended, Err(ActionError::Blocked(_))), "{}: {ended:?}", row.example);
        let Err(error) = scripts.condition(&format!("{} == ()", row.example)) else {
            panic!("{} compiles in a condition", row.example)
        };
        // `debug` is a word of the language.
        let wanted = match row.name() {
            "debug" => "reserved keyword 'debug' is disabled".to_owned(),
            _ => format!("`{}` is for scripts only", row.path()),
        };
        assert_eq!(error.message, wanted);
    }
}

#[test]
fn signatures_can_be_read_by_machines() {
    let types = ["int", "float", "String", "bool", "list", "map", "any", "Time", "Duration", "()"];
    let word = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    for row in table() {
        let parameters: Vec<_> = row.parameters().collect();
        let list: Vec<_> = parameters.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        let (_, returned) = row.signature.rsplit_once(" -> ").expect(row.signature);
        assert_eq!(row.signature, format!("{}({}) -> {returned}", row.name(), list.join(", ")));
        assert!(types.contains(&returned), "{}", row.signature);
        assert!(parameters.iter().all(|(name, ty)| word(name) && types.contains(ty)), "{}", row.signature);
        assert!(word(row.name()) && word(row.module), "{}", row.signature);
        assert!(row.summary.ends_with('.') && !row.summary.contains("  "), "{}", row.summary);
        assert!(row.example.contains(row.name()), "{}", row.example);
    }
}

#[test]
fn no_function_hides_one_of_rhais_own_but_those_that_mend_it() {
    let mut rhai = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut rhai);
    let both: Vec<_> = registered(&rhai, true)
        .intersection(&table().map(called).collect())
        .map(|(_, name, count)| format!("{name}/{count}"))
        .collect();
    assert_eq!(both, ["get/2", "parse_json/1", "to_json/1"]);
}
