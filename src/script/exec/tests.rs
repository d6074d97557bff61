//! Real programs: what they get, how they end, what they ask for, and that nothing outlives them.

use super::*;
use crate::action::{Consent, Programs};
use crate::event::EventId;
use crate::headers::Headers;
use crate::script::tests::kit::{self, event, event_of, id, json};
use crate::script::{Limits, schema};
use crate::secret::Placeholders;
use crate::template::{Scope, Vars};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command as Shell, Stdio};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory with a program in it.
struct Bin {
    dir: tempfile::TempDir,
}

impl Bin {
    /// A program in sh. It is written by another process: had this one it open for writing while
    /// another test starts a program, that one's copy would make it "busy".
    fn with(script: &str) -> Self {
        let bin = Self { dir: tempfile::tempdir().unwrap() };
        let install = "cat >\"$0\" && chmod 755 \"$0\"";
        let mut shell =
            Shell::new("sh").args(["-c", install]).arg(bin.program()).stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
        bin
    }

    fn program(&self) -> PathBuf {
        self.dir.path().join("program")
    }

    /// Its parameters, with more.
    fn params(&self, more: &str) -> Json {
        params(&self.program().display().to_string(), more)
    }

    async fn deliver(&self, more: &str) -> Result<Receipt, ActionError> {
        deliver(&[&self.program().display().to_string()], &self.params(more)).await
    }

    async fn blocked(&self, more: &str) -> String {
        match self.deliver(more).await {
            Err(ActionError::Blocked(error)) => error,
            other => panic!("{other:?} is not blocked"),
        }
    }
}

fn params(program: &str, more: &str) -> Json {
    let Json::Object(mut all) = json(more) else { panic!("parameters are a map") };
    all.insert("program", program);
    Json::Object(all)
}

fn scripts(listed: &[&str]) -> Arc<Scripts> {
    let listed = Json::Array(listed.iter().map(|path| Json::from(*path)).collect());
    let programs: Programs = crate::registry::parse(&listed).unwrap();
    let limits = Limits { effects: 3, size: 4096, ..Limits::default() };
    let context = kit::context().with_programs(programs);
    let files = [("react.rhai".to_owned(), "fn on_event(event) {}".into())].into();
    Scripts::compile_with(kit::KINDS, &files, &Arc::new(kit::vars()), &kit::resolver(), limits, &context).0
}

/// The action as YAML makes it.
fn built(listed: &[&str], params: &Json) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
    let params = Params::compile(params, KIND.schema, &kit::vars())?;
    (KIND.build)(&scripts(listed), &params)
}

fn attempt(event: Event) -> Attempt {
    let none = Params::Data(json("{}"));
    let scope = Scope { event: &event, vars: &Vars::default(), resolver: &Placeholders };
    Attempt {
        id: id(),
        number: 1,
        params: none.render(scope).unwrap(),
        event: Arc::new(event),
        body: Default::default(),
        headers: Headers::default(),
        trace: crate::action::Trace::new(
            crate::headers::Headers::default(),
            crate::event::EventId::new(1, 2),
            1,
        ),
        consent: Consent::Author,
        script_consent: Consent::Author,
        state: Arc::new(crate::kv::Memory::default()),
        answers: None,
        heard: crate::action::Heard::default(),
    }
}

async fn deliver(listed: &[&str], params: &Json) -> Result<Receipt, ActionError> {
    built(listed, params).unwrap().deliver(&attempt(event())).await
}

/// What a program that is there anyway wrote.
async fn output(program: &str, args: &[&str], event: Event) -> String {
    let exec = Exec {
        scripts: scripts(&[]),
        program: program.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        effects: false,
    };
    String::from_utf8(exec.run(&attempt(event)).await.unwrap().output).unwrap()
}

#[tokio::test]
async fn the_event_is_one_line_of_standard_input() {
    assert_eq!(output("/bin/cat", &[], event()).await, format!("{}\n", event()));
    let bin = Bin::with("echo \"$1,$2,$3\"; echo second; read line; exit 0");
    let receipt = bin.deliver(r#"{"args":["a b; $(id) *",5,true]}"#).await.unwrap();
    assert_eq!((receipt.line.as_str(), receipt.effects.len()), ("a b; $(id) *,5,true", 0));
    assert_eq!(Bin::with("exit 0").deliver("{}").await.unwrap().line, "exit code 0");
}

#[tokio::test]
async fn the_environment_is_the_delivery_and_nothing_else() {
    let mut lines: Vec<_> = output("/usr/bin/env", &[], event()).await.lines().map(str::to_owned).collect();
    lines.sort();
    let event_id = EventId::new(1, 1);
    assert_eq!(
        lines,
        [
            format!("HOOKYARD_EVENT_DELIVERY={event_id}/rule/script"),
            format!("HOOKYARD_EVENT_ID={event_id}"),
            "HOOKYARD_EVENT_SOURCE=browser-use".to_owned(),
            "HOOKYARD_EVENT_STATUS=finished".to_owned(),
            "HOOKYARD_EVENT_TYPE=agent.task.status_update".to_owned(),
        ]
    );
    let unfit = event_of(&format!(
        r#"{{"source":"s","type":"a\u0000b","status":"{}","metadata":{{}},"headers":{{}},"payload":{{}}}}"#,
        "x".repeat(200_000)
    ));
    let shown = output("/usr/bin/env", &[], unfit).await;
    assert!(shown.contains("SOURCE=s") && !shown.contains("TYPE") && !shown.contains("STATUS"), "{shown}");
}

#[tokio::test]
async fn the_exit_code_decides() {
    let end = async |script: &str| match Bin::with(script).deliver("{}").await.unwrap_err() {
        ActionError::Retry { error, after: None } => format!("retry: {error}"),
        ActionError::Refused(error) => format!("dead: {error}"),
        other => panic!("{script}: {other:?}"),
    };
    for (script, kind, sentence) in [
        ("echo later >&2; exit 75", "retry: ", "program asks to be run again (75): later"),
        ("printf 'no\\033[1m\\nmore' >&2; exit 3", "dead: ", "program ended with exit code 3: no\\u{1b}[1m"),
        ("exit 1", "dead: ", "program ended with exit code 1"),
        ("kill -9 $$", "retry: ", "program was ended by signal: 9 (SIGKILL)"),
        ("kill $$", "retry: ", "program was ended by signal: 15 (SIGTERM)"),
    ] {
        let ended = end(script).await;
        assert!(ended.starts_with(kind) && ended.ends_with(sentence), "{script}: {ended}");
    }
}

#[tokio::test]
async fn pipes_that_nobody_reads_or_writes_break_nothing() {
    let large = "x".repeat(3 << 20);
    let document = r#"{"source":"s","metadata":{},"headers":{},"payload":{"x":"LARGE"}}"#;
    for script in ["exit 0", "exec <&-; exit 0", "exec >&- 2>&-; cat >/dev/null", "exec >&- 2>&- <&-; exit 0"]
    {
        let bin = Bin::with(script);
        let path = bin.program().display().to_string();
        let action = built(&[&path], &bin.params("{}")).unwrap();
        let sent = action.deliver(&attempt(event_of(&document.replace("LARGE", &large)))).await;
        assert_eq!(sent.expect(script).line, "exit code 0");
    }
}

#[tokio::test]
async fn too_much_output_ends_the_program_and_names_the_limit() {
    let flood = "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done";
    let error = Bin::with(flood).blocked("{}").await;
    assert!(error.ends_with("writes more than 1 MiB to its standard output, and was ended"), "{error}");
    let error = Bin::with(&format!("exec >&2; {flood}")).blocked("{}").await;
    assert!(error.ends_with("writes more than 64 KiB to its standard error, and was ended"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_started_waits_to_be_mended() {
    let bin = Bin::with("exit 0");
    let there = |name: &str| bin.dir.path().join(name).display().to_string();
    std::fs::write(there("data"), "text").unwrap();
    for (path, sentence) in [
        (there("gone"), "cannot be started: No such file"),
        (there("data"), "cannot be started: Permission denied"),
        (bin.dir.path().display().to_string(), "cannot be started: Permission denied"),
    ] {
        let error = deliver(&[&path], &params(&path, "{}")).await.unwrap_err();
        assert!(
            matches!(&error, ActionError::Blocked(error) if error.starts_with(&path) && error.contains(sentence)),
            "{error:?}"
        );
    }
}

/// Follows a pipe with a name that a program and its children hold open: told when one has written
/// a line into it, and when all of them are gone.
fn follow(pipe: PathBuf) -> (oneshot::Receiver<String>, oneshot::Receiver<()>) {
    assert!(Shell::new("mkfifo").arg(&pipe).status().unwrap().success());
    let ((say, said), (end, ended)) = (oneshot::channel(), oneshot::channel());
    // A test that has failed does not wait for it.
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(File::open(pipe).unwrap());
        let mut line = String::new();
        pipe.read_line(&mut line).unwrap();
        say.send(line).ok();
        pipe.read_to_end(&mut Vec::new()).unwrap();
        end.send(()).ok();
    });
    (said, ended)
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("not within 30 s")
}

/// As when its time is up, and as at a shutdown.
#[tokio::test]
async fn a_dropped_attempt_kills_grandchildren_too_and_leaves_no_zombie() {
    // The grandchild ignores what can be ignored.
    let script = "exec 3>\"$1\"; (trap '' TERM HUP; sleep 1000) & echo $$ >&3; wait";
    let bin = Bin::with(script);
    let pipe = bin.dir.path().join("pipe");
    let (said, ended) = follow(pipe.clone());
    let path = bin.program().display().to_string();
    let args = format!(r#"{{"args":["{}"]}}"#, pipe.display());
    let action = built(&[&path], &bin.params(&args)).unwrap();
    let attempt = attempt(event());
    let pid = tokio::select! {
        ended = action.deliver(&attempt) => panic!("it goes on for long: {ended:?}"),
        said = soon(said) => said.unwrap().trim().parse().unwrap(),
    };
    soon(ended).await.expect("all who held the pipe are dead");
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    soon(async {
        while rustix::process::test_kill_process(pid).is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_dies_with_it() {
    let bin = Bin::with("exec 3>\"$1\"; echo up >&3; sleep 1000 & echo done");
    let pipe = bin.dir.path().join("pipe");
    let (_, ended) = follow(pipe.clone());
    let receipt = soon(bin.deliver(&format!(r#"{{"args":["{}"]}}"#, pipe.display()))).await.unwrap();
    assert_eq!(receipt.line, "done");
    soon(ended).await.expect("all who held the pipe are dead");
}

#[tokio::test]
async fn a_flood_kills_grandchildren_too() {
    let bin = Bin::with("exec 3>\"$1\"; echo up >&3; sleep 1000 & while :; do echo xxxxxxxxxxxxxxxx; done");
    let pipe = bin.dir.path().join("pipe");
    let (_, ended) = follow(pipe.clone());
    bin.blocked(&format!(r#"{{"args":["{}"]}}"#, pipe.display())).await;
    soon(ended).await.expect("all who held the pipe are dead");
}

#[tokio::test]
async fn lines_are_effects_and_data() {
    let bin = Bin::with(
        r#"cat <<'END'
{"note": {"text": "${TOKEN} {{ x }}", "json": {"n": 12345678901234567890123, "gone": null}}}

{"note": {"text": "b"}, "name": "mine", "after": "5m"}
{"script": {"file": "react.rhai"}, "after": 2}
END"#,
    );
    let receipt = bin.deliver(r#"{"effects":true}"#).await.unwrap();
    assert_eq!(receipt.line, "3 effects");
    let seen: Vec<_> =
        receipt.effects.iter().map(|e| (e.name.as_str(), e.kind.as_str(), e.after.as_secs())).collect();
    assert_eq!(seen, [("note-1", "note", 0), ("mine", "note", 300), ("script-1", "script", 2)]);
    assert!(matches!(receipt.effects[0].params, Params::Data(_)), "no reference, no template");
    let shown = kit::shown(&receipt.effects[0]);
    assert_eq!(shown, r#"{"json":{"n":12345678901234567890123},"text":"${TOKEN} {{ x }}"}"#);
    assert_eq!(Bin::with("exit 0").deliver(r#"{"effects":true}"#).await.unwrap().line, "no effects");
}

#[tokio::test]
async fn a_line_that_is_no_effect_blocks_with_its_number() {
    for (line, wanted) in [
        ("hello", "this is not JSON"),
        ("[]", "an effect is an object like"),
        (r#"{"name": "x"}"#, "names no action"),
        (r#"{"note": {"text": ""}, "log": {}}"#, "`note` stands beside `log`"),
        (r#"{"notes": {"text": ""}}"#, "there is no action `notes`: did you mean `note`?"),
        (r#"{"note": "text"}"#, "`note` takes a map of its parameters, not a string"),
        (r#"{"note": {"txt": ""}}"#, "did you mean `text`?"),
        (r#"{"note": {"text": "refused"}}"#, "is refused here (write another)"),
        (r#"{"note": {"text": "", "name": "x"}}"#, "`name` stands beside `note`"),
        (r#"{"note": {"text": ""}, "name": "A b"}"#, "cannot name an effect"),
        (r#"{"note": {"text": ""}, "name": "first"}"#, "already has an effect named `first`"),
        (r#"{"note": {"text": ""}, "after": "soon"}"#, "`after` is a duration"),
        (r#"{"note": {"text": "", "text": ""}}"#, "this is not JSON"),
        (r#"{"exec": {"program": "/bin/rm"}}"#, "`/bin/rm` is not among the programs"),
        ("{\"log\": {}}\n{\"log\": {}}\n{\"log\": {}}", "limits.script.effects (3)"),
    ] {
        let bin = Bin::with(&format!("cat <<'END'\n{{\"log\": {{}}, \"name\": \"first\"}}\n{line}\nEND"));
        let error = bin.blocked(r#"{"effects":true}"#).await;
        let number = if line.contains('\n') { 4 } else { 2 };
        assert!(error.contains(&format!("program, line {number} of its output: ")), "{line}: {error}");
        assert!(error.contains(wanted), "{line}: {error}");
    }
    let large = format!("echo '{{\"note\": {{\"text\": \"{}\"}}}}'", "x".repeat(5000));
    let error = Bin::with(&large).blocked(r#"{"effects":true}"#).await;
    assert!(
        error.ends_with("line 1 of its output: the effects take more than limits.script.size (4096 bytes)")
    );
}

#[tokio::test]
async fn effects_of_a_program_that_fails_are_discarded() {
    for (code, retried) in [(75, true), (1, false)] {
        let bin = Bin::with(&format!("echo '{{\"log\": {{}}}}'; exit {code}"));
        let ended = bin.deliver(r#"{"effects":true}"#).await;
        assert_eq!(matches!(ended, Err(ActionError::Retry { .. })), retried, "{ended:?}");
        assert!(ended.is_err());
    }
}

#[test]
fn only_what_is_literal_and_listed_can_be_run() {
    let listed = ["/bin/cat", "/usr/local/bin/crm-sync"];
    let errors = |params: &str| {
        let errors = built(&listed, &json(params)).err().unwrap_or_default();
        let shown = |error: ConfigError| {
            format!("{} {} ({})", error.pointer, error.message, error.help.unwrap_or_default())
        };
        errors.into_iter().map(shown).collect::<Vec<_>>()
    };
    for (params, expected) in [
        (
            r#"{"program":"/bin/rm"}"#,
            "/program `/bin/rm` is not among the programs that may be run (list it in",
        ),
        (r#"{"program":"/opt/sync/run"}"#, "(list it in hookyard.yaml: `exec: [/opt/sync/run]`)"),
        (r#"{"program":"/usr/local/bin/crm-snyc"}"#, "(did you mean `/usr/local/bin/crm-sync`?)"),
        (r#"{"program":"cat"}"#, "(write its absolute path"),
        (r#"{"program":"/bin/{{ status }}"}"#, "/program a program is named literally"),
        (r#"{"program":"${PROGRAM}"}"#, "/program a program is named literally"),
        (r#"{"program":"/bin/cat","args":["-n","{{ payload.task_id }}"]}"#, "/args/1 an argument is literal"),
        (
            r#"{"program":"/bin/cat","args":["${TOKEN}"]}"#,
            "(the program reads the event from its standard input)",
        ),
        (r#"{"program":"/bin/cat","args":"{{ payload.items }}"}"#, "/args `args` is a list of literal texts"),
        (r#"{"program":"/bin/cat","args":[["x"]]}"#, "/args/0 an argument is a text or a number"),
        (r#"{"program":"/bin/cat","args":["a\u0000"]}"#, "/args/0 an argument cannot hold a NUL"),
        (r#"{"program":"/bin/cat","effects":"{{ payload.ok }}"}"#, "/effects `effects` is literally"),
        (r#"{"program":"/bin/cat","env":{}}"#, "/env there is no parameter `env`"),
        ("{}", " `program` is missing"),
    ] {
        let errors = errors(params);
        assert!(errors.iter().any(|error| error.contains(expected)), "{params}: {errors:?}");
    }
    assert_eq!(errors(r#"{"program":"/bin/cat","args":["$$HOME",1.50],"effects":false}"#), [""; 0]);
    assert!(built(&[], &json(r#"{"program":"/bin/cat"}"#)).is_err(), "nothing is listed by itself");
}

#[test]
fn the_example_builds_where_its_program_is_listed() {
    let text: Arc<str> = KIND.example.into();
    let Ok(node) = crate::yaml::parse(&"example".into(), &text) else { panic!("{text} is YAML") };
    let params = node.get("exec").expect("an example begins with its kind").to_json();
    assert!(built(&["/usr/local/bin/crm-sync"], &params).is_ok());
}

#[test]
fn a_script_can_ask_for_a_program_that_is_listed() {
    let run = |call: &str| {
        let files = [("main.rhai".to_owned(), format!("fn on_event(event) {{\n{call};\n}}").into())].into();
        let listed: Programs = crate::registry::parse(&json(r#"["/bin/cat"]"#)).unwrap();
        let context = kit::context().with_programs(listed);
        let limits = Limits { time: PATIENCE, ..Limits::default() };
        let (scripts, problems) = Scripts::compile_with(
            kit::KINDS,
            &files,
            &Arc::new(kit::vars()),
            &kit::resolver(),
            limits,
            &context,
        );
        assert_eq!(problems, [], "{call}");
        kit::run_for(&scripts, "main.rhai", event(), id(), &Params::Data(json("{}")))
    };
    let effects = run(r##"exec(#{program: "/bin/cat", args: ["-n"], effects: true})"##).unwrap().effects;
    assert_eq!((effects[0].name.as_str(), effects[0].kind.as_str()), ("exec-1", "exec"));
    assert!(schema::check(&effects[0].params, KIND.schema).is_ok());
    for (call, wanted) in [
        (r##"exec(#{program: "/bin/rm"})"##, "is not among the programs that may be run"),
        (r##"exec(#{program: "/bin/cat", args: [vars.secret]})"##, "an argument is literal"),
        (r##"exec(#{program: vars.secret})"##, "a program is named literally"),
        (r##"exec(#{program: "/bin/cat", args: "-n"})"##, "wants a list"),
        ("exec(#{})", "`program` is missing"),
    ] {
        let error = run(call).unwrap_err();
        assert!(
            matches!(&error, ActionError::Blocked(error) if error.starts_with("main.rhai:2:") && error.contains(wanted)),
            "{call}: {error:?}"
        );
    }
}
