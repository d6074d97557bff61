//! What a delivery would do, without doing it: parameters are filled in, scripts run; nothing goes
//! out and nothing is kept.

use super::{Planned, RuleSet};
use crate::action::{ActionError, Answers, Attempt, Heard, Trace};
use crate::delivery::{DeliveryId, Effect};
use crate::event::Event;
use crate::headers::Headers;
use crate::json::Json;
use crate::kv;
use crate::template::{Rendered, Scope};
use bytes::Bytes;
use std::sync::Arc;

/// The world that scripts see in a dry run.
#[derive(Clone)]
pub struct Stage {
    /// What they have kept so far. It stays as it is.
    pub state: Arc<dyn kv::Store>,
    /// What `fetch` gets.
    pub answers: Answers,
}

/// What one delivery would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rehearsed {
    /// What would go out: of an action that is no script, itself; of a script, its effects.
    pub sent: Vec<Sent>,
    /// Of a script that ran: its parameters as they are shown.
    pub ran: Option<Json>,
    /// What of the rule is broken: the delivery, or an effect, would be blocked.
    pub broken: Vec<String>,
    /// How a script ended that sends nothing on purpose.
    pub ended: Option<String>,
}

/// Something that would go out.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// The name of the effect, if it is one.
    pub effect: Option<String>,
    /// The action kind.
    pub kind: String,
    /// As they are shown: secrets are names.
    pub params: Json,
}

impl RuleSet {
    /// What a delivery would do that routing has led to.
    pub async fn rehearse(&self, event: &Arc<Event>, id: DeliveryId, stage: &Stage) -> Rehearsed {
        let lane = format!("{}/{}", id.rule, id.action);
        let mut rehearsed = Rehearsed::default();
        let (rule, planned) =
            self.find(&id.rule, &id.action).expect("routing names actions of this rule set");
        let event = &rule.seen(event);
        let scope = Scope { event, vars: &self.vars, resolver: &*self.resolver };
        let params = match planned.params.render(scope) {
            Ok(rendered) => rendered,
            Err(error) => {
                rehearsed.broken.push(format!("{lane} is blocked: {error}"));
                return rehearsed;
            }
        };
        let shown = params.shown().clone();
        if !self.scripts.is_run(&planned.kind) {
            rehearsed.sent.push(Sent { effect: None, kind: planned.kind.clone(), params: shown });
            return rehearsed;
        }
        match planned.action.deliver(&attempt(planned, event, id, params, stage)).await {
            Ok(receipt) => {
                for effect in receipt.effects {
                    rehearsed.effect(effect, &lane, scope);
                }
                rehearsed.ran = Some(shown);
            }
            Err(ActionError::Blocked(error)) => {
                rehearsed.broken.push(format!("{lane} is blocked: {error}"));
            }
            Err(error) => rehearsed.ended = Some(format!("{lane} ended with: {error}")),
        }
        rehearsed
    }
}

impl Rehearsed {
    fn effect(&mut self, effect: Effect, lane: &str, scope: Scope<'_>) {
        match effect.params.render(scope) {
            Ok(rendered) => {
                self.sent.push(Sent {
                    effect: Some(effect.name),
                    kind: effect.kind,
                    params: rendered.shown().clone(),
                });
            }
            Err(error) => self.broken.push(format!("{lane}/{} cannot be filled in: {error}", effect.name)),
        }
    }
}

fn attempt(
    planned: &Planned,
    event: &Arc<Event>,
    id: DeliveryId,
    params: Rendered,
    stage: &Stage,
) -> Attempt {
    Attempt {
        id,
        number: 1,
        event: Arc::clone(event),
        body: Bytes::from(event.get("payload").unwrap_or(&Json::Null).to_string()),
        headers: Headers::default(),
        params,
        trace: Trace::new(Headers::default(), event.id(), 1),
        consent: planned.consent.clone(),
        script_consent: planned.consent.clone(),
        state: Arc::clone(&stage.state),
        answers: Some(Arc::new(stage.answers.clone())),
        heard: Heard::default(),
    }
}
